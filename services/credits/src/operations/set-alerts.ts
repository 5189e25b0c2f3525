import type { Database, Principal } from '@swissbrain/service-kit/database';
import { errors } from '../errors.ts';
import { type AlertsRow, findAlerts, setThresholds } from '../store/alerts.ts';
import { explainFailure } from './ledger-failures.ts';

export type { AlertsRow } from '../store/alerts.ts';

/** Below which amounts the caller is told. @throws AppError `account_pending` */
export async function getAlerts(database: Database, principal: Principal): Promise<AlertsRow> {
  const found = await database.withUser(principal, (tx) => findAlerts(tx, principal.userId));
  if (!found) throw errors.account_pending('the account is being opened');
  return found;
}

/** Sets the caller's own thresholds, or goes back to the tier's. @throws AppError `account_pending` */
export function setAlerts(
  database: Database,
  { userId }: Principal,
  thresholds: readonly string[] | null,
): Promise<AlertsRow> {
  return database.withService(async (tx) => {
    await setThresholds(tx, userId, thresholds).catch(explainFailure);
    const found = await findAlerts(tx, userId);
    if (!found) throw errors.account_pending('the account is being opened');
    return found;
  });
}
