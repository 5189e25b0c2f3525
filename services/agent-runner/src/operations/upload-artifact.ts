import { randomUUID } from 'node:crypto';
import type { Database, Principal, Tx } from '@swissbrain/service-kit/database';
import { errors } from '../errors.ts';
import { type ObjectStore, ObjectStoreError, type StoredObject } from '../storage/object-store.ts';
import { type ArtifactRow, insertUpload, measureUploads } from '../store/artifacts.ts';
import { refuseLeaving } from './leave.ts';

const mebibyte = 1024 * 1024;

export interface UploadLimits {
  /** Of one file, whatever the tier. */
  readonly fileBytes: number;
  /** Of all uploads of a user. */
  readonly userBytes: number;
}

/**
 * How many bytes the caller may upload now: no more than one file may have, than the sandbox of their tier holds, and
 * than is left of their room.
 * @throws AppError uploads_full
 */
async function roomFor(database: Database, principal: Principal, limits: UploadLimits): Promise<number> {
  const { stored, sandboxDiskMb } = await database.withUser(principal, async (tx) => {
    await refuseLeaving(tx, principal.userId);
    return measureUploads(tx, principal.userId);
  });
  const left = limits.userBytes - Number(stored);
  if (left <= 0) throw errors.uploads_full(fullMessage(limits));
  const disk = sandboxDiskMb === null ? limits.fileBytes : sandboxDiskMb * mebibyte;
  return Math.min(limits.fileBytes, disk, left);
}

const fullMessage = ({ userBytes }: UploadLimits) =>
  `uploads may take ${userBytes} bytes in all; they go by themselves after some days`;

/**
 * Stores what a user sends, while it arrives, and checks its hash. No row names it yet.
 * @throws AppError upload_too_large, upload_mismatch, uploads_full
 */
export async function storeUpload(
  deps: { readonly database: Database; readonly objects: ObjectStore; readonly limits: UploadLimits },
  principal: Principal,
  content: AsyncIterable<Uint8Array>,
  sha256: string,
): Promise<StoredObject> {
  const maxBytes = await roomFor(deps.database, principal, deps.limits);
  try {
    return await deps.objects.put(principal.userId, content, { maxBytes, expectedSha256: sha256 });
  } catch (error) {
    if (!(error instanceof ObjectStoreError)) throw error;
    if (error.code === 'object_too_large') {
      throw errors.upload_too_large(`a file of yours may have at most ${maxBytes} bytes now`, {
        max_bytes: maxBytes,
      });
    }
    if (error.code === 'hash_mismatch') {
      throw errors.upload_mismatch('the content does not have the SHA-256 that was given; send it again');
    }
    throw error;
  }
}

/** Names a stored upload, unless others that came meanwhile have taken the room. @throws AppError uploads_full */
export async function recordUpload(
  tx: Tx,
  principal: Principal,
  upload: { readonly name: string; readonly mediaType: string; readonly stored: StoredObject },
  limits: UploadLimits,
): Promise<ArtifactRow> {
  await refuseLeaving(tx, principal.userId);
  const { stored, name, mediaType } = upload;
  const before = await measureUploads(tx, principal.userId);
  if (Number(before.stored) + stored.size > limits.userBytes) throw errors.uploads_full(fullMessage(limits));
  const { key: storageKey, size: sizeBytes, sha256 } = stored;
  return insertUpload(tx, principal.userId, {
    id: randomUUID(),
    name,
    mediaType,
    sizeBytes,
    sha256,
    storageKey,
  });
}
