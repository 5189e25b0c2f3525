import { ConnectionError } from './problem.ts';

/**
 * The chunks of a body. A connection that is silent for `idleMs` or breaks off ends in an error, so that
 * a reader never waits for a peer that is gone.
 * @throws ConnectionError
 */
export async function* chunksOf(
  body: ReadableStream<Uint8Array>,
  url: string,
  idleMs: number,
): AsyncGenerator<Uint8Array> {
  const reader = body.getReader();
  try {
    for (;;) {
      const { done, value } = await readWithin(reader, url, idleMs);
      if (done) return;
      yield value;
    }
  } finally {
    // The reader may be gone with the connection; cancelling then has nothing left to free.
    await reader.cancel().catch(() => undefined);
  }
}

async function readWithin(
  reader: ReadableStreamDefaultReader<Uint8Array>,
  url: string,
  idleMs: number,
): ReturnType<typeof reader.read> {
  let timer: NodeJS.Timeout | undefined;
  const silence = new Promise<never>((_, reject) => {
    timer = setTimeout(
      () => reject(new ConnectionError(url, true, new Error(`silent for ${idleMs} ms`))),
      idleMs,
    );
  });
  try {
    return await Promise.race([reader.read(), silence]);
  } catch (error) {
    throw error instanceof TypeError ? new ConnectionError(url, false, error) : error;
  } finally {
    clearTimeout(timer);
  }
}
