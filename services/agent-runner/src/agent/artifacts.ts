import { createHash } from 'node:crypto';
import type { SandboxSession } from '../sandbox/driver.ts';
import { SandboxError } from '../sandbox/errors.ts';
import { type ObjectStore, ObjectStoreError } from '../storage/object-store.ts';
import type { NewArtifact } from '../store/advance.ts';
import { mediaTypeOf } from '../tools/media-type.ts';

/** A file that was to be kept and cannot be. */
export class ArtifactFailure extends Error {
  override readonly name = 'ArtifactFailure';
  readonly code: string;

  constructor(code: string, message: string) {
    super(message);
    this.code = code;
  }
}

/**
 * The id of an artifact, made from what makes it unique: the same file kept again, by a successor or a later
 * step, is the same artifact. A UUID of version 8 (RFC 9562).
 */
function artifactId(runId: string, name: string, sha256: string): string {
  const bytes = createHash('sha256').update(`${runId}\0${name}\0${sha256}`).digest().subarray(0, 16);
  bytes.writeUInt8((bytes.readUInt8(6) & 0x0f) | 0x80, 6);
  bytes.writeUInt8((bytes.readUInt8(8) & 0x3f) | 0x80, 8);
  const hex = bytes.toString('hex');
  return [hex.slice(0, 8), hex.slice(8, 12), hex.slice(12, 16), hex.slice(16, 20), hex.slice(20)].join('-');
}

export interface KeepFiles {
  readonly runId: string;
  readonly stepId: string;
  readonly session: SandboxSession;
  readonly objects: ObjectStore;
  readonly maxBytes: number;
}

/**
 * Stores one file of the workspace under its content.
 * @throws ArtifactFailure artifact_missing, artifact_too_large
 */
export async function keepFile(path: string, keep: KeepFiles): Promise<NewArtifact> {
  try {
    const stored = await keep.objects.put(keep.session.getFile(path), { maxBytes: keep.maxBytes });
    return {
      id: artifactId(keep.runId, path, stored.sha256),
      stepId: keep.stepId,
      kind: 'output',
      name: path,
      mediaType: mediaTypeOf(path),
      sizeBytes: stored.size,
      sha256: stored.sha256,
      storageKey: stored.key,
    };
  } catch (error) {
    if (error instanceof ObjectStoreError && error.code === 'object_too_large') {
      throw new ArtifactFailure('artifact_too_large', `${path} is larger than ${keep.maxBytes} bytes`);
    }
    if (error instanceof SandboxError && error.fault === 'user') {
      throw new ArtifactFailure('artifact_missing', `${path} cannot be kept: ${error.message}`);
    }
    throw error;
  }
}

/** Stores every file under `artifacts/` of the workspace; files too large to keep are left out. */
export async function keepArtifactsFolder(keep: KeepFiles): Promise<NewArtifact[]> {
  const files = await keep.session.listFiles();
  const kept: NewArtifact[] = [];
  for (const file of files) {
    if (file.type !== 'file' || !file.path.startsWith('artifacts/') || file.size > keep.maxBytes) continue;
    kept.push(await keepFile(file.path, keep));
  }
  return kept;
}
