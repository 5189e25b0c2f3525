import { randomUUID } from 'node:crypto';
import { identifierOf, serviceNames } from '@swissbrain/shared-schema/ids';
import { createTestDatabase } from '@swissbrain/testkit/database';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { acting, foreignKeyViolation, openSession, refused, type Session, sqlState } from './acting.ts';
import { readRun, runWithSteps } from './runs.ts';

let database: Awaited<ReturnType<typeof createTestDatabase>>;
let session: Session;
const alice = randomUUID();
const mallory = randomUUID();

beforeAll(async () => {
  database = await createTestDatabase();
  session = await openSession(database.adminUrl);
});
afterAll(async () => {
  await session.end();
  await database.drop();
});

const insertRun = `INSERT INTO agent_runs (id, user_id, parent_run_id, root_run_id, kind, title, goal)
                   VALUES ($1, $2, $3, $4, 'goal', 'a run', 'a goal')`;

describe.each(['sb_agent_runner_user', 'authenticated'])('as %s', (role) => {
  it("sees its own runs and steps and nobody else's", async () => {
    const own = await runWithSteps(session, 1, { userId: alice });
    const foreign = await runWithSteps(session, 1, { userId: mallory });
    const seen = await acting(session, role, alice, (user) =>
      user.query<{ id: string; user_id: string }>('SELECT id, user_id FROM agent_runs'),
    );
    expect(seen.map(({ id }) => id)).toContain(own.runId);
    expect(seen.map(({ id }) => id)).not.toContain(foreign.runId);
    const steps = await acting(session, role, alice, (user) =>
      user.query<{ user_id: string }>('SELECT DISTINCT user_id FROM agent_steps'),
    );
    expect(steps).toEqual([{ user_id: alice }]);
  });

  it('fails without a user instead of finding nothing', async () => {
    await expect(
      acting(session, role, null, (user) => user.query('SELECT id FROM agent_runs')),
    ).rejects.toMatchObject(refused);
  });
});

describe('a transaction of a user', () => {
  it('writes its own rows', async () => {
    const id = randomUUID();
    await acting(session, 'sb_agent_runner_user', alice, async (user) => {
      await user.query(insertRun, [id, alice, null, id]);
      await user.query('UPDATE agent_runs SET cancel_requested_at = now() WHERE id = $1', [id]);
    });
    expect(await readRun(session, id)).toMatchObject({ status: 'pending' });
  });

  it("writes no row in another user's name and changes none of theirs", async () => {
    const id = randomUUID();
    await expect(
      acting(session, 'sb_agent_runner_user', mallory, (user) =>
        user.query(insertRun, [id, alice, null, id]),
      ),
    ).rejects.toMatchObject(refused);
    const { runId } = await runWithSteps(session, 1, { userId: alice });
    const changed = await acting(session, 'sb_agent_runner_user', mallory, (user) =>
      user.query('UPDATE agent_runs SET cancel_requested_at = now() WHERE id = $1 RETURNING id', [runId]),
    );
    expect(changed).toEqual([]);
    await expect(
      acting(session, 'sb_agent_runner_user', alice, (user) =>
        user.query('UPDATE agent_runs SET user_id = $2 WHERE id = $1', [runId, mallory]),
      ),
    ).rejects.toMatchObject(refused);
  });

  it('hangs nothing on a run or a step of another user', async () => {
    const { runId } = await runWithSteps(session, 1, { userId: alice });
    const own = await runWithSteps(session, 0, { userId: mallory, planningDone: false });
    const [step] = await session.query<{ id: string }>('SELECT id FROM agent_steps WHERE run_id = $1', [
      runId,
    ]);
    const attempt = (sql: string, values: unknown[]) =>
      expect(
        acting(session, 'sb_agent_runner_user', mallory, (user) => user.query(sql, values)),
      ).rejects.toMatchObject(foreignKeyViolation);
    await attempt(insertRun, [randomUUID(), mallory, runId, runId]);
    await attempt(
      `INSERT INTO agent_steps (run_id, user_id, step_index, step_key, tool, name) VALUES ($1, $2, 7, 'x', 'code', 'x')`,
      [runId, mallory],
    );
    await attempt(
      `INSERT INTO agent_messages (run_id, user_id, message_index, role, content, step_id) VALUES ($1, $2, 0, 'user', '{}', $3)`,
      [own.runId, mallory, step?.id],
    );
    await attempt(
      `INSERT INTO agent_artifacts (run_id, user_id, step_id, kind, name, media_type, size_bytes, sha256, storage_key)
       VALUES ($1, $2, $3, 'output', 'a', 'text/plain', 0, repeat('0', 64), 'k')`,
      [own.runId, mallory, step?.id],
    );
    await attempt(`INSERT INTO agent_memory (user_id, run_id, key, content) VALUES ($2, $1, 'k', 'c')`, [
      runId,
      mallory,
    ]);
  });

  it('draws on no other hold than that of its own root', async () => {
    const first = await runWithSteps(session, 0, { userId: alice, planningDone: false });
    const second = await runWithSteps(session, 0, { userId: alice, planningDone: false });
    await expect(
      session.query(insertRun, [randomUUID(), alice, first.runId, second.runId]),
    ).rejects.toMatchObject(foreignKeyViolation);
    await expect(session.query(insertRun, [randomUUID(), alice, null, second.runId])).rejects.toMatchObject(
      sqlState('23514'),
    );
    await session.query(insertRun, [randomUUID(), alice, first.runId, first.runId]);
  });
});

