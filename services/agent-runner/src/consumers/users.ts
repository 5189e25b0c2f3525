import type { ConsumerDefinition } from '@swissbrain/service-kit/consumer';
import { userDeleted } from '@swissbrain/shared-schema/events/credits';
import type { EventData } from '@swissbrain/shared-schema/events/envelope';
import { noteDeletions } from '../operations/leave.ts';

/** user.deleted: their rows went with the user; the files of one who was deleted elsewhere are still to go. */
export function forgetsUser(wake: () => void): ConsumerDefinition<EventData<typeof userDeleted>> {
  return {
    durable: 'forget-user',
    event: userDeleted,
    concurrency: 1,
    batch: 10,
    ackWaitMs: 10_000,
    backoffMs: [200, 1_000, 5_000, 15_000],
    maxAttempts: 10,
    handle: (tx, events) =>
      noteDeletions(
        tx,
        events.map(({ data }) => data.user_id),
        wake,
      ),
  };
}
