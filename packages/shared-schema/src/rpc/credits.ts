import { z } from 'zod';
import { microAmount } from '../amount.ts';
import { uuid } from '../ids.ts';
import { defineRpc } from './definition.ts';

/** Raises a reservation's hold by `amount_micro`; `key` makes a repeat harmless. */
export const extendReservation = defineRpc({
  service: 'credits',
  method: 'extend',
  request: z.object({ reservation_id: uuid, amount_micro: microAmount, key: z.string().min(1).max(200) }),
  response: z.object({
    status: z.enum(['extended', 'replayed', 'insufficient', 'closed']),
    held_micro: microAmount,
    available_micro: microAmount.nullable(),
  }),
  timeoutMs: 5_000,
});

/** Renews the time to live of the reservations of live runs. */
export const heartbeatReservations = defineRpc({
  service: 'credits',
  method: 'heartbeat',
  request: z.object({ reservation_ids: z.array(uuid).min(1).max(1_000) }),
  response: z.object({ alive: z.array(uuid), closed: z.array(uuid) }),
  timeoutMs: 5_000,
});
