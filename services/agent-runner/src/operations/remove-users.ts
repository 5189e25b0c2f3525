import type { Database } from '@swissbrain/service-kit/database';
import type { ObjectStore } from '../storage/object-store.ts';
import {
  advanceDeletionStatement,
  anyRunStatement,
  type DeletionCounts,
  type DeletionRow,
  type DeletionStage,
  deleteRunsOfUserStatement,
  deleteUser,
  liveRunsStatement,
  openDeletionsStatement,
} from '../store/deletions.ts';
import { type CancelWakes, requestCancel } from './request-cancel.ts';

export interface RemoveUsers {
  readonly database: Database;
  readonly objects: ObjectStore;
  /** Tells the worker of a run to look at its row. */
  readonly wakes: CancelWakes;
  /** Files of a worker that was just stopped may come so late; then they are looked for once more. */
  readonly settleMs: number;
}

const usersPerPass = 20;
const runsPerBatch = 100;

/**
 * Takes every removal as far as it goes now; returns how many are still open. Each stage may be done again, by another
 * process too, and a stage ends by one conditional update, so it does not matter where one is killed.
 */
export async function removeUsers(deps: RemoveUsers): Promise<number> {
  const open = await deps.database.serviceStatement(openDeletionsStatement(usersPerPass, deps.settleMs));
  let left = open.length;
  for (const deletion of open) {
    let { stage } = deletion;
    for (let next = await doStage(deps, { ...deletion, stage }); next; ) {
      stage = next;
      if (stage === 'done') left -= 1;
      next = stage === 'done' ? null : await doStage(deps, { ...deletion, stage, settled: false });
    }
  }
  return left;
}

type OpenDeletion = DeletionRow & { readonly settled: boolean };

/** The stage after this one, or null when it is not over yet. */
async function doStage(deps: RemoveUsers, deletion: OpenDeletion): Promise<DeletionStage | null> {
  const { database, objects } = deps;
  const { id, user_id: userId, stage } = deletion;
  const moveOn = async (to: DeletionStage, counts: DeletionCounts = {}) => {
    const moved = await database.serviceStatement(advanceDeletionStatement(id, stage, to, counts));
    return moved.length > 0 && to !== stage ? to : null;
  };
  switch (stage) {
    case 'runs': {
      const { live, cancelled } = await cancelRuns(deps, userId);
      if (live > 0) return cancelled > 0 ? moveOn('runs', { runsCancelled: cancelled }) : null;
      return moveOn('files');
    }
    case 'files':
      return moveOn('rows', { filesDeleted: await objects.removeOwner(userId) });
    case 'rows': {
      const runsDeleted = await deleteRuns(database, userId);
      const [left] = await database.serviceStatement(anyRunStatement(userId));
      if (left) return runsDeleted > 0 ? moveOn('rows', { runsDeleted }) : null;
      await database.withService((tx) => deleteUser(tx, userId));
      return moveOn('rest', { runsDeleted });
    }
    case 'rest':
      if (!deletion.settled) return null;
      return moveOn('done', { filesDeleted: await objects.removeOwner(userId) });
    case 'done':
      return null;
  }
}

/** Asks for the end of what has not ended. */
async function cancelRuns({ database, wakes }: RemoveUsers, userId: string) {
  const live = await database.serviceStatement(liveRunsStatement(userId, runsPerBatch));
  const fresh = live.filter((run) => !run.cancel_requested);
  for (const { id } of fresh) {
    await database.withService(async (tx) => {
      await requestCancel(tx, id, wakes);
    });
  }
  return { live: live.length, cancelled: fresh.length };
}

async function deleteRuns(database: Database, userId: string): Promise<number> {
  let deleted = 0;
  for (;;) {
    const rows = await database.serviceStatement(deleteRunsOfUserStatement(userId, runsPerBatch));
    if (rows.length === 0) return deleted;
    deleted += rows.length;
  }
}
