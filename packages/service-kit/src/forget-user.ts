import { userDeleted } from '@swissbrain/shared-schema/events/credits';
import type { EventData } from '@swissbrain/shared-schema/events/envelope';
import { sql } from 'kysely';
import type { ConsumerDefinition } from './consumer-definition.ts';

/**
 * user.deleted: deletes what a service still has of that user. Most of it went with the row of the user; this is for
 * what was written at the same moment, and for tables that do not refer to users.
 * @param tables the service's tables that carry a `user_id`, children before their parents
 */
export function forgetUser(tables: readonly string[]): ConsumerDefinition<EventData<typeof userDeleted>> {
  return {
    durable: 'forget-user',
    event: userDeleted,
    concurrency: 1,
    batch: 10,
    ackWaitMs: 30_000,
    backoffMs: [200, 1_000, 5_000, 15_000],
    maxAttempts: 10,
    async handle(tx, events) {
      const users = events.map(({ data }) => data.user_id);
      for (const table of tables) {
        await sql`delete from ${sql.table(table)} where user_id = any(${users}::uuid[])`.execute(tx);
      }
    },
  };
}
