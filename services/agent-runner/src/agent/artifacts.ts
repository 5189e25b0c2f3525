import type { SandboxSession } from '../sandbox/driver.ts';
import { SandboxError } from '../sandbox/errors.ts';
import { type ObjectStore, ObjectStoreError, type StoredObject } from '../storage/object-store.ts';
import type { NewArtifact } from '../store/advance.ts';
import { mediaTypeOf } from '../tools/media-type.ts';
import { derivedId } from './derived-id.ts';

/** A file that was to be kept and cannot be. */
export class ArtifactFailure extends Error {
  override readonly name = 'ArtifactFailure';
  readonly code: string;

  constructor(code: string, message: string) {
    super(message);
    this.code = code;
  }
}

const snapshotName = '.swissbrain/workspace.tar';

/** The row of a stored workspace. */
export function workspaceArtifact(runId: string, saved: StoredObject): NewArtifact {
  return {
    id: derivedId(runId, snapshotName, saved.sha256),
    stepId: null,
    kind: 'workspace',
    name: snapshotName,
    mediaType: 'application/x-tar',
    sizeBytes: saved.size,
    sha256: saved.sha256,
    storageKey: saved.key,
  };
}

export interface KeepFiles {
  /** Whose files they are. */
  readonly userId: string;
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
    const stored = await keep.objects.put(keep.userId, keep.session.getFile(path), {
      maxBytes: keep.maxBytes,
    });
    return {
      id: derivedId(keep.runId, path, stored.sha256),
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
