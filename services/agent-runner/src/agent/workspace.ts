import type { Logger } from '@swissbrain/service-kit/logger';
import type { StoredInput } from '../operations/prepare-run.ts';
import type { SandboxDriver, SandboxSession, SessionLimits } from '../sandbox/driver.ts';
import { SandboxError } from '../sandbox/errors.ts';
import { type ObjectStore, ObjectStoreError, type StoredObject } from '../storage/object-store.ts';

/** The sandbox of one run in the hands of one worker. */
export interface Workspace {
  /** Opens the session at the first call and puts the input files there. */
  session(): Promise<SandboxSession>;
  /** Leaves the session running for a successor. */
  detach(): void;
  /**
   * Stores the workspace as it is. Null where there is none or it cannot be stored: then the session, if there is one,
   * is better left as it is.
   */
  save(): Promise<StoredObject | null>;
  /** Ends the session and removes its files; harmless when there was none. */
  remove(): Promise<void>;
}

export interface WorkspaceOptions {
  readonly driver: SandboxDriver;
  readonly objects: ObjectStore;
  readonly log: Logger;
  /** The user whose run it is. */
  readonly ownerId: string;
  readonly runId: string;
  readonly sessionNo: number;
  readonly limits: SessionLimits;
  readonly inputs: readonly StoredInput[];
  readonly signal: AbortSignal;
  /** Where the storage has the workspace that a new session begins with, or null. */
  readonly snapshotKey: string | null;
  /** Larger workspaces are not saved. */
  readonly maxSnapshotBytes: number;
  /** True when steps before this worker may have used the sandbox. */
  readonly wasUsed: boolean;
  /** True when nothing has been done in the sandbox yet, so that a lost one can be replaced. */
  isFresh(): boolean;
  raiseSession(lost: number): Promise<number>;
}

/** Programs find this folder; it holds what they leave in SWISSBRAIN_OUTPUT. */
const markerFile = '.swissbrain/workspace';

/**
 * Fills a session that is new with what the run left behind, and puts the input files where they are not yet: a
 * successor must not undo what steps did to them.
 */
async function fillSession(session: SandboxSession, options: WorkspaceOptions): Promise<void> {
  const paths = async () => new Set((await session.listFiles()).map((file) => file.path));
  let present = await paths();
  if (!present.has(markerFile) && options.snapshotKey !== null) {
    await session.restore(await options.objects.get(options.snapshotKey));
    present = await paths();
  }
  for (const input of options.inputs) {
    if (input.kind !== 'file' || input.storageKey === undefined || present.has(input.path)) continue;
    await session.putFile(input.path, await options.objects.get(input.storageKey));
  }
  if (!present.has(markerFile)) await session.putFile(markerFile, new Uint8Array());
}

/** The workspace of a claimed run; no sandbox is started before a step asks for one. */
export function createWorkspace(options: WorkspaceOptions): Workspace {
  const { driver, runId, limits, signal } = options;
  let sessionNo = options.sessionNo;
  let opening: Promise<SandboxSession> | undefined;
  let opened: SandboxSession | undefined;

  const open = async (): Promise<SandboxSession> => {
    let session: SandboxSession;
    try {
      session = await driver.openSession({ runId, sessionNo, limits, signal });
    } catch (error) {
      if (!(error instanceof SandboxError) || error.fault !== 'lost' || !options.isFresh()) throw error;
      sessionNo = await options.raiseSession(sessionNo);
      session = await driver.openSession({ runId, sessionNo, limits, signal });
    }
    opened = session;
    await fillSession(session, options);
    return session;
  };

  const workspace: Workspace = {
    session() {
      // A failed opening is not kept: the next step may have more luck.
      opening ??= open().catch((error: unknown) => {
        opening = undefined;
        throw error;
      });
      return opening;
    },
    async save() {
      if (!opened && !options.wasUsed) return null;
      try {
        const session = await workspace.session();
        return await options.objects.put(options.ownerId, session.snapshot(), {
          maxBytes: options.maxSnapshotBytes,
        });
      } catch (error) {
        signal.throwIfAborted();
        if (!(error instanceof SandboxError) && !(error instanceof ObjectStoreError)) throw error;
        options.log.warn({ err: error }, 'the workspace could not be saved; its sandbox is left as it is');
        return null;
      }
    },
    detach: () => opened?.detach(),
    async remove() {
      // A run that never had a sandbox is not looked for among all processes of the machine.
      if (!opening && !opened && options.isFresh()) return;
      await driver.removeSession(runId, sessionNo);
    },
  };
  return workspace;
}
