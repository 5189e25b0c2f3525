import { randomUUID } from 'node:crypto';
import { createContext } from '@swissbrain/cli/context';
import { runCli } from '@swissbrain/cli/program';
import { systemClock } from '@swissbrain/service-kit/clock';
import { runCompleted, runRequested, stepCompleted } from '@swissbrain/shared-schema/events/agent-runner';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { newUser, operatorToken } from './api-fixture.ts';
import { closingOf, looksInto, requestOf, stepOf, tenSearches } from './run-fixture.ts';
import { type CreditsUnderTest, startCredits } from './service-fixture.ts';

let credits: CreditsUnderTest;
let [user, token, operator] = ['', '', ''];
const run = randomUUID();
beforeAll(async () => {
  credits = await startCredits({ DRIFT_SWEEP_MS: '3600000' });
  ({ user, token } = await newUser(credits.url));
  operator = await operatorToken();
  const step = randomUUID();
  await credits.publish(runRequested, { user, run, data: requestOf(run, tenSearches) });
  await holdIn(run, 'active');
  await credits.publish(stepCompleted, { user, run, data: stepOf(run, step, 3) });
  await credits.publish(runCompleted, { user, run, data: closingOf(run, [step]) });
  await holdIn(run, 'settled');
});
afterAll(() => credits?.stop());
const { holdIn, query } = looksInto(() => credits);

async function cli(environment: Readonly<Record<string, string>>, line: string, ...more: readonly string[]) {
  let [out, err] = ['', ''];
  const sink = (write: (text: string) => void) => ({ isTty: false, columns: 200, write });
  const context = createContext({
    stdout: sink((text) => {
      out += text;
    }),
    stderr: sink((text) => {
      err += text;
    }),
    environment,
    ...{ directory: import.meta.dirname, root: '/nowhere', clock: systemClock, yieldProcessor: () => {} },
    signal: new AbortController().signal,
  });
  const code = await runCli([...line.split(' '), ...more], context);
  return { code, out, err };
}
const asUser = (line: string, ...more: readonly string[]) =>
  cli({ SWISSBRAIN_URL: credits.url, SWISSBRAIN_TOKEN: token }, line, ...more);
const asOperator = (line: string, ...more: readonly string[]) =>
  cli({ SWISSBRAIN_SERVICE_URLS: `credits=${credits.url}`, SWISSBRAIN_TOKEN: operator }, line, ...more);

describe('swissbrain credits', () => {
  test('shows the balance, and the ledger page by page', async () => {
    const { code, out } = await asUser('credits');
    expect(code).toBe(0);
    expect(out).toMatch(/^97 credits available, 0 held {2}free, until /);
    expect(out).toMatch(/^ledger$/m);
    const first = await asUser('credits transactions --limit 2');
    expect(first.out).toMatch(/release/);
    const next = /more: swissbrain (credits transactions --limit 2 --cursor \S+)$/m.exec(first.out)?.[1];
    const second = await asUser(next ?? '');
    expect(second.out).toMatch(/reserve[\s\S]*grant/);
    expect(second.out).not.toContain('more:');
    const { items } = JSON.parse((await asUser('credits transactions --json')).out) as { items: object[] };
    expect(items).toHaveLength(4);
  });

  test.each([
    ['day', /^ {2}\d{4}-\d\d-\d\d {2}3 credits {2}1 entry$/m],
    ['tool', /^ {2}search {2}3 credits {2}1 entry$/m],
    ['run', new RegExp(`^ {2}${run} {2}3 credits {2}1 entry$`, 'm')],
    ['model', /^Nothing was used\. {2}by model, /m],
  ])('adds usage up by %s', async (group, line) => {
    const { code, out } = await asUser(`credits usage --by ${group}`);
    expect(code).toBe(0);
    expect(out).toMatch(line);
  });

  test('asks for usage of a time, in a zone', async () => {
    expect((await asUser('credits usage --from 2020-01-01 --to 2020-01-02')).out).toMatch(
      /^Nothing was used/,
    );
    const { out } = await asUser('credits usage --time-zone Asia/Tokyo --json');
    expect(JSON.parse(out)).toMatchObject({ group_by: 'day', time_zone: 'Asia/Tokyo' });
  });

  test('exports every entry as CSV', async () => {
    const { code, out } = await asUser('credits usage --csv');
    expect(code).toBe(0);
    const [head, entry, end] = out.split('\r\n');
    expect(head).toBe('time,run_id,step_id,operation,quantity,cost,charged');
    expect(entry).toMatch(new RegExp(`,${run},[0-9a-f-]{36},web\\.search,3,3,3$`));
    expect(end).toBe('');
  });

  test('estimates, and ends with 1 where it would be denied', async () => {
    const fits = await asUser('credits estimate --research 4');
    expect([fits.code, fits.out]).toEqual([0, expect.stringMatching(/wide_research.item +4 +20 credits/)]);
    expect(fits.out).toContain('would start, holding 20 of 97 available');
    const denied = await asUser('credits estimate --research 4 --json --budget 0');
    expect([denied.code, JSON.parse(denied.out)]).toEqual([1, expect.objectContaining({ allowed: false })]);
  });

  test.each([
    ['credits estimate'],
    ['credits estimate --research 4 --goal x'],
    ['credits estimate --research many'],
    ['credits usage --by colour'],
    ['credits usage --csv --json'],
    ['credits transactions --limit x'],
  ])('ends with 2 for %s', async (line) => {
    expect(await asUser(line)).toMatchObject({ code: 2, out: '' });
  });

  test('ends with 4 and the problem where the API refuses', async () => {
    const { code, err } = await asUser('credits usage --from yesterday');
    expect([code, err]).toEqual([4, expect.stringContaining('400 invalid_request')]);
    expect((await asUser('credits usage --csv --from yesterday')).code).toBe(4);
  });
});

