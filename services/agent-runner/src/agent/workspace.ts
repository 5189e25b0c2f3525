import type { Logger } from '@swissbrain/service-kit/logger';
import type { StoredInput } from '../operations/prepare-run.ts';
import type { SandboxDriver, SandboxSession, SessionBinding, SessionLimits } from '../sandbox/driver.ts';
import { type Loss, SandboxError } from '../sandbox/errors.ts';
import { type ObjectStore, ObjectStoreError, type StoredObject } from '../storage/object-store.ts';

/** What came of keeping a workspace; `unkept`: it cannot be, so that a session which is lost from now on is lost with it. */
export type Kept = StoredObject | 'unkept';

/** The sandbox of one run in the hands of one worker. */
export interface Workspace {
  /** Opens the session at the first call and puts the files there with which it begins. */
  session(): Promise<SandboxSession>;
  /**
   * Gives up the session that this error names: the next one has the next number and begins with the workspace as it
   * was last kept. Harmless when it was given up already.
   */
  giveUp(lost: SandboxError): Promise<void>;
  /**
   * Stores the workspace after a step, for a session that may be lost later. Null where nothing is to be written down:
   * no session was opened, or nothing has changed. @throws SandboxError
   */
  keep(): Promise<Kept | null>;
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
  /** The name that the row has for the session of this number, if it was there before the run. */
  readonly sessionName: string | null;
  readonly limits: SessionLimits;
  readonly inputs: readonly StoredInput[];
  readonly signal: AbortSignal;
  /**
   * Where the storage has the workspace that a new session begins with. Null: no step has left anything there yet;
   * empty: steps have, and it could not be kept.
   */
  readonly snapshotKey: string | null;
  /** Larger workspaces are not saved. */
  readonly maxSnapshotBytes: number;
  /** True when steps before this worker may have used the sandbox. */
  readonly wasUsed: boolean;
  /** True when no step of the run has begun. */
  isFresh(): boolean;
  /** Numbers the session after the one that was lost. */
  raiseSession(lost: number, loss: Loss): Promise<number>;
  /** Writes the name of the session of this number to the row. */
  nameSession(sessionNo: number, name: string | null): Promise<void>;
}

/** Programs find this folder; it holds what they leave in SWISSBRAIN_OUTPUT. */
const markerFile = '.swissbrain/workspace';

/**
 * Fills a session that is new with what the run left behind, and puts the input files where they are not yet: a
 * successor must not undo what steps did to them.
 */
async function fillSession(
  session: SandboxSession,
  snapshotKey: string | null,
  options: WorkspaceOptions,
): Promise<void> {
  const paths = async () => new Set((await session.listFiles()).map((file) => file.path));
  let present = await paths();
  if (!present.has(markerFile) && snapshotKey === '') {
    const message =
      'the sandbox was lost, and the files of its workspace with it: they were too large to be kept';
    throw new SandboxError('user', 'workspace_lost', message);
  }
  if (!present.has(markerFile) && snapshotKey !== null) {
    await session.restore(await options.objects.get(snapshotKey));
    present = await paths();
  }
  for (const input of options.inputs) {
    if (input.kind !== 'file' || input.storageKey === undefined || present.has(input.path)) continue;
    await session.putFile(input.path, await options.objects.get(input.storageKey));
  }
  if (!present.has(markerFile)) await session.putFile(markerFile, new Uint8Array());
}

interface State {
  sessionNo: number;
  sessionName: string | null;
  snapshotKey: string | null;
  opening: Promise<SandboxSession> | undefined;
  opened: SandboxSession | undefined;
}

/** Moves on from a lost session to the next number; what is left of the lost one goes, if it is within reach. */
async function replaceSession(options: WorkspaceOptions, state: State, loss: Loss): Promise<void> {
  const { driver, runId, log } = options;
  const lost = state.sessionNo;
  state.opened?.detach();
  state.opening = undefined;
  state.opened = undefined;
  state.sessionNo = await options.raiseSession(lost, loss);
  state.sessionName = null;
  log.warn({ session_no: lost, loss: loss.code }, `a sandbox was lost: ${loss.why}`);
  try {
    await driver.removeSession(runId, lost);
  } catch (error) {
    log.warn({ err: error }, 'what is left of a lost sandbox could not be removed yet');
  }
}

async function store(
  options: WorkspaceOptions,
  state: State,
  session: SandboxSession,
): Promise<StoredObject> {
  const stored = await options.objects.put(options.ownerId, session.snapshot(), {
    maxBytes: options.maxSnapshotBytes,
  });
  state.snapshotKey = stored.key;
  return stored;
}

async function keep(options: WorkspaceOptions, state: State): Promise<Kept | null> {
  if (!state.opened) return null;
  const before = state.snapshotKey;
  try {
    const stored = await store(options, state, state.opened);
    return stored.key === before ? null : stored;
  } catch (error) {
    const tooLarge = error instanceof ObjectStoreError && error.code === 'object_too_large';
    const refused = error instanceof SandboxError && error.fault === 'user';
    if (!tooLarge && !refused) throw error;
    options.log.warn({ err: error }, 'the workspace is too large to be kept');
    state.snapshotKey = '';
    return before === '' ? null : 'unkept';
  }
}

/** The workspace of a claimed run; no sandbox is started before a step asks for one. */
export function createWorkspace(options: WorkspaceOptions): Workspace {
  const { driver, runId, limits, signal, log, sessionNo, sessionName, snapshotKey } = options;
  const state: State = { sessionNo, sessionName, snapshotKey, opening: undefined, opened: undefined };
  const givenUp = new Map<string, Promise<void>>();

  const binding: SessionBinding = {
    name: () => state.sessionName,
    async write(name) {
      await options.nameSession(state.sessionNo, name);
      state.sessionName = name;
    },
  };

  const open = async (): Promise<SandboxSession> => {
    const session = await driver.openSession({ runId, sessionNo: state.sessionNo, limits, signal, binding });
    await fillSession(session, state.snapshotKey, options);
    state.opened = session;
    return session;
  };

  const workspace: Workspace = {
    session() {
      // A failed opening is not kept: the next step may have more luck.
      state.opening ??= open().catch((error: unknown) => {
        state.opening = undefined;
        throw error;
      });
      return state.opening;
    },
    giveUp(lost) {
      const name = lost.session ?? '';
      const loss = lost.loss ?? { code: 'ended', why: 'it has ended' };
      // Steps beside each other lose the same session, and each of them says so.
      const known = givenUp.get(name) ?? replaceSession(options, state, loss);
      givenUp.set(name, known);
      return known;
    },
    keep: () => keep(options, state),
    async save() {
      if (!state.opened && !options.wasUsed) return null;
      const saveOpen = async () => store(options, state, await workspace.session());
      try {
        return await saveOpen().catch(async (error: unknown) => {
          if (!(error instanceof SandboxError) || error.fault !== 'lost') throw error;
          // Nothing runs now, so what is restored is all that was lost.
          await workspace.giveUp(error);
          return saveOpen();
        });
      } catch (error) {
        signal.throwIfAborted();
        if (!(error instanceof SandboxError) && !(error instanceof ObjectStoreError)) throw error;
        log.warn({ err: error }, 'the workspace could not be saved; its sandbox is left as it is');
        return null;
      }
    },
    detach: () => state.opened?.detach(),
    async remove() {
      // A run that never had a sandbox is not looked for among all processes of the machine.
      if (!state.opening && !state.opened && options.isFresh()) return;
      await driver.removeSession(runId, state.sessionNo);
    },
  };
  return workspace;
}
