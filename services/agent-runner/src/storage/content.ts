import { createHash } from 'node:crypto';
import { ObjectStoreError, type PutOptions } from './object-store.ts';

/** Content as it is read once, with what is known of it afterwards. */
export interface Measured {
  readonly chunks: AsyncIterable<Uint8Array>;
  /** Hash and size of what has been read; meaningful after the last chunk. */
  result(): { readonly sha256: string; readonly size: number };
}

/**
 * Hashes and counts content while it is read. The reader gets an error instead of the end when there is too much of it
 * or its hash is not the expected one, so that whoever writes it elsewhere breaks off.
 */
export function measureContent(
  content: Uint8Array | AsyncIterable<Uint8Array>,
  { expectedSha256, maxBytes = Number.POSITIVE_INFINITY }: PutOptions,
): Measured {
  const hash = createHash('sha256');
  let size = 0;
  let sha256 = '';
  async function* read(): AsyncGenerator<Uint8Array> {
    for await (const chunk of content instanceof Uint8Array ? [content] : content) {
      size += chunk.length;
      if (size > maxBytes) throw new ObjectStoreError('object_too_large', `more than ${maxBytes} bytes`);
      hash.update(chunk);
      yield chunk;
    }
    sha256 = hash.digest('hex');
    if (expectedSha256 !== undefined && expectedSha256 !== sha256) {
      throw new ObjectStoreError('hash_mismatch', 'the content does not have the SHA-256 that was given');
    }
  }
  return { chunks: read(), result: () => ({ sha256, size }) };
}

/** Passes whole content through and ends with `object_corrupt` when it does not have this SHA-256. */
export async function* verifyContent(
  content: AsyncIterable<Uint8Array>,
  sha256: string,
): AsyncGenerator<Uint8Array> {
  const hash = createHash('sha256');
  for await (const chunk of content) {
    hash.update(chunk);
    yield chunk;
  }
  if (hash.digest('hex') !== sha256)
    throw new ObjectStoreError('object_corrupt', `object ${sha256} is damaged`);
}
