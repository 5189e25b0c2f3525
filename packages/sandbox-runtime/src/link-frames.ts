/**
 * The frames between the two containers of a sandbox: length of the payload (4 bytes), type (1), channel (4), payload.
 * The runtime opens channels, one per request; the code side ends each with `done` or `fault`.
 */
export const frameTypes = {
  /** Runtime to code: a request, as JSON. */
  open: 1,
  /** Either way: a message within a request, as JSON. */
  message: 2,
  /** Either way: bytes, for which the receiver has given credit. */
  data: 3,
  /** Either way: no more bytes from this side. */
  end: 4,
  /** Either way: how many bytes more may be sent. */
  credit: 5,
  /** Code to runtime: the answer, as JSON. The channel is closed. */
  done: 6,
  /** Code to runtime: the refusal. The channel is closed. */
  fault: 7,
  /** Runtime to code: the answer is not wanted any more. */
  cancel: 8,
} as const;
export type FrameType = (typeof frameTypes)[keyof typeof frameTypes];

export interface LinkFrame {
  readonly type: FrameType;
  readonly channel: number;
  readonly payload: Buffer;
}

/** What came over the link does not keep the protocol, or the link has ended. Nothing of it can be trusted further. */
export class LinkBroken extends Error {
  constructor(why: string) {
    super(why);
    this.name = 'LinkBroken';
  }
}

/** What is in one `data` frame at most, and in any frame of the code side: longer answers go as data. */
export const maxDataBytes = 64 * 1024;
/** Bytes of a channel that may be under way before the receiver has taken them. */
export const windowBytes = 256 * 1024;
/** A request of the runtime: a program with its arguments is in it. */
export const maxFrameFromRuntime = 8 * 1024 * 1024;

const headBytes = 9;
const knownTypes: ReadonlySet<number> = new Set(Object.values(frameTypes));

/** One frame as bytes. */
export function encodeLinkFrame(type: FrameType, channel: number, payload: Uint8Array): Buffer {
  const frame = Buffer.allocUnsafe(headBytes + payload.length);
  frame.writeUInt32BE(payload.length, 0);
  frame.writeUInt8(type, 4);
  frame.writeUInt32BE(channel, 5);
  frame.set(payload, headBytes);
  return frame;
}

/** Cuts a byte stream into frames; holds at most one unfinished frame of `maxPayload` bytes. */
export class LinkFrameReader {
  readonly #maxPayload: number;
  #held: Buffer[] = [];
  #heldBytes = 0;

  constructor(maxPayload: number) {
    this.#maxPayload = maxPayload;
  }

  /** The frames that are whole with these bytes. @throws LinkBroken */
  push(bytes: Buffer): LinkFrame[] {
    this.#held.push(bytes);
    this.#heldBytes += bytes.length;
    const frames: LinkFrame[] = [];
    for (let frame = this.#next(); frame !== null; frame = this.#next()) frames.push(frame);
    return frames;
  }

  #next(): LinkFrame | null {
    if (this.#heldBytes < headBytes) return null;
    const head = this.#peek(headBytes);
    const length = head.readUInt32BE(0);
    const type = head.readUInt8(4);
    if (length > this.#maxPayload) throw new LinkBroken(`a frame of ${length} bytes`);
    if (!isFrameType(type)) throw new LinkBroken(`a frame of the unknown type ${type}`);
    if (this.#heldBytes < headBytes + length) return null;
    const whole = this.#take(headBytes + length);
    return { type, channel: whole.readUInt32BE(5), payload: whole.subarray(headBytes) };
  }

  /** The first bytes, gathered only when they lie in several pieces. */
  #peek(length: number): Buffer {
    const [first] = this.#held;
    if (first && first.length >= length) return first;
    const joined = Buffer.concat(this.#held);
    this.#held = [joined];
    return joined;
  }

  #take(length: number): Buffer {
    const bytes = this.#peek(length);
    this.#held[0] = bytes.subarray(length);
    if (this.#held[0].length === 0) this.#held.shift();
    this.#heldBytes -= length;
    return bytes.subarray(0, length);
  }
}

function isFrameType(type: number): type is FrameType {
  return knownTypes.has(type);
}
