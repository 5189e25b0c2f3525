import type { Database } from '@swissbrain/service-kit/database';
import { AppError } from '@swissbrain/service-kit/errors';
import type { MicroCredits } from '@swissbrain/shared-schema/amount';
import type { ReservationId } from '@swissbrain/shared-schema/ids';
import { errors } from '../errors.ts';
import { type Extension, expireHolds, extendHold, heartbeatHolds } from '../store/ledger.ts';
import { explainFailure } from './ledger-failures.ts';

/**
 * Raises a hold by the whole amount. A refusal is final for its key.
 * @throws AppError `reservation_not_found`, `request_key_reused`, `amount_invalid`
 */
export function extend(
  database: Database,
  request: { reservationId: ReservationId; amount: MicroCredits; key: string },
): Promise<Extension> {
  return database.withService((tx) => extendHold(tx, request).catch(explainFailure)).catch(refuseUnknown);
}

/** Who asks by id has had the reservation's event: what is not there will not come. */
function refuseUnknown(thrown: unknown): never {
  if (thrown instanceof AppError && thrown.code === 'reservation_pending') {
    throw errors.reservation_not_found(thrown.detail);
  }
  throw thrown;
}

/** Renews holds and says which are alive; one that is unknown or over is closed. */
export async function renew(
  database: Database,
  ids: readonly ReservationId[],
): Promise<{ alive: ReservationId[]; closed: ReservationId[] }> {
  const rows = await database.withService((tx) => heartbeatHolds(tx, ids));
  const idsWhere = (alive: boolean) =>
    rows.filter((row) => row.alive === alive).map((row) => row.reservation_id);
  return { alive: idsWhere(true), closed: idsWhere(false) };
}

/** Ends holds whose time is over, by the database's clock; returns how many. */
export async function sweepHolds(database: Database, limit: number): Promise<number> {
  const expired = await database.withService((tx) => expireHolds(tx, limit));
  return expired.length;
}
