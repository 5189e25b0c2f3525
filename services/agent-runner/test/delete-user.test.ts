import { randomUUID } from 'node:crypto';
import { readdir } from 'node:fs/promises';
import { join } from 'node:path';
import { userDeleted } from '@swissbrain/shared-schema/events/credits';
import { type DeletionView, deletionView, runPage } from '@swissbrain/shared-schema/http/agent-runner';
import { openServiceDatabase } from '@swissbrain/testkit/service-database';
import { waitFor } from '@swissbrain/testkit/wait';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { forgetsUser } from '../src/consumers/users.ts';
import { deleteUser } from '../src/store/deletions.ts';
import { createGate, gateStep } from './support/gate.ts';
import { newUser, playbookOf, type Runner, startRunner, type User } from './support/runner.ts';
import { startWorkerProcess } from './support/worker-process.ts';

let runner: Runner;
const gate = createGate();
beforeAll(async () => {
  runner = await startRunner({
    extraTools: [gate.tool],
    overrides: { REMOVAL_POLL_MS: '100', REMOVAL_SETTLE_SECONDS: '0' },
  });
});
afterAll(() => runner?.stop());

const confirmed = { confirm: 'delete everything' };
const leave = (user: User, body: unknown = confirmed, key: string = randomUUID()) =>
  user.request('DELETE', '/v1/me', body, { 'idempotency-key': key });
const progress = async (user: User) => {
  const answer = await user.request('GET', '/v1/me/deletion');
  expect(answer.status).toBe(200);
  return deletionView.parse(await answer.json());
};
const gone = (user: User): Promise<DeletionView> =>
  waitFor(
    async () => {
      const seen = await progress(user);
      return seen.status === 'done' ? seen : undefined;
    },
    { timeoutMs: 120_000, describe: `the end of user ${user.id}` },
  );

/** An event that is still on its way outlives a user who is deleted elsewhere, until the outbox drops its month. */
const eventsPublished = (user: User) =>
  waitFor(
    async () => {
      const waiting = await runner.database.query(
        `SELECT 1 FROM event_outbox WHERE user_id = $1 AND source = 'agent-runner' AND published_at IS NULL`,
        [user.id],
      );
      return waiting.length === 0;
    },
    { describe: 'the events to be published' },
  );

/** What must outlive a user: the ledger, the events that tell others, the mark and the record of the deletion. */
const kept = new Set([
  ...[
    'credit_audit',
    'credit_balances',
    'credit_grants',
    'credit_idempotency',
    'credit_reservations',
    'credit_transactions',
  ],
  ...['user_subscriptions', 'deleted_users', 'agent_user_deletions'],
]);

/** Every table with rows of this user, by every column of any table that names users. */
async function traces(userId: string): Promise<string[]> {
  const columns = await runner.database.query<{ name: string; table: string; column: string }>(`
    SELECT format('%I.%I', n.nspname, c.relname) AS table, c.relname AS name, a.attname AS column
    FROM pg_attribute a JOIN pg_class c ON c.oid = a.attrelid JOIN pg_namespace n ON n.oid = c.relnamespace
    WHERE n.nspname IN ('public', 'sb', 'auth') AND c.relkind IN ('r', 'p') AND a.attnum > 0
      AND (a.attname IN ('user_id', 'owner_id', 'actor_id', 'created_by') OR n.nspname = 'auth' AND a.attname = 'id')
      AND a.atttypid = 'uuid'::regtype`);
  expect(columns.length).toBeGreaterThan(20);
  const found: string[] = [];
  for (const { name, table, column } of columns.filter((one) => !kept.has(one.name))) {
    const ours = name === 'event_outbox' ? " AND source <> 'credits'" : '';
    const rows = await runner.database.query(`SELECT 1 FROM ${table} WHERE ${column} = $1${ours} LIMIT 1`, [
      userId,
    ]);
    if (rows.length > 0) found.push(`${table}.${column}`);
  }
  return found;
}

/** Files of this user in the store. */
async function files(userId: string): Promise<string[]> {
  const all = await readdir(join(runner.directory, 'artifacts'), { recursive: true });
  return all.filter((path) => path.includes(userId));
}

async function fill(user: User) {
  const write = { action: 'write', path: 'a.txt', content: `of ${user.id}` };
  const done = await user.create({
    ...playbookOf([{ id: 'a', tool: 'file', with: write, artifacts: ['a.txt'] }], {
      inputs: { csv: { type: 'file' } },
    }),
    inputs: { csv: { filename: 'data.csv', content_base64: Buffer.from('a,b').toString('base64') } },
  });
  await user.ended(done.id);
  await runner.database.query(
    `INSERT INTO agent_memory (user_id, run_id, key, content) VALUES ($1, $2, $3, 'blue')`,
    [user.id, done.id, `colour ${done.id}`],
  );
  expect(await files(user.id)).not.toEqual([]);
}