describe('events', () => {
  const append = (source: string, userId: string) =>
    `INSERT INTO event_outbox (source, aggregate_type, aggregate_id, aggregate_seq, type, user_id, root_id, data)
     VALUES ('${source}', 'run', gen_random_uuid(), 1, 'run.requested', '${userId}', gen_random_uuid(), '{}')`;

  it.each(serviceNames)('are appended and read by %s under its own name only', async (service) => {
    const role = `sb_${identifierOf(service)}`;
    const other = service === 'credits' ? 'collab' : 'credits';
    const as = (name: string, sql: string) => acting(session, name, alice, (inside) => inside.query(sql));
    await as(role, append(service, mallory));
    await as(`${role}_user`, append(service, alice));
    await expect(as(role, append(other, alice))).rejects.toMatchObject(refused);
    await expect(as(`${role}_user`, append(other, alice))).rejects.toMatchObject(refused);
    await expect(as(`${role}_user`, append(service, mallory))).rejects.toMatchObject(refused);

    const sources = 'SELECT DISTINCT source, user_id FROM event_outbox ORDER BY user_id';
    expect(await as(`${role}_user`, sources)).toEqual([{ source: service, user_id: alice }]);
    expect((await as(role, sources)).length).toBe(2);
    expect(await as(role, `SELECT DISTINCT source FROM outbox_shards`)).toEqual([{ source: service }]);
    await expect(as(role, 'UPDATE event_outbox SET data = data')).rejects.toMatchObject(refused);
    await as(role, 'UPDATE event_outbox SET published_at = now(), stream_seq = 1');

    const inbox = (source: string) =>
      `INSERT INTO event_inbox (source, consumer, event_id, event_time) VALUES ('${source}', 'c', gen_random_uuid(), now())`;
    await as(role, inbox(service));
    await expect(as(role, inbox(other))).rejects.toMatchObject(refused);
    await expect(as(`${role}_user`, inbox(service))).rejects.toMatchObject(refused);
  });

  it('are not passed around the policies through a partition', async () => {
    const [partition] = await session.query<{ name: string }>(
      `SELECT min(relid::regclass::text) AS name FROM pg_partition_tree('event_outbox') WHERE isleaf`,
    );
    for (const role of ['sb_agent_runner', 'sb_agent_runner_user', 'authenticated', 'anon']) {
      await expect(
        acting(session, role, alice, (inside) => inside.query(`SELECT * FROM ${partition?.name}`)),
      ).rejects.toMatchObject(refused);
    }
  });
});

