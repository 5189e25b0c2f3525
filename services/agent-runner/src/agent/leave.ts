import { keepWorkspace, restRun } from '../operations/rest-run.ts';
import type { Awaited } from '../store/questions.ts';
import { workspaceArtifact } from './artifacts.ts';
import type { RunContext } from './run-context.ts';

type Left = Pick<RunContext, 'run' | 'claim' | 'database' | 'workspace' | 'log'>;

/**
 * Leaves a run to wait or to pause: its workspace is saved, then the row says so, then the sandbox goes. False when the
 * run need not be left after all. What a crash in between leaves behind is swept.
 * @throws ClaimLost
 */
export async function leaveRun(context: Left, awaited: readonly Awaited[]): Promise<boolean> {
  const { run, claim, database, workspace, log } = context;
  const saved = await workspace.save();
  if (saved) {
    await keepWorkspace(database, claim, workspaceArtifact(run.id, saved));
  }
  const rested = await restRun(database, claim, { awaited, leavesSession: saved !== null });
  if (rested === undefined) return false;
  if (saved === null) {
    workspace.detach();
    return true;
  }
  try {
    await workspace.remove();
  } catch (error) {
    log.warn({ err: error }, 'the sandbox could not be removed yet');
  }
  return true;
}
