/** Reads exact amounts from a source that arrives in pieces of any size; holds one piece at a time. */
export class ByteReader {
  readonly #iterator: AsyncIterator<Uint8Array>;
  #held: Buffer = Buffer.alloc(0);

  constructor(source: AsyncIterable<Uint8Array>) {
    this.#iterator = source[Symbol.asyncIterator]();
  }

  /** The next `length` bytes, or fewer where the source ends. */
  async read(length: number): Promise<Buffer> {
    const parts: Buffer[] = [];
    let missing = length;
    while (missing > 0) {
      const piece = await this.#next(missing);
      if (piece === null) break;
      parts.push(piece);
      missing -= piece.length;
    }
    return parts.length === 1 && parts[0] ? parts[0] : Buffer.concat(parts);
  }

  /** The next `length` bytes in pieces, without gathering them; ends early where the source does. */
  async *pieces(length: number): AsyncGenerator<Buffer> {
    let missing = length;
    while (missing > 0) {
      const piece = await this.#next(missing);
      if (piece === null) return;
      missing -= piece.length;
      yield piece;
    }
  }

  async #next(most: number): Promise<Buffer | null> {
    while (this.#held.length === 0) {
      const { done, value } = await this.#iterator.next();
      if (done) return null;
      this.#held = Buffer.from(value.buffer, value.byteOffset, value.byteLength);
    }
    const piece = this.#held.subarray(0, most);
    this.#held = this.#held.subarray(piece.length);
    return piece;
  }
}
