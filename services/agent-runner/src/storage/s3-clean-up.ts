import {
  AbortMultipartUploadCommand,
  DeleteObjectCommand,
  ListMultipartUploadsCommand,
  ListObjectsV2Command,
  type S3Client,
} from '@aws-sdk/client-s3';

interface Bucket {
  readonly client: S3Client;
  readonly bucket: string;
}

/** One by one, a few at once: the request that deletes many is not the same on all servers. */
const deletionsAtOnce = 8;

/** Deletes what begins with `prefix` and was last written before `before`, all of it without; returns how many. */
export async function removePrefix(
  { client, bucket }: Bucket,
  prefix: string,
  before?: Date,
): Promise<number> {
  let removed = 0;
  let after: string | undefined;
  for (;;) {
    const page = await client.send(
      new ListObjectsV2Command({ Bucket: bucket, Prefix: prefix, ...(after ? { StartAfter: after } : {}) }),
    );
    const found = page.Contents ?? [];
    const keys = found.flatMap(({ Key, LastModified }) =>
      Key && (!before || (LastModified && LastModified < before)) ? [Key] : [],
    );
    for (let start = 0; start < keys.length; start += deletionsAtOnce) {
      const some = keys.slice(start, start + deletionsAtOnce);
      await Promise.all(some.map((Key) => client.send(new DeleteObjectCommand({ Bucket: bucket, Key }))));
    }
    removed += keys.length;
    after = found.at(-1)?.Key;
    if (!page.IsTruncated || after === undefined) return removed;
  }
}

/** Gives up multipart uploads under `prefix` that began before `before`, all of them without; returns how many. */
export async function abandonUploads(
  { client, bucket }: Bucket,
  prefix: string,
  before?: Date,
): Promise<number> {
  let abandoned = 0;
  let markers = {};
  for (;;) {
    const page = await client.send(
      new ListMultipartUploadsCommand({ Bucket: bucket, Prefix: prefix, ...markers }),
    );
    for (const { Key, UploadId, Initiated } of page.Uploads ?? []) {
      if (!Key || !UploadId || (before && !(Initiated && Initiated < before))) continue;
      await client.send(new AbortMultipartUploadCommand({ Bucket: bucket, Key, UploadId }));
      abandoned += 1;
    }
    if (!page.IsTruncated) return abandoned;
    markers = { KeyMarker: page.NextKeyMarker, UploadIdMarker: page.NextUploadIdMarker };
  }
}