describe('swissbrain accounts', () => {
  test('grants once under a key, shows, adjusts, refunds and verifies', async () => {
    const grant = () =>
      asOperator(`accounts grant ${user} 12.5 --kind promotional --key g1 --reason`, 'was unlucky');
    const granted = await grant();
    expect(granted).toMatchObject({ code: 0, err: '' });
    expect(granted.out).toMatch(/^account\.grant /);
    expect(granted.out).toMatch(/^ {2}available 97 → 109.5$/m);
    expect(await grant()).toEqual(granted);

    const shown = await asOperator(`accounts show ${user}`);
    expect(shown.out).toMatch(/^109\.5 available, 0 held, 0 owed {2}free, active, UTC, until /);
    const grantId = /^ {2}([0-9a-f-]{36}) {2}promo /m.exec(shown.out)?.[1] ?? '';
    expect((await asOperator(`accounts revoke ${user} ${grantId} --reason again`)).code).toBe(0);

    expect((await asOperator('accounts adjust --reason less --', user, '-7')).code).toBe(0);
    const [entry] = await query<{ id: string }>(
      `SELECT id FROM credit_transactions WHERE user_id = $1 AND kind = 'consume'`,
      user,
    );
    expect((await asOperator(`accounts refund ${user} ${entry?.id} 1.25 --reason sorry`)).code).toBe(0);
    const above = await asOperator(`accounts refund ${user} ${entry?.id} 2 --reason sorry`);
    expect([above.code, above.err]).toEqual([4, expect.stringContaining('409')]);
    const account = JSON.parse((await asOperator(`accounts show ${user} --json`)).out) as object;
    expect(account).toMatchObject({ available: '91.25', debt: '0' });
    expect(await asOperator(`accounts verify ${user}`)).toEqual({
      ...{ code: 0, out: 'Everything follows from the ledger.\n', err: '' },
    });
  });

  test('changes the tier, down at once where it is asked to', async () => {
    const { user: other } = await newUser(credits.url);
    const up = await asOperator(`accounts tier ${other} team --reason contract --json`);
    expect(JSON.parse(up.out)).toMatchObject({ action: 'account.change_tier', after: { tier: 'team' } });
    expect((await asOperator(`accounts tier ${other} pro --reason end`)).out).toMatch(/next_tier .*→ pro/);
    expect((await asOperator(`accounts tier ${other} pro --at-once --reason end`)).out).toMatch(
      / tier team → pro/,
    );
  });

  test('ends with 1 and the first wrong row where an account does not add up', async () => {
    const { user: wrong } = await newUser(credits.url);
    await query('UPDATE credit_balances SET credited_micro = credited_micro + 1 WHERE user_id = $1', wrong);
    const { code, out } = await asOperator(`accounts verify ${wrong}`);
    expect([code, out]).toEqual([
      1,
      expect.stringMatching(/credited is the sum of what came .*expected .*found /),
    ]);
    expect(JSON.parse((await asOperator(`accounts verify ${wrong} --json`)).out)).not.toEqual([]);
  });

  test('is for operators, who say why', async () => {
    const refused = await cli(
      { SWISSBRAIN_SERVICE_URLS: `credits=${credits.url}`, SWISSBRAIN_TOKEN: token },
      `accounts show ${user}`,
    );
    expect([refused.code, refused.err]).toEqual([4, expect.stringContaining('403')]);
    expect((await asOperator(`accounts grant ${user} 1 --kind trial`)).code).toBe(2);
    expect((await asOperator(`accounts grant ${user} 1 --kind gift --reason x`)).code).toBe(2);
    expect((await asUser(`accounts show ${user}`)).err).toContain('SWISSBRAIN_SERVICE_URLS');
    const elsewhere = { SWISSBRAIN_SERVICE_URLS: 'collab=http://127.0.0.1:9', SWISSBRAIN_TOKEN: operator };
    expect(await cli(elsewhere, `accounts show ${user}`)).toMatchObject({
      ...{ code: 2, err: expect.stringContaining('SWISSBRAIN_SERVICE_URLS has no credits') },
    });
  });
});

test('swissbrain prices lists them, and sets one from a moment in the future on', async () => {
  const line = 'prices set web.search 2.5 --per 10 --from 2199-01-01T00:00:00Z --reason';
  expect((await asOperator(line, 'dearer now')).out).toMatch(/^price\.version web\.search/);
  const { out } = await asOperator('prices list --operation web.search');
  expect(out).toMatch(/web\.search {2}version 2 {2}2\.5 for 10 search {2}from 2199-01-01/);
  expect(out).toMatch(/web\.search {2}version 1 {2}1 for 1 search +from 2020-01-01 .*to 2199-01-01/);
  expect((await asOperator('prices set web.search 1 --from 2020-01-01T00:00:00Z --reason past')).code).toBe(
    4,
  );
});
