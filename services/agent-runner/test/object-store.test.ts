import { createHash, randomBytes, randomUUID } from 'node:crypto';
import { mkdtemp, readdir, rm, utimes, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { buffer } from 'node:stream/consumers';
import { PutObjectCommand, S3Client } from '@aws-sdk/client-s3';
import { systemClock } from '@swissbrain/service-kit/clock';
import { hasTestS3, s3Missing, startTestS3 } from '@swissbrain/testkit/s3';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { objectKey } from '../src/storage/object-key.ts';
import type { ObjectStore } from '../src/storage/object-store.ts';
import { openObjectStore } from '../src/storage/open-store.ts';

interface Subject {
  readonly store: ObjectStore;
  /** Overwrites an object behind the store's back. */
  damage(key: string, content: Uint8Array): Promise<void>;
  close(): Promise<void>;
}

const s3Settings = { STORAGE_S3_REGION: 'us-east-1', STORAGE_S3_PATH_STYLE: true } as const;

async function openLocal(): Promise<Subject> {
  const directory = await mkdtemp(join(tmpdir(), 'swissbrain-store-'));
  const { objects } = openObjectStore({ ...s3Settings, STORAGE_DIR: directory }, systemClock);
  return {
    store: objects,
    damage: (key, content) => writeFile(join(directory, key), content),
    close: () => rm(directory, { recursive: true, force: true }),
  };
}

async function openS3(): Promise<Subject> {
  const { endpoint, bucket, accessKeyId, secretAccessKey, stop } = await startTestS3();
  const opened = openObjectStore(
    {
      ...s3Settings,
      STORAGE_S3_BUCKET: bucket,
      STORAGE_S3_ENDPOINT: endpoint,
      STORAGE_S3_ACCESS_KEY_ID: accessKeyId,
      STORAGE_S3_SECRET_ACCESS_KEY: secretAccessKey,
    },
    systemClock,
  );
  const credentials = { accessKeyId, secretAccessKey };
  const client = new S3Client({ endpoint, credentials, region: 'us-east-1', forcePathStyle: true });
  return {
    store: opened.objects,
    async damage(key, content) {
      await client.send(new PutObjectCommand({ Bucket: bucket, Key: key, Body: content }));
    },
    async close() {
      client.destroy();
      opened.close();
      await stop();
    },
  };
}

const sha256Of = (content: Uint8Array) => createHash('sha256').update(content).digest('hex');
const small = randomBytes(600_000);
// Three parts, the last one short, of pieces that do not fit into them.
const large = randomBytes(20 * 1024 * 1024 + 17);
async function* pieces(bytes: Buffer, size = 700_001) {
  for (let start = 0; start < bytes.length; start += size) yield bytes.subarray(start, start + size);
}

const found = await hasTestS3();
if (!found) console.warn(`the contract of the S3 driver is not tested here: ${s3Missing}`);

describe.each([
  { name: 'the local store', open: openLocal, skip: false },
  { name: 'the S3 store', open: openS3, skip: !found },
])('$name', ({ open, skip }) => {
  describe.skipIf(skip)('keeps the contract', () => {
    let subject: Subject;
    let store: ObjectStore;
    const owner = randomUUID();
    beforeAll(async () => {
      subject = await open();
      store = subject.store;
    });
    afterAll(() => subject?.close());
    const read = async (key: string) => buffer(await store.get(key));
    const keysOf = async (user: string) => {
      const keys: string[] = [];
      let after: string | undefined;
      do {
        const page = await store.list(after);
        keys.push(...page.objects.map(({ key }) => key));
        after = page.next ?? undefined;
      } while (after !== undefined);
      return keys.filter((key) => key.startsWith(user));
    };

    it.each([
      ['a few bytes', small],
      ['what takes several parts', large],
      ['nothing', Buffer.alloc(0)],
      ['exactly one part', large.subarray(0, 8 * 1024 * 1024)],
    ])('gives back %s, from bytes and from a stream, under the same key', async (_, content) => {
      const stored = await store.put(owner, content);
      const sha256 = sha256Of(content);
      expect(stored).toMatchObject({ sha256, size: content.length });
      expect(stored.key).toMatch(new RegExp(`^${owner}/\\d{4}-\\d{2}-\\d{2}/${sha256}$`));
      expect(await store.put(owner, pieces(content), { expectedSha256: sha256 })).toEqual(stored);
      expect((await read(stored.key)).equals(content)).toBe(true);
      expect(await store.head(stored.key)).toEqual({ size: content.length });
    });

    it('stores the same content ten times at once as one object', async () => {
      const user = randomUUID();
      const stored = await Promise.all(Array.from({ length: 10 }, () => store.put(user, pieces(small))));
      expect(new Set(stored.map((one) => one.key)).size).toBe(1);
      expect(await keysOf(user)).toEqual([stored[0]?.key]);
      expect((await read(stored[0]?.key ?? '')).equals(small)).toBe(true);
    });

    it('keeps the same content of two users apart', async () => {
      const [mine, yours] = [randomUUID(), randomUUID()];
      const [one, other] = [await store.put(mine, small), await store.put(yours, small)];
      expect(one.key).not.toBe(other.key);
      await store.delete(one.key);
      expect(await store.head(one.key)).toBeNull();
      expect((await read(other.key)).equals(small)).toBe(true);
    });

    it('reads ranges and refuses those outside', async () => {
      const { key } = await store.put(owner, small);
      const part = async (start: number, end?: number) => buffer(await store.get(key, { start, end }));
      expect((await part(10, 19)).equals(small.subarray(10, 20))).toBe(true);
      expect((await part(599_990)).equals(small.subarray(599_990))).toBe(true);
      expect((await part(599_999, 10_000_000)).length).toBe(1);
      for (const [start, end] of [[600_000], [-1], [5, 4], [0.5]] as const) {
        await expect(store.get(key, { start, end })).rejects.toMatchObject({ code: 'range_not_satisfiable' });
      }
    });

    it.each([
      ['in one request', small],
      ['in parts', large],
    ])('refuses content with another hash or too much of it, %s, and keeps nothing', async (_, content) => {
      const user = randomUUID();
      await expect(store.put(user, content, { expectedSha256: '0'.repeat(64) })).rejects.toMatchObject({
        code: 'hash_mismatch',
      });
      await expect(store.put(user, pieces(content), { maxBytes: content.length - 1 })).rejects.toMatchObject({
        code: 'object_too_large',
      });
      expect(await keysOf(user)).toEqual([]);
      expect(await store.removeDrafts(new Date('2100-01-01'))).toBe(0);
    });

    it.each([
      ['at once', 1_000],
      ['in the third part', 18 * 1024 * 1024],
    ])('keeps nothing of a source that fails %s', async (_, bytes) => {
      const user = randomUUID();
      async function* failing() {
        yield* pieces(large.subarray(0, bytes));
        throw new Error('the source broke');
      }
      await expect(store.put(user, failing())).rejects.toThrow('the source broke');
      expect(await keysOf(user)).toEqual([]);
      expect(await store.removeDrafts(new Date('2100-01-01'))).toBe(0);
    });

    it('notices damage while reading and is healed by storing again', async () => {
      const { key } = await store.put(owner, small);
      await subject.damage(key, Buffer.concat([small.subarray(1), Buffer.from('x')]));
      await expect(read(key)).rejects.toMatchObject({ code: 'object_corrupt' });
      await store.put(owner, small);
      expect((await read(key)).equals(small)).toBe(true);
    });

    it('says what is missing and deletes without complaint', async () => {
      const { key } = await store.put(owner, small);
      await store.delete(key);
      await store.delete(key);
      expect(await store.head(key)).toBeNull();
      await expect(store.get(key)).rejects.toMatchObject({ code: 'object_missing' });
    });

    it('lists in pages, in the order of keys, from any place', async () => {
      const user = randomUUID();
      const stored = await Promise.all(
        Array.from({ length: 5 }, (_, index) => store.put(user, Buffer.from(`object ${index}`))),
      );
      const keys = stored.map(({ key }) => key).toSorted();
      expect(await keysOf(user)).toEqual(keys);
      const page = await store.list(keys[2]);
      expect(page.objects.map(({ key }) => key).filter((key) => key.startsWith(user))).toEqual(keys.slice(3));
      expect(page.objects.map(({ key }) => key)).toEqual(page.objects.map(({ key }) => key).toSorted());
    });

    it('removes everything of one user and nothing of another, also twice', async () => {
      const [leaving, staying] = [randomUUID(), randomUUID()];
      await Promise.all([store.put(leaving, small), store.put(leaving, large), store.put(staying, small)]);
      expect(await store.removeOwner(leaving)).toBe(2);
      expect(await store.removeOwner(leaving)).toBe(0);
      expect(await keysOf(leaving)).toEqual([]);
      expect(await keysOf(staying)).toHaveLength(1);
    });

    it.each([
      '../../etc/passwd',
      '/etc/passwd',
      `${owner}/2026-01-01/${'A'.repeat(64)}`,
      `drafts/${owner}`,
      '',
    ])('refuses the key %j', async (key) => {
      await expect(store.get(key)).rejects.toMatchObject({ code: 'invalid_key' });
      await expect(store.head(key)).rejects.toMatchObject({ code: 'invalid_key' });
      await expect(store.delete(key)).rejects.toMatchObject({ code: 'invalid_key' });
      await expect(store.put('../x', small)).rejects.toMatchObject({ code: 'invalid_key' });
      await expect(store.removeOwner('')).rejects.toMatchObject({ code: 'invalid_key' });
    });
  });
});

it('removes drafts of uploads that broke off, but not young ones', async () => {
  const directory = await mkdtemp(join(tmpdir(), 'swissbrain-store-'));
  const { objects } = openObjectStore({ ...s3Settings, STORAGE_DIR: directory }, systemClock);
  const owner = randomUUID();
  const { key } = await objects.put(owner, small);
  const drafts = join(directory, 'drafts', owner);
  await Promise.all(['old', 'young'].map((name) => writeFile(join(drafts, name), 'x')));
  const longAgo = new Date('2020-01-01');
  await utimes(join(drafts, 'old'), longAgo, longAgo);
  expect(await objects.removeDrafts(new Date('2021-01-01'))).toBe(1);
  expect(await readdir(drafts)).toEqual(['young']);
  expect(await objects.head(key)).toEqual({ size: small.length });
  await rm(directory, { recursive: true, force: true });
});

describe.skipIf(!found)('a link of the S3 store', () => {
  let s3: Awaited<ReturnType<typeof startTestS3>>;
  beforeAll(async () => {
    s3 = await startTestS3();
  });
  afterAll(() => s3?.stop());
  const openWith = (more: { readonly STORAGE_S3_PUBLIC_ENDPOINT?: string } = {}, now?: Date) =>
    openObjectStore(
      {
        ...s3Settings,
        STORAGE_S3_BUCKET: s3.bucket,
        STORAGE_S3_ENDPOINT: s3.endpoint,
        STORAGE_S3_ACCESS_KEY_ID: s3.accessKeyId,
        STORAGE_S3_SECRET_ACCESS_KEY: s3.secretAccessKey,
        ...more,
      },
      now ? { ...systemClock, now: () => now } : systemClock,
    ).objects;
  const options = (expiresAt: Date) => ({
    expiresAt,
    disposition: 'attachment; filename="a.csv"',
    mediaType: 'text/csv',
  });
  const soon = () => new Date(systemClock.now().getTime() + 60_000);

  it('serves the object with its name to anyone', async () => {
    const store = openWith();
    const { key } = await store.put(randomUUID(), small);
    const answer = await fetch((await store.link(key, options(soon()))) ?? '');
    expect(answer.status).toBe(200);
    expect(answer.headers.get('content-disposition')).toBe('attachment; filename="a.csv"');
    expect(answer.headers.get('content-type')).toBe('text/csv');
    expect(Buffer.from(await answer.arrayBuffer()).equals(small)).toBe(true);
  });

  it('is refused once it has expired, for another object, and without its signature', async () => {
    const store = openWith();
    const [one, other] = [await store.put(randomUUID(), small), await store.put(randomUUID(), small)];
    const past = new Date(systemClock.now().getTime() - 120_000);
    const expired = openWith({}, past);
    const late = await expired.link(one.key, options(new Date(past.getTime() + 60_000)));
    expect((await fetch(late ?? '')).status).toBe(403);
    const link = (await store.link(one.key, options(soon()))) ?? '';
    expect((await fetch(link.replace(one.key, other.key))).status).toBe(403);
    expect((await fetch(link.split('?')[0] ?? '')).status).toBe(403);
  });

  it('names the address at which clients reach the store', async () => {
    const store = openWith({ STORAGE_S3_PUBLIC_ENDPOINT: 'https://files.example.org' });
    const key = objectKey(randomUUID(), systemClock.now(), 'ab'.repeat(32));
    expect(await store.link(key, options(soon()))).toMatch(
      new RegExp(`^https://files\\.example\\.org/${s3.bucket}/${key}\\?.*X-Amz-Signature=`),
    );
  });
});
