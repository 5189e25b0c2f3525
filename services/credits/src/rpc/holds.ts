import type { Platform } from '@swissbrain/service-kit/platform';
import { extendReservation, heartbeatReservations } from '@swissbrain/shared-schema/rpc/credits';
import { extend, renew } from '../operations/keep-holds.ts';

/** Answers what runners ask about the holds of their runs. */
export function serveHolds({ rpc, database }: Pick<Platform, 'rpc' | 'database'>): void {
  rpc.serve(extendReservation, async ({ reservation_id, amount_micro, key }) => {
    const { status, held, available } = await extend(database, {
      reservationId: reservation_id,
      amount: BigInt(amount_micro),
      key,
    });
    return { status, held_micro: held.toString(), available_micro: available?.toString() ?? null };
  });

  rpc.serve(heartbeatReservations, ({ reservation_ids }) => renew(database, reservation_ids));
}
