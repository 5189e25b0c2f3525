import { systemClock } from '@swissbrain/service-kit/clock';
import { onlyFresh } from '@swissbrain/service-kit/consumer-inbox';
import { maintainOnce } from '@swissbrain/service-kit/maintenance';
import { createShardLeases } from '@swissbrain/service-kit/outbox-leases';
import {
  markPublished,
  newestMarked,
  readBacklog,
  readSomeUnpublished,
  readUnpublished,
  unmarkAbove,
} from '@swissbrain/service-kit/outbox-store';
import { readRunEvents } from '../../../services/agent-runner/src/store/events.ts';
import { filledId } from '../filled.ts';
import { type Guards, owner, statement, type Use } from './use.ts';

const kit = 'packages/service-kit/src';
const service = { service: 'agent-runner' } as const;
const userId = filledId('user', 0);
const user = { ...service, userId } as const;
const thisMonth = `${systemClock.now().toISOString().slice(0, 7)}-01T12:00:00Z`;
const shards = Array.from({ length: 16 }, (_, shard) => shard);

/** Uses of the tables that all services share. */
export const platformUses: readonly Use[] = [
  {
    by: 'the relay: what is to be published',
    file: `${kit}/outbox-store.ts`,
    indexes: ['event_outbox_unpublished_idx'],
    as: service,
    run: async ({ database }) => {
      await readSomeUnpublished(database, shards, 100);
      await readUnpublished(
        database,
        shards.map((shard) => ({ shard })),
        { perShard: 100, total: 500 },
      );
      await readBacklog(database);
    },
  },
  {
    by: 'the relay: what has been published',
    file: `${kit}/outbox-store.ts`,
    indexes: ['event_outbox_pkey'],
    as: service,
    run: ({ database }) =>
      markPublished(
        database,
        [{ shard: 1, fence: 1n }],
        [
          {
            row: { id: filledId('event', 1), created_at: thisMonth, shard: 1 },
            streamSeq: 1,
          },
        ],
      ),
  },
  {
    by: 'the relay: what a stream that was lost should hold',
    file: `${kit}/outbox-store.ts`,
    indexes: ['event_outbox_age_idx'],
    as: service,
    run: async ({ database }) => {
      await newestMarked(database, shards, 1, null);
      await unmarkAbove(database, shards, 1, 1_000_000_000n);
    },
  },
  {
    by: 'GET /v1/runs/:id/events',
    file: 'services/agent-runner/src/store/events.ts',
    indexes: ['event_outbox_run_idx'],
    as: user,
    run: ({ tx }) => readRunEvents(tx, filledId('run', 50), 0n, 100),
  },
  {
    by: 'the inbox of a consumer',
    file: `${kit}/consumer-inbox.ts`,
    indexes: [],
    as: service,
    run: ({ tx }) => onlyFresh(tx, 'agent-runner', 'admissions', []),
  },
  {
    by: 'the inbox of an operator: has this event taken effect?',
    indexes: ['event_inbox_pkey'],
    as: service,
    run: statement(
      `SELECT processed_at FROM event_inbox WHERE source = 'agent-runner' AND consumer = 'admissions' AND event_id = $1`,
      filledId('event', 3),
    ),
  },
  {
    by: 'the maintenance: stored answers after their time',
    file: `${kit}/maintenance.ts`,
    indexes: ['api_idempotency_age_idx'],
    as: service,
    run: ({ database }) => maintainOnce(database),
  },
  {
    by: 'a request that may be a repeat',
    file: `${kit}/idempotency.ts`,
    indexes: ['api_idempotency_pkey'],
    as: user,
    run: statement(
      `SELECT request_hash, response_status, response_body FROM api_idempotency
       WHERE user_id = $1::uuid AND source = 'agent-runner' AND route = 'POST /v1/runs' AND key = 'key'`,
      userId,
    ),
  },
  {
    by: 'the leases of the outbox',
    file: `${kit}/outbox-leases.ts`,
    indexes: [],
    as: service,
    run: ({ database }) => createShardLeases(database, systemClock).renew(),
  },
  {
    by: 'the first request of a token',
    indexes: ['deleted_users_pkey'],
    as: { ...service, userId: filledId('newcomer', 0) },
    run: statement('SELECT ensure_user($1)', filledId('newcomer', 0)),
  },
  {
    by: 'the end of a user: what they take along',
    indexes: ['event_outbox_user_idx', 'deleted_users_pkey'],
    as: owner,
    run: statement('DELETE FROM auth.users WHERE id = $1', filledId('user', 40)),
  },
  {
    by: 'the upkeep of partitions',
    indexes: [],
    as: owner,
    run: statement('SELECT sb.maintain_partitions()'),
  },
];

/** What the unique indexes of the shared tables keep apart that no query uses. */
export const platformGuards: Guards = {
  outbox_shards_pkey: 'one lease per source and shard; the table has 96 rows',
  monthly_partitions_pkey: 'one entry per table; the table has a handful of rows',
};
