/** Pieces on their way from a callback to a reader, who says with each one that it was taken. */
export interface ByteQueue extends AsyncIterable<Buffer> {
  push(piece: Buffer): void;
  end(): void;
  fail(error: unknown): void;
}

/**
 * One writer, one reader. How much may lie in it is bounded by whoever pushes: it is told by `onTaken` how many bytes
 * have gone. `onLeft` is called when the reader stops before the end.
 */
export function createByteQueue(onTaken: (bytes: number) => void, onLeft: () => void): ByteQueue {
  const pieces: Buffer[] = [];
  let over: { readonly error: unknown } | null = null;
  let wake = (): void => undefined;

  async function* read(): AsyncGenerator<Buffer> {
    let whole = false;
    try {
      for (;;) {
        const piece = pieces.shift();
        if (piece) {
          yield piece;
          onTaken(piece.length);
        } else if (over) {
          whole = true;
          if (over.error !== undefined) throw over.error;
          return;
        } else {
          await new Promise<void>((resolve) => {
            wake = resolve;
          });
        }
      }
    } finally {
      if (!whole) onLeft();
    }
  }

  const finish = (error: unknown) => {
    over ??= { error };
    wake();
  };
  return {
    push(piece) {
      pieces.push(piece);
      wake();
    },
    end: () => finish(undefined),
    fail: finish,
    [Symbol.asyncIterator]: read,
  };
}