describe('roles', () => {
  it('never pass row-level security', async () => {
    const passing = await session.query(
      `SELECT rolname FROM pg_roles WHERE rolname ~ '^sb_(agent_runner|credits|connectors|wide_research|scheduler|collab)' AND (rolsuper OR rolbypassrls)`,
    );
    expect(passing).toEqual([]);
  });

  it.each(serviceNames)('of %s: the login has no rights but to become the other two', async (service) => {
    const login = `sb_${identifierOf(service)}_login`;
    const [role] = await session.query(
      `SELECT rolcanlogin, rolinherit, array(SELECT DISTINCT roleid::regrole::text FROM pg_auth_members WHERE member = r.oid ORDER BY 1) AS member_of
       FROM pg_roles r WHERE rolname = $1`,
      [login],
    );
    const own = `sb_${identifierOf(service)}`;
    expect(role).toEqual({ rolcanlogin: true, rolinherit: false, member_of: [own, `${own}_user`] });
    const granted = await session.query(
      `SELECT c.oid::regclass FROM pg_class c, aclexplode(c.relacl) a WHERE a.grantee = $1::regrole`,
      [login],
    );
    expect(granted).toEqual([]);
  });

  it('have grants on no slice but their own', async () => {
    const shared = ['event_outbox', 'event_inbox', 'outbox_shards', 'api_idempotency'];
    const crossing = await session.query<{ table: string; roles: string[] }>(
      `SELECT c.oid::regclass::text AS table, array_agg(DISTINCT regexp_replace(a.grantee::regrole::text, '_user$', '')) AS roles
       FROM pg_class c, aclexplode(c.relacl) a
       WHERE c.relnamespace = 'public'::regnamespace AND a.grantee <> 0 AND a.grantee::regrole::text ~ '^sb_'
         AND c.relname <> ALL ($1)
       GROUP BY c.oid HAVING count(DISTINCT regexp_replace(a.grantee::regrole::text, '_user$', '')) > 1`,
      [shared],
    );
    expect(crossing).toEqual([]);
  });

  it('of end users read at most', async () => {
    const more = await session.query(
      `SELECT c.oid::regclass::text AS object, a.grantee::regrole::text AS role, a.privilege_type
       FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace, aclexplode(c.relacl) a
       WHERE n.nspname IN ('public', 'sb', 'sb_partitions') AND a.privilege_type <> 'SELECT'
         AND (a.grantee = 0 OR a.grantee::regrole::text IN ('anon', 'authenticated', 'service_role'))`,
    );
    expect(more).toEqual([]);
  });

  it("of end users run no function but those that policies call, out of reach of Supabase's API", async () => {
    const runnable = await session.query<{ name: string; schema: string }>(
      `SELECT DISTINCT p.oid::regprocedure::text AS name, n.nspname AS schema
       FROM pg_proc p JOIN pg_namespace n ON n.oid = p.pronamespace, unnest(ARRAY['anon', 'authenticated']) AS role
       WHERE n.nspname IN ('public', 'sb') AND has_function_privilege(role, p.oid, 'EXECUTE')
         AND NOT EXISTS (SELECT FROM pg_depend d WHERE d.objid = p.oid AND d.deptype = 'e')`,
    );
    const policies = await session.query<{ text: string }>(
      `SELECT concat(qual, with_check) AS text FROM pg_policies WHERE schemaname = 'public'`,
    );
    const loose = runnable.filter(
      ({ name, schema }) =>
        schema !== 'sb' || !policies.some(({ text }) => text.includes(name.replace(/\(.*$/, '('))),
    );
    expect(loose).toEqual([]);
  });
});
