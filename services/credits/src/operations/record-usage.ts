import type { Tx } from '@swissbrain/service-kit/database';
import { type StepUsage, usageItems } from '../domain/usage.ts';
import { consumeUsage, type RecordedUsage } from '../store/ledger.ts';
import { explainFailure } from './ledger-failures.ts';

/**
 * Records what ended steps have used, each line once whatever is delivered twice, and settles the runs whose last
 * steps these were.
 * @throws AppError `reservation_pending` when the reservation of one of the steps is not there yet
 */
export async function recordUsage(tx: Tx, steps: readonly StepUsage[]): Promise<RecordedUsage[]> {
  const items = usageItems(steps);
  return items.length === 0 ? [] : consumeUsage(tx, items).catch(explainFailure);
}
