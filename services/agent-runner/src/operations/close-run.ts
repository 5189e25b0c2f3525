import type { Database, Tx } from '@swissbrain/service-kit/database';
import { type Closing, closeRunRow } from '../store/closing.ts';
import { lockRun, type RunSummary } from '../store/runs.ts';

/**
 * Ends a run other than by its last step, once: open steps are closed unbilled and the closing event is appended.
 * `unless` may refuse after a look at the locked row. False when the run has ended already or was refused.
 */
export async function closeRunIn(
  tx: Tx,
  closing: Closing,
  unless?: (run: RunSummary) => boolean,
): Promise<boolean> {
  const run = await lockRun(tx, closing.runId);
  if (!run || unless?.(run)) return false;
  return closeRunRow(tx, closing);
}

/** As closeRunIn, in a transaction of the service. With `attempt`, only under that claim. */
export function closeRun(
  database: Database,
  closing: Closing & { readonly attempt?: number },
): Promise<boolean> {
  const { attempt } = closing;
  return database.withService((tx) =>
    closeRunIn(tx, closing, (run) => attempt !== undefined && run.attempt !== attempt),
  );
}
