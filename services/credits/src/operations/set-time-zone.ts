import type { Database, Principal } from '@swissbrain/service-kit/database';
import { isTimeZone } from '../domain/usage-range.ts';
import { errors } from '../errors.ts';
import { findSubscription, type SubscriptionRow, setTimeZone } from '../store/subscriptions.ts';
import { explainFailure } from './ledger-failures.ts';

/**
 * Sets the zone in which the caller's months are counted. The present period ends when it was to end; the next ones are
 * counted from the anchor in the zone. The same again changes nothing.
 * @throws AppError `time_zone_unknown`, `account_pending`, `subscription_not_found`
 */
export function changeTimeZone(
  database: Database,
  { userId }: Principal,
  timeZone: string,
): Promise<SubscriptionRow> {
  // Usage is shown by days of the zone too, so both the database and this process have to know it.
  if (!isTimeZone(timeZone)) throw errors.time_zone_unknown(`there is no time zone ${timeZone}`);
  return database.withService(async (tx) => {
    await setTimeZone(tx, { userId, timeZone }).catch(explainFailure);
    const found = await findSubscription(tx, userId);
    if (!found) throw errors.subscription_not_found('the subscription has ended');
    return found;
  });
}
