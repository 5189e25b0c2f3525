import type { ConsumerDefinition } from '@swissbrain/service-kit/consumer';
import { userCreated, userDeleted } from '@swissbrain/shared-schema/events/credits';
import type { EventData } from '@swissbrain/shared-schema/events/envelope';
import { closeAccount, openAccount } from '../operations/manage-account.ts';
import { delivery } from './delivery.ts';

/** user.created: every user starts with an account, the Free subscription and its grant. */
export const opensAccount: ConsumerDefinition<EventData<typeof userCreated>> = {
  ...delivery,
  durable: 'user-created',
  event: userCreated,
  concurrency: 4,
  // Each locks an account, and one transaction locks one account.
  batch: 1,
  async handle(tx, events) {
    for (const { data } of events) await openAccount(tx, data.user_id);
  },
};

/** user.deleted: the subscription ends; balance and ledger stay under the pseudonymous account id. */
export const closesAccount: ConsumerDefinition<EventData<typeof userDeleted>> = {
  ...delivery,
  durable: 'user-deleted',
  event: userDeleted,
  concurrency: 1,
  batch: 1,
  async handle(tx, events) {
    for (const { data } of events) await closeAccount(tx, data.user_id);
  },
};
