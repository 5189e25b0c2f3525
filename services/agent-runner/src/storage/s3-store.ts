import { randomUUID } from 'node:crypto';
import { Readable } from 'node:stream';
import {
  CopyObjectCommand,
  DeleteObjectCommand,
  GetObjectCommand,
  HeadObjectCommand,
  ListObjectsV2Command,
  PutObjectCommand,
  type S3Client,
  S3ServiceException,
} from '@aws-sdk/client-s3';
import { Upload } from '@aws-sdk/lib-storage';
import { getSignedUrl } from '@aws-sdk/s3-request-presigner';
import type { Clock } from '@swissbrain/service-kit/clock';
import { measureContent, verifyContent } from './content.ts';
import { objectKey, ownerPrefix, readKey, sha256OfKey } from './object-key.ts';
import { type ByteRange, type ObjectStore, ObjectStoreError } from './object-store.ts';
import { abandonUploads, removePrefix } from './s3-clean-up.ts';

/** Content up to this goes in one request, what is longer in parts of this size, several at once. */
const partBytes = 8 * 1024 * 1024;
const partsAtOnce = 4;

export interface S3StoreOptions {
  readonly client: S3Client;
  /** Signs links, with the address at which clients reach the store. */
  readonly linkClient: S3Client;
  readonly bucket: string;
  readonly clock: Clock;
}

/**
 * An object store in a bucket of an S3-compatible server. Each request carries the SHA-256 of its body in its signature,
 * which the server checks. Content of unknown length goes to a draft in parts, and to its key by a copy within the
 * server when its hash is known: an object is there whole or not at all.
 */
export function createS3Store(options: S3StoreOptions): ObjectStore {
  const { client, linkClient, bucket: Bucket, clock } = options;

  return {
    async put(owner, content, given = {}) {
      const drafts = `drafts/${ownerPrefix(owner)}`;
      const { chunks, result } = measureContent(content, given);
      const reader = chunks[Symbol.asyncIterator]();
      const { head, ended } = await readUpTo(reader, partBytes);
      if (ended) {
        const { sha256, size } = result();
        const key = objectKey(owner, clock.now(), sha256);
        await client.send(new PutObjectCommand({ Bucket, Key: key, Body: head }));
        return { sha256, size, key };
      }
      const draft = `${drafts}${randomUUID()}`;
      try {
        await uploadParts(options, draft, continueWith(head, reader));
        const { sha256, size } = result();
        const key = objectKey(owner, clock.now(), sha256);
        await client.send(new CopyObjectCommand({ Bucket, Key: key, CopySource: `${Bucket}/${draft}` }));
        return { sha256, size, key };
      } finally {
        await client.send(new DeleteObjectCommand({ Bucket, Key: draft }));
      }
    },
    async get(key, range) {
      const sha256 = sha256OfKey(key);
      const body = await readObject(options, key, range);
      return range ? body : verifyContent(body, sha256);
    },
    async head(key) {
      sha256OfKey(key);
      try {
        const { ContentLength = 0 } = await client.send(new HeadObjectCommand({ Bucket, Key: key }));
        return { size: ContentLength };
      } catch (error) {
        if (statusOf(error) === 404) return null;
        throw error;
      }
    },
    async delete(key) {
      sha256OfKey(key);
      await client.send(new DeleteObjectCommand({ Bucket, Key: key }));
    },
    async list(after) {
      const page = await client.send(
        new ListObjectsV2Command({ Bucket, ...(after ? { StartAfter: after } : {}) }),
      );
      const found = page.Contents ?? [];
      const objects = found.flatMap(({ Key = '', Size = 0 }) =>
        readKey(Key) ? [{ key: Key, size: Size }] : [],
      );
      return { objects, next: page.IsTruncated ? (found.at(-1)?.Key ?? null) : null };
    },
    async removeDrafts(before) {
      const abandoned = await abandonUploads(options, 'drafts/', before);
      return abandoned + (await removePrefix(options, 'drafts/', before));
    },
    async removeOwner(owner) {
      const prefix = ownerPrefix(owner);
      await abandonUploads(options, `drafts/${prefix}`);
      await removePrefix(options, `drafts/${prefix}`);
      return removePrefix(options, prefix);
    },
    link(key, { expiresAt, disposition, mediaType }) {
      sha256OfKey(key);
      const command = new GetObjectCommand({
        ...{ Bucket, Key: key },
        ...{ ResponseContentDisposition: disposition, ResponseContentType: mediaType },
      });
      const signingDate = clock.now();
      const expiresIn = Math.floor((expiresAt.getTime() - signingDate.getTime()) / 1_000);
      return getSignedUrl(linkClient, command, { expiresIn, signingDate });
    },
  };
}

/** Parts of an upload that fails are removed again by the library. */
async function uploadParts(
  { client, bucket }: S3StoreOptions,
  key: string,
  content: AsyncIterable<Uint8Array>,
): Promise<void> {
  const params = { Bucket: bucket, Key: key, Body: Readable.from(content) };
  await new Upload({ client, params, partSize: partBytes, queueSize: partsAtOnce }).done();
}

async function readObject(
  { client, bucket }: S3StoreOptions,
  key: string,
  range: ByteRange | undefined,
): Promise<AsyncIterable<Uint8Array>> {
  const { start, end } = range ?? { start: 0 };
  if (!Number.isSafeInteger(start) || start < 0 || (end !== undefined && end < start)) {
    throw new ObjectStoreError('range_not_satisfiable', 'the range is empty or not one');
  }
  const Range = range ? `bytes=${start}-${end ?? ''}` : undefined;
  try {
    const { Body } = await client.send(new GetObjectCommand({ Bucket: bucket, Key: key, Range }));
    if (!(Body instanceof Readable)) throw new Error('the object store answered without a body');
    return Body;
  } catch (error) {
    const status = statusOf(error);
    if (status === 404) throw new ObjectStoreError('object_missing', 'there is no such object');
    if (status === 416) throw new ObjectStoreError('range_not_satisfiable', 'the object is shorter');
    throw error;
  }
}

function statusOf(error: unknown): number | undefined {
  return error instanceof S3ServiceException ? error.$metadata.httpStatusCode : undefined;
}

/** Reads until there are more than `limit` bytes, or all of it. */
async function readUpTo(reader: AsyncIterator<Uint8Array>, limit: number) {
  const chunks: Uint8Array[] = [];
  let size = 0;
  while (size <= limit) {
    const { done, value } = await reader.next();
    if (done) return { head: Buffer.concat(chunks), ended: true };
    chunks.push(value);
    size += value.length;
  }
  return { head: Buffer.concat(chunks), ended: false };
}

async function* continueWith(
  head: Uint8Array,
  reader: AsyncIterator<Uint8Array>,
): AsyncGenerator<Uint8Array> {
  yield head;
  for (let next = await reader.next(); !next.done; next = await reader.next()) yield next.value;
}
