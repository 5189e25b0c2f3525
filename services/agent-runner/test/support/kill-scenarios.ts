import { randomUUID } from 'node:crypto';
import { readdir, readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { readEndpoint } from '@swissbrain/sandbox-runtime/session-directory';
import { creditsExhausted, creditsGranted } from '@swissbrain/shared-schema/events/credits';
import type { CreateRunBody, QuestionView, RunView } from '@swissbrain/shared-schema/http/agent-runner';
import type { ModelConversation } from '@swissbrain/testkit/model-script';
import { waitFor } from '@swissbrain/testkit/wait';
import type { Outside } from './outside.ts';
import { newUser, playbookOf, type Runner, step, type User } from './runner.ts';

/** The user of one run of a scenario, whose worker dies now and then: everything is asked for until there is an answer. */
export interface Driver {
  readonly userId: string;
  /** Part of every name, so that no two runs of a scenario meet. */
  readonly key: string;
  readonly runner: Runner;
  readonly outside: Outside;
  conversations(...all: readonly ModelConversation[]): void;
  /** Makes a run, once; by its path a fork. */
  create(body: unknown, path?: string): Promise<RunView>;
  /** Asks until it is granted; the same key every time. */
  post(path: string, body?: unknown): Promise<void>;
  until(id: string, what: string, check: (run: RunView) => unknown): Promise<RunView>;
  ended(id: string): Promise<RunView>;
}

/** A way of a run through states other than running. */
export interface Scenario {
  /** What it goes through. */
  readonly name: string;
  /** The change, or the call outside, that the sample kills at. */
  readonly sample: RegExp;
  /** Takes runs through it, to their end. */
  drive(driver: Driver): Promise<void>;
}

/** What a worker was killed in the middle of comes again from the stream after ten seconds; there may be several. */
const timeoutMs = 180_000;

/** A driver by the address of whichever worker is there. */
export function createDriver(
  parts: Pick<Driver, 'userId' | 'key' | 'runner' | 'outside' | 'conversations'>,
  url: () => string,
): Driver {
  const user = (): Promise<User> => newUser(url(), parts.userId);
  const ask = (method: string, path: string, body: unknown, key: string) =>
    waitFor(
      async () => {
        const response = await (await user()).request(method, path, body, { 'idempotency-key': key });
        const text = await response.text();
        // Granted before, and not heard by the one who asked: the run has ended since.
        if (response.status === 409 && text.includes('run_not_open')) return text;
        if (!response.ok) throw new Error(`${path}: ${response.status} ${text}`);
        return text;
      },
      { timeoutMs, describe: `${method} ${path}` },
    );
  const until: Driver['until'] = (id, what, check) =>
    waitFor(
      async () => {
        const run = await (await user()).run(id);
        return (await check(run)) ? run : undefined;
      },
      { timeoutMs, describe: `run ${id}: ${what}` },
    );
  return {
    ...parts,
    create: async (body, path = '/v1/runs') =>
      JSON.parse(await ask('POST', path, body, randomUUID())) as RunView,
    post: async (path, body) => void (await ask('POST', path, body, randomUUID())),
    until,
    ended: (id) => until(id, 'its end', ({ finished_at: at }) => at !== null),
  };
}

const call = (name: string, input: Record<string, unknown>) => ({ calls: [{ name, input }] });
const effect = ({ key }: Driver, name: string) => call('effect', { name: `${key}-${name}` });
const keyed = ({ key }: Driver, id: string, more: Record<string, unknown> = {}) => ({
  ...{ id, tool: 'keyed', with: { name: `${key}-${id}` } },
  ...more,
});
const goalOf = ({ key }: Driver): Partial<CreateRunBody> => ({ goal: `goal ${key}.` });
const talk = (driver: Driver, ...turns: ModelConversation['turns']) =>
  driver.conversations({ match: `goal ${driver.key}.`, turns });

async function answer(driver: Driver, id: string, given: unknown): Promise<void> {
  await driver.until(id, 'to wait', ({ status }) => status === 'waiting_input');
  const [question] = await driver.runner.database.query<QuestionView>(
    "select * from agent_questions where run_id = $1 and status = 'open'",
    [id],
  );
  await driver.post(`/v1/runs/${id}/questions/${question?.id}/answer`, { answer: given });
}

/** The worker has looked at the run's row since it was changed, or has it no more: it renewed its lease twice. */
async function heard({ runner, until }: Driver, id: string): Promise<void> {
  const leases = new Set<string>();
  await until(id, 'its worker to look', async ({ status }) => {
    const [row] = await runner.database.query<{ lease: string | null }>(
      'select lease_until::text as lease from agent_runs where id = $1',
      [id],
    );
    if (row?.lease) leases.add(row.lease);
    return status === 'paused' || leases.size > 2;
  });
}

async function waitForAnswer(driver: Driver): Promise<void> {
  talk(driver, effect(driver, 'a'), call('human', { question: 'Which?' }), effect(driver, 'b'), {
    text: 'Done.',
  });
  const run = await driver.create(goalOf(driver));
  await answer(driver, run.id, 'this one');
  await driver.ended(run.id);
}

async function waitForApproval(driver: Driver): Promise<void> {
  const wipe = call('wipe', { name: `${driver.key}-wiped` });
  talk(driver, wipe, effect(driver, 'after'), { text: 'Done.' });
  const run = await driver.create(goalOf(driver));
  await answer(driver, run.id, 'approve');
  await driver.ended(run.id);
}

async function pause(driver: Driver): Promise<void> {
  const { key, outside } = driver;
  outside.hold(`${key}-b`);
  const steps = [
    keyed(driver, 'a'),
    keyed(driver, 'b', { needs: ['a'] }),
    keyed(driver, 'c', { needs: ['b'] }),
  ];
  const run = await driver.create(playbookOf(steps));
  await waitFor(() => outside.arrived(`${key}-b`) > 0, { describe: 'the step to pause in', timeoutMs });
  await driver.post(`/v1/runs/${run.id}/pause`);
  await heard(driver, run.id);
  outside.let(`${key}-b`);
  await driver.until(run.id, 'to be paused', ({ status }) => status === 'paused');
  await driver.post(`/v1/runs/${run.id}/resume`);
  await driver.ended(run.id);
}

async function tryAgain(driver: Driver): Promise<void> {
  const { key, outside } = driver;
  outside.refuse(`${key}-shaky`, 2);
  const failing = [{ status: 503 }, { status: 429, retryAfter: 0.2 }, { text: 'Heard.' }];
  driver.conversations({ match: `ask ${key}.`, turns: [failing] });
  const steps = [
    keyed(driver, 'shaky', { retry: { attempts: 4, backoff_seconds: 0.2 } }),
    { id: 'ask', tool: 'llm', with: { prompt: `ask ${key}.` }, needs: ['shaky'] },
    keyed(driver, 'last', { needs: ['ask'] }),
  ];
  await driver.ended((await driver.create(playbookOf(steps))).id);
}

async function waitForChild(driver: Driver): Promise<void> {
  const below = `below ${driver.key}.`;
  driver.conversations(
    {
      match: `goal ${driver.key}.`,
      turns: [effect(driver, 'a'), call('agent', { goal: below }), effect(driver, 'c'), { text: 'Done.' }],
    },
    { match: below, turns: [effect(driver, 'b'), call('file', { action: 'list' }), { text: 'Done below.' }] },
  );
  await driver.ended((await driver.create(goalOf(driver))).id);
}

async function runOutOfCredits(driver: Driver): Promise<void> {
  const { key, outside, runner, userId } = driver;
  const { credits } = runner;
  let granted = false;
  credits.onRequest = () => ({ hold: 2_000_000n });
  credits.onExtend = () =>
    granted
      ? { status: 'extended', held_micro: '9000000' }
      : { status: 'insufficient', held_micro: '2000000' };
  outside.hold(`${key}-d`);
  const ids = ['a', 'b', 'c', 'd', 'e'];
  const run = await driver.create(
    playbookOf(ids.map((id, at) => keyed(driver, id, at === 0 ? {} : { needs: [ids[at - 1]] }))),
  );
  const grant = async () => {
    await driver.until(run.id, 'to be out of credits', ({ status }) => status === 'paused');
    granted = true;
    const data = {
      grant_id: randomUUID(),
      grant_source: 'adjustment',
      amount_micro: '1',
      available_micro: '1',
    };
    await credits.publish(creditsGranted, { run_id: userId, user_id: userId }, data);
  };
  await grant();
  await waitFor(() => outside.arrived(`${key}-d`) > 0, { describe: 'the fourth step', timeoutMs });
  const exhausted = { run_id: run.id, reservation_id: randomUUID(), debt_micro: '1' };
  await credits.publish(creditsExhausted, { run_id: run.id, user_id: userId }, exhausted);
  await driver.until(run.id, 'to be told', ({ pause_reason: reason }) => reason === 'credits');
  await heard(driver, run.id);
  outside.let(`${key}-d`);
  await grant();
  await driver.ended(run.id);
}

async function fork(driver: Driver): Promise<void> {
  talk(driver, effect(driver, 'a'), effect(driver, 'b'), { text: 'Done.' });
  const first = await driver.create(goalOf(driver));
  await driver.ended(first.id);
  const second = await driver.create({ from_step: 2 }, `/v1/runs/${first.id}/fork`);
  await driver.ended(second.id);
}

async function loseSandbox(driver: Driver): Promise<void> {
  const { key, runner } = driver;
  const [mark, go] = [`${runner.directory}/mark-${key}`, `${runner.directory}/go-${key}`];
  const slow = `import { appendFileSync, existsSync, writeFileSync } from 'node:fs';
appendFileSync(${JSON.stringify(mark)}, 'began\\n');
const timer = setInterval(() => {
  if (!existsSync(${JSON.stringify(go)})) return;
  clearInterval(timer);
  writeFileSync('note.txt', 'changed');
}, 20);`;
  const run = await driver.create(
    playbookOf([
      step('note', `import { writeFileSync } from 'node:fs'; writeFileSync('note.txt', 'kept');`),
      step('slow', slow, { needs: ['note'] }),
      { id: 'look', tool: 'file', with: { action: 'read', path: 'note.txt' }, needs: ['slow'] },
    ]),
  );
  const began = (times: number) =>
    waitFor(async () => (await readFile(mark, 'utf8')).trim().split('\n').length === times, {
      ...{ describe: `the program to begin for the ${times}. time`, timeoutMs },
    });
  await began(1);
  const sandboxes = join(runner.directory, 'sandboxes');
  const [session] = (await readdir(sandboxes)).filter((name) => name.startsWith(run.id));
  const endpoint = session && readEndpoint(join(sandboxes, session));
  if (!endpoint) throw new Error('the session has no endpoint');
  process.kill(endpoint.pid, 'SIGKILL');
  await began(2);
  await writeFile(go, '');
  await driver.ended(run.id);
  // Once for each sandbox, however many workers there were.
  await began(2);
}

async function cancel(driver: Driver): Promise<void> {
  const { key, outside } = driver;
  outside.hold(`${key}-b`);
  const run = await driver.create(
    playbookOf([step('used', 'console.log(1)'), keyed(driver, 'b', { needs: ['used'] })]),
  );
  await waitFor(() => outside.arrived(`${key}-b`) > 0, { describe: 'the step to cancel', timeoutMs });
  await driver.post(`/v1/runs/${run.id}/cancel`);
  await driver.ended(run.id);
}

/** Every state that the sweep of a goal of twenty steps does not go through. */
export const scenarios: readonly Scenario[] = [
  { name: 'waits for an answer', sample: /^runs goal waiting_input/, drive: waitForAnswer },
  { name: 'waits for an approval', sample: /^outside wiped/, drive: waitForApproval },
  { name: 'is paused and resumed', sample: /paused/, drive: pause },
  { name: 'makes calls again', sample: /tries/, drive: tryAgain },
  {
    name: 'waits for a run below it',
    sample: /^runs child goal completed/,
    drive: waitForChild,
  },
  { name: 'runs out of credits twice', sample: /paused/, drive: runOutOfCredits },
  { name: 'is forked', sample: /^runs fork goal pending/, drive: fork },
  { name: 'loses its sandbox', sample: /session_no/, drive: loseSandbox },
  { name: 'is cancelled', sample: /cancel_requested/, drive: cancel },
];
