import type { Tx } from '@swissbrain/service-kit/database';
import { type Closing, type ClosingStatus, recordClosing } from '../store/ledger.ts';
import { explainFailure } from './ledger-failures.ts';

/**
 * Settles a run that has ended, at once when the steps it names are recorded, else with the last of them.
 * @throws AppError `reservation_pending` while the reservation is still being made
 */
export function closeRun(tx: Tx, closing: Closing): Promise<ClosingStatus> {
  return recordClosing(tx, closing).catch(explainFailure);
}