describe('a user who leaves', () => {
  it('is gone from every table of every slice and from the store, with the runs under way; others stay', async () => {
    const [user, other] = [await newUser(runner.url), await newUser(runner.url)];
    await Promise.all([fill(user), fill(other)]);
    await user.create(playbookOf([gateStep('a', `never ${user.id}`)]));
    await waitFor(() => gate.begun.some(({ name }) => name === `never ${user.id}`) || undefined);
    expect(await traces(user.id)).toContain('public.agent_runs.user_id');

    const key = randomUUID();
    const answer = await leave(user, confirmed, key);
    expect(answer.status).toBe(202);
    expect(answer.headers.get('location')).toBe('/v1/me/deletion');
    const asked = deletionView.parse(await answer.json());
    expect(asked).toMatchObject({ status: 'under_way', finished_at: null });

    const ended = await gone(user);
    expect(ended).toMatchObject({ id: asked.id, runs_cancelled: 1, runs_deleted: 2 });
    expect(ended.files_deleted).toBeGreaterThanOrEqual(2);
    expect(await traces(user.id)).toEqual([]);
    expect(await files(user.id)).toEqual([]);

    expect(await files(other.id)).not.toEqual([]);
    const runs = runPage.parse(await (await other.request('GET', '/v1/runs')).json());
    expect(runs.items).toHaveLength(1);
  });

  it('can have nothing made any more, from the moment of the request', async () => {
    const user = await newUser(runner.url);
    await leave(user);
    const refused = await user.request('POST', '/v1/runs', playbookOf([gateStep('a', 'pass')]), {
      'idempotency-key': randomUUID(),
    });
    expect([401, 403]).toContain(refused.status);
    await gone(user);
    expect(await traces(user.id)).toEqual([]);
  });

  it('asks in clear words and with a key, and can look before there is anything to see', async () => {
    const user = await newUser(runner.url);
    const problem = async (answer: Response) => (await answer.json()) as { code: string };
    expect(await problem(await user.request('GET', '/v1/me/deletion'))).toMatchObject({
      code: 'deletion_not_found',
    });
    for (const body of [{}, { confirm: 'yes' }, { confirm: true }, { ...confirmed, user_id: randomUUID() }]) {
      const answer = await leave(user, body);
      expect(answer.status, JSON.stringify(body)).toBe(400);
    }
    const keyless = await user.request('DELETE', '/v1/me', confirmed);
    expect(await problem(keyless)).toMatchObject({ code: 'idempotency_key_required' });
    const nobody = await fetch(new URL('/v1/me', runner.url), { method: 'DELETE' });
    expect(nobody.status).toBe(401);
    expect(await traces(user.id)).not.toEqual([]);
  });

  it('asks ten times at once and is removed once', async () => {
    const user = await newUser(runner.url);
    await fill(user);
    const answers = await Promise.all(Array.from({ length: 10 }, () => leave(user)));
    for (const { status } of answers) expect([202, 401]).toContain(status);
    expect(answers.some(({ status }) => status === 202)).toBe(true);
    await gone(user);
    const rows = await runner.database.query('SELECT 1 FROM agent_user_deletions WHERE user_id = $1', [
      user.id,
    ]);
    expect(rows).toHaveLength(1);
  });
});

describe('the removal of a user', () => {
  it('goes on from every stage, as if a process had died in it', async () => {
    for (const stage of ['runs', 'files', 'rows', 'rest']) {
      const user = await newUser(runner.url);
      await fill(user);
      await runner.database.query(`INSERT INTO agent_user_deletions (user_id, stage) VALUES ($1, $2)`, [
        user.id,
        stage,
      ]);
      // In `rest` the user has been deleted already.
      if (stage === 'rest') {
        await eventsPublished(user);
        await runner.database.query('DELETE FROM auth.users WHERE id = $1', [user.id]);
      }
      await gone(user);
      expect(await traces(user.id), stage).toEqual([]);
      expect(await files(user.id), stage).toEqual([]);
    }
  });

  it('follows a user who was deleted elsewhere: their files go, too, however often the event comes', async () => {
    const user = await newUser(runner.url);
    await fill(user);
    await eventsPublished(user);
    await runner.database.query('DELETE FROM auth.users WHERE id = $1', [user.id]);
    const database = openServiceDatabase('agent-runner', runner.database);
    const consumer = forgetsUser(() => {});
    expect(consumer.event).toBe(userDeleted);
    const event = { data: { user_id: user.id } } as Parameters<typeof consumer.handle>[1][number];
    try {
      await database.withService((tx) => consumer.handle(tx, [event, event]));
      await gone(user);
      await database.withService((tx) => consumer.handle(tx, [event]));
    } finally {
      await database.close();
    }
    expect(await progress(user)).toMatchObject({ status: 'done', runs_deleted: 0 });
    expect(await files(user.id)).toEqual([]);
    expect(await traces(user.id)).toEqual([]);
  });

  it('is refused by the database for a user who has not asked', async () => {
    const user = await newUser(runner.url);
    await fill(user);
    const database = openServiceDatabase('agent-runner', runner.database);
    try {
      await expect(database.withService((tx) => deleteUser(tx, user.id))).rejects.toThrow(/nobody has asked/);
    } finally {
      await database.close();
    }
    expect(await traces(user.id)).not.toEqual([]);
  });

  it('survives kill -9 of the process that does it', async () => {
    const user = await newUser(runner.url);
    for (let made = 0; made < 3; made += 1) await fill(user);
    const own = { ...runner.environment, PORT: '0', RUN_CONCURRENCY: '1', REMOVAL_POLL_MS: '20' };
    for (let kills = 0; kills < 2; kills += 1) {
      const worker = await startWorkerProcess(own);
      if (kills === 0) expect((await leave(await newUser(worker.url, user.id))).status).toBe(202);
      await worker.kill();
    }
    await gone(user);
    expect(await traces(user.id)).toEqual([]);
    expect(await files(user.id)).toEqual([]);
  }, 180_000);
});
