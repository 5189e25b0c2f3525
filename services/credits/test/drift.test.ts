import { randomUUID } from 'node:crypto';
import { runRequested } from '@swissbrain/shared-schema/events/agent-runner';
import { identifierOf } from '@swissbrain/shared-schema/ids';
import { readRunStates } from '@swissbrain/shared-schema/rpc/agent-runner';
import { rpcSubject } from '@swissbrain/shared-schema/rpc/definition';
import { mintToken } from '@swissbrain/testkit/tokens';
import { waitFor } from '@swissbrain/testkit/wait';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { type CreditsUnderTest, startCredits } from './service-fixture.ts';

let credits: CreditsUnderTest;
/** What agent-runner would say of a run; it knows no other. */
const runs = new Map<string, { status: string; billable_steps: number; ended_seconds_ago: number | null }>();
beforeAll(async () => {
  credits = await startCredits({ DRIFT_SWEEP_MS: '100', DRIFT_GRACE_SECONDS: '0.2' });
  credits.connection.subscribe(rpcSubject(readRunStates), {
    queue: identifierOf('agent-runner'),
    callback: (_error, message) => {
      const { run_ids: ids } = message.json<{ run_ids: string[] }>();
      const known = ids.flatMap((id) => {
        const run = runs.get(id);
        return run ? [{ run_id: id, ...run }] : [];
      });
      message.respond(JSON.stringify({ runs: known }));
    },
  });
});
afterAll(() => credits?.stop());

async function heldRun(): Promise<{ user: string; run: string }> {
  const [user, run] = [randomUUID(), randomUUID()];
  await credits.database.query('INSERT INTO auth.users (id) VALUES ($1)', [user]);
  const data = {
    ...{
      run_id: run,
      root_run_id: run,
      parent_run_id: null,
      tenant_id: null,
      mode: 'playbook',
      title: 'a test',
    },
    ...{ estimate: [{ operation: 'web.search', quantity: '10' }], budget_micro: null },
  };
  await credits.publish(runRequested, { user, run, data });
  await waitFor(
    async () =>
      (
        await credits.database.query(
          `SELECT FROM credit_reservations WHERE run_id = $1 AND state = 'active'`,
          [run],
        )
      ).length,
    { describe: 'the hold' },
  );
  return { user, run };
}

async function driftOf(of: string, scope = 'operator') {
  const token = await mintToken({ claims: { scope } });
  const answer = await fetch(`${credits.url}/v1/admin/drift?of=${of}`, {
    headers: { authorization: `Bearer ${token}` },
  });
  return { status: answer.status, body: (await answer.json()) as { items: Record<string, unknown>[] } };
}
/** The last round's number of findings. */
async function metric(kind: string): Promise<number> {
  const text = await (await fetch(`${credits.url}/metrics`)).text();
  const line = text
    .split('\n')
    .find((one) => one.startsWith('credits_drift{') && one.includes(`kind="${kind}"`));
  return Number(line?.split(' ').at(-1));
}
const metricIs = (kind: string, value: number) =>
  waitFor(async () => (await metric(kind)) === value, { describe: `credits_drift{kind="${kind}"} ${value}` });

test('a hold is compared with its run each round: an unknown run, an ended run, missing steps', async () => {
  const { user, run } = await heldRun();
  runs.set(run, { status: 'running', billable_steps: 0, ended_seconds_ago: null });
  await metricIs('hold', 0);
  expect((await driftOf('hold')).body.items).toEqual([]);

  runs.set(run, { status: 'cancelled', billable_steps: 0, ended_seconds_ago: 5 });
  await metricIs('hold', 1);
  expect((await driftOf('hold')).body.items).toMatchObject([
    {
      kind: 'hold',
      user_id: user,
      run_id: run,
      what: 'a hold is open and its run has ended',
      expected: 'cancelled',
    },
  ]);

  runs.delete(run);
  await waitFor(async () => /not there/.test(String((await driftOf('hold')).body.items[0]?.what)));

  await credits.database.query(`SELECT * FROM record_closing($1, 'run.completed', 0, '{}')`, [run]);
  runs.set(run, { status: 'completed', billable_steps: 2, ended_seconds_ago: 5 });
  await waitFor(async () =>
    /steps .* not recorded/.test(String((await driftOf('hold')).body.items[0]?.what)),
  );
  runs.set(run, { status: 'completed', billable_steps: 0, ended_seconds_ago: 5 });
  await metricIs('hold', 0);
});

test('an account that does not follow from its ledger is found, and the first wrong entry named', async () => {
  const { user, run } = await heldRun();
  runs.set(run, { status: 'running', billable_steps: 0, ended_seconds_ago: null });
  await metricIs('ledger', 0);
  const [entry] = await credits.database.query<{ id: string }>(
    `SELECT id FROM credit_transactions WHERE user_id = $1 AND kind = 'reserve'`,
    [user],
  );
  const tamper = (by: number) =>
    credits.database.query(
      `BEGIN; SET LOCAL session_replication_role = replica;
       UPDATE credit_transactions SET hold_micro = hold_micro + ${by} WHERE id = '${entry?.id}'; COMMIT`,
    );
  await tamper(1);
  await waitFor(async () => (await metric('ledger')) > 0, { describe: 'the finding in the metrics' });
  const { body } = await driftOf('ledger');
  expect(body.items[0]).toMatchObject({ kind: 'ledger', user_id: user, transaction_id: entry?.id });
  await tamper(-1);
  await metricIs('ledger', 0);
  expect((await driftOf('ledger')).body.items).toEqual([]);
});

test('is for operators alone', async () => {
  expect((await driftOf('ledger', 'profile')).status).toBe(403);
  expect((await driftOf('nonsense')).status).toBe(400);
});
