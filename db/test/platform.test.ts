import { randomUUID } from 'node:crypto';
import { userCreated, userDeleted } from '@swissbrain/shared-schema/events/credits';
import { createTestDatabase } from '@swissbrain/testkit/database';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { acting, openSession, refused, type Session, sqlState } from './acting.ts';

let database: Awaited<ReturnType<typeof createTestDatabase>>;
let session: Session;

beforeAll(async () => {
  database = await createTestDatabase();
  session = await openSession(database.adminUrl);
});
afterAll(async () => {
  await session.end();
  await database.drop();
});

// A server that was given may be any that is supported.
it.skipIf(process.env['TEST_DATABASE_URL'] !== undefined)(
  'are tests of the release that was asked for',
  async () => {
    const [server] = await session.query(
      `SELECT current_setting('server_version_num')::int / 10000 AS release`,
    );
    expect(server).toEqual({ release: Number(process.env['SWISSBRAIN_POSTGRES_RELEASE'] ?? 18) });
  },
);

describe('partitions by month', () => {
  const lastMonths = `SELECT count(*)::int AS count FROM pg_partition_tree('event_outbox') WHERE isleaf`;

  it('are there for this month and the months ahead, and a default', async () => {
    expect(await session.query(lastMonths)).toEqual([{ count: 5 }]);
  });

  it('are closed to everyone and have row-level security', async () => {
    const open = await session.query(
      `SELECT c.oid::regclass FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace
       WHERE n.nspname = 'sb_partitions' AND c.relkind = 'r'
         AND (NOT c.relrowsecurity
              OR EXISTS (SELECT FROM aclexplode(c.relacl) a WHERE a.grantee <> c.relowner))`,
    );
    expect(open).toEqual([]);
  });

  it('are created by any service, and take the rows that came before them', async () => {
    const userId = randomUUID();
    const insert = (createdAt: string) =>
      session.query(
        `INSERT INTO event_outbox (source, aggregate_type, aggregate_id, aggregate_seq, type, user_id, root_id, data, created_at)
         VALUES ('collab', 'run', $1, 1, 'run.requested', $1, $1, '{}', ${createdAt})`,
        [userId],
      );
    // Months that no one has prepared: rows go to the default partition.
    await insert(`date_trunc('month', now()) + interval '5 months 3 days'`);
    await insert(`date_trunc('month', now()) + interval '9 months'`);
    await session.query(
      `UPDATE sb.monthly_partitions SET months_ahead = 6 WHERE table_name = 'event_outbox'`,
    );
    await acting(session, 'sb_collab', null, (service) => service.query('SELECT sb.ensure_partitions()'));
    await acting(session, 'sb_credits', null, (service) => service.query('SELECT sb.ensure_partitions()'));

    expect(await session.query(lastMonths)).toEqual([{ count: 8 }]);
    const places = await session.query<{ partition: string; shard: number }>(
      `SELECT regexp_replace(tableoid::regclass::text, '\\d{4}_\\d\\d$', 'month') AS partition, shard
       FROM event_outbox WHERE user_id = $1 ORDER BY created_at`,
      [userId],
    );
    expect(places.map(({ partition }) => partition)).toEqual([
      'sb_partitions.event_outbox_month',
      'sb_partitions.event_outbox_default',
    ]);
    expect(places[0]?.shard).toBe(Number.parseInt(userId.slice(-1), 16));
  });

  it('are not created by users', async () => {
    await expect(
      acting(session, 'sb_collab_user', randomUUID(), (user) => user.query('SELECT sb.ensure_partitions()')),
    ).rejects.toMatchObject(refused);
  });
});

describe('users', () => {
  const ensure = (userId: string, claimed = userId) =>
    acting(session, 'sb_agent_runner_user', claimed, (user) =>
      user.query<{ created: boolean }>('SELECT ensure_user($1) AS created', [userId]),
    );
  const facts = (userId: string) =>
    session.query<{ type: string; aggregate_seq: string; source: string; data: unknown }>(
      'SELECT type, aggregate_seq, source, data FROM event_outbox WHERE user_id = $1 ORDER BY aggregate_seq',
      [userId],
    );

  it('are born once, with a fact that credits relays', async () => {
    const userId = randomUUID();
    expect(await ensure(userId)).toEqual([{ created: true }]);
    expect(await ensure(userId)).toEqual([{ created: false }]);
    const [fact, ...more] = await facts(userId);
    expect(more).toEqual([]);
    expect(fact).toMatchObject({ type: 'user.created', aggregate_seq: '1', source: 'credits' });
    expect(userCreated.data.parse(fact?.data)).toEqual({ user_id: userId });
  });

  it('are born once by two first requests at the same time', async () => {
    const userId = randomUUID();
    const sessions = await Promise.all([openSession(database.adminUrl), openSession(database.adminUrl)]);
    const created = await Promise.all(
      sessions.map((own) =>
        acting(own, 'sb_credits_user', userId, (user) =>
          user.query<{ created: boolean }>('SELECT ensure_user($1) AS created', [userId]),
        ),
      ),
    );
    await Promise.all(sessions.map((own) => own.end()));
    expect(created.flat().filter(({ created: isNew }) => isNew)).toHaveLength(1);
    expect(await facts(userId)).toHaveLength(1);
  });

  it('vouch for themselves only', async () => {
    await expect(ensure(randomUUID(), randomUUID())).rejects.toMatchObject(refused);
  });

  it('once deleted are not born again by a token that is still valid', async () => {
    const userId = randomUUID();
    await ensure(userId);
    await session.query('DELETE FROM auth.users WHERE id = $1', [userId]);
    const deleted = (await facts(userId))[1];
    expect(deleted).toMatchObject({ type: 'user.deleted', aggregate_seq: '2' });
    expect(userDeleted.data.parse(deleted?.data)).toEqual({ user_id: userId });
    await expect(ensure(userId)).rejects.toMatchObject(sqlState('28000'));
    expect(await session.query('SELECT id FROM auth.users WHERE id = $1', [userId])).toEqual([]);
  });

  it('are read from claims as Supabase reads them', async () => {
    const userId = randomUUID();
    await session.query('BEGIN');
    await session.query(`SELECT set_config('request.jwt.claims', $1, true)`, [
      JSON.stringify({ sub: userId, role: 'authenticated' }),
    ]);
    const [read] = await session.query(
      'SELECT auth.uid() AS uid, auth.role() AS role, sb.current_user_id() AS own',
    );
    await session.query('ROLLBACK');
    expect(read).toEqual({ uid: userId, role: 'authenticated', own: userId });
  });
});

describe('leases of the outbox', () => {
  it('are there for each service and shard, and cannot be added or taken away', async () => {
    const shards = await session.query(
      'SELECT source, count(*)::int AS shards FROM outbox_shards GROUP BY source ORDER BY source',
    );
    expect(shards).toEqual(
      ['agent-runner', 'collab', 'connectors', 'credits', 'scheduler', 'wide-research'].map((source) => ({
        source,
        shards: 16,
      })),
    );
    const asCollab = (sql: string) => acting(session, 'sb_collab', null, (service) => service.query(sql));
    await expect(asCollab('DELETE FROM outbox_shards')).rejects.toMatchObject(refused);
    await asCollab(`UPDATE outbox_shards SET owner = 'me', fence = fence + 1, lease_until = now()`);
    expect(await session.query(`SELECT DISTINCT source FROM outbox_shards WHERE owner = 'me'`)).toEqual([
      { source: 'collab' },
    ]);
  });
});
