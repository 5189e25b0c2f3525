import { creditsExhausted, creditsExpired } from '@swissbrain/shared-schema/events/credits';
import { waitFor } from '@swissbrain/testkit/wait';
import { afterAll, afterEach, beforeAll, describe, expect, it } from 'vitest';
import type { Tool } from '../src/tools/tool.ts';
import { eventsOf, storyOf } from './support/events.ts';
import { createGate, gateStep } from './support/gate.ts';
import { newUser, playbookOf, type Runner, startRunner, step, type User } from './support/runner.ts';

let runner: Runner;
let user: User;
const gate = createGate();
/** Ends neither by itself nor by the signal. */
const deaf: Tool = { ...gate.tool, name: 'deaf', timeoutSeconds: 1, run: () => new Promise(() => {}) };
beforeAll(async () => {
  runner = await startRunner({ extraTools: [gate.tool, deaf], overrides: { RUN_MAX_SECONDS: '3600' } });
  user = await newUser(runner.url);
});
afterAll(() => runner?.stop());
const hold = (amount: bigint) => () => ({ hold: amount });
afterEach(() => {
  runner.credits.onRequest = hold(100_000_000n);
  runner.credits.onExtend = () => ({ status: 'insufficient', held_micro: '0' });
  runner.credits.closed.clear();
});

const csv = 'city,value\nBern,3\nGenf,4\n';
const sumCode = `import { readFileSync, writeFileSync } from 'node:fs';
const lines = readFileSync(process.argv[2], 'utf8').trim().split('\\n').slice(1);
const total = lines.reduce((sum, line) => sum + Number(line.split(',')[1]), 0);
console.log('read', lines.length);
writeFileSync(process.env.SWISSBRAIN_OUTPUT, JSON.stringify({ total, cities: lines.length }));`;
const reportCode = `import { mkdirSync, writeFileSync } from 'node:fs';
mkdirSync('out', { recursive: true });
writeFileSync('out/report.md', '# ' + process.env.TITLE + '\\n' + process.argv[2]);`;

describe('a playbook in the sandbox', () => {
  it('goes from a request through hold, sandbox and artifacts to its end', async () => {
    const run = await user.create({
      ...playbookOf(
        [
          {
            id: 'sum',
            tool: 'code',
            with: { language: 'javascript', args: ['${{ inputs.csv }}'], code: sumCode },
          },
          {
            id: 'report',
            tool: 'code',
            with: {
              language: 'javascript',
              args: ['${{ steps.sum.output.result.total }}'],
              env: { TITLE: '${{ inputs.title }}' },
              code: reportCode,
            },
            artifacts: ['out/report.md'],
          },
        ],
        { inputs: { csv: { type: 'file' }, title: { type: 'string', default: 'Cities' } } },
      ),
      inputs: { csv: { filename: 'data.csv', content_base64: Buffer.from(csv).toString('base64') } },
      budget: '50.5',
    });
    expect(run).toMatchObject({
      status: 'pending',
      kind: 'playbook',
      steps: { total: 2, open: 2 },
      credits: { budget: '50.5' },
    });
    const ended = await user.ended(run.id);
    expect(ended).toMatchObject({
      status: 'completed',
      attempt: 1,
      steps: { completed: 2, open: 0, failed: 0 },
      error: null,
    });

    const [sum, report] = await user.steps(run.id);
    expect(sum?.output).toMatchObject({ stdout: 'read 2\n', exit_code: 0, result: { total: 7, cities: 2 } });
    expect(sum?.usage).toEqual([
      { operation: 'code.execution', quantity: expect.stringMatching(/^[1-9]\d*$/) },
    ]);
    expect(report?.needs).toEqual(['sum']);
    const artifacts = await user.artifacts(run.id);
    expect(artifacts.map(({ kind, name, size_bytes }) => ({ kind, name, size_bytes }))).toEqual([
      { kind: 'input', name: 'inputs/data.csv', size_bytes: csv.length },
      { kind: 'output', name: 'out/report.md', size_bytes: '# Cities\n7'.length },
    ]);

    const events = await eventsOf(runner.database, run.id);
    expect(events.map((event) => event.type)).toEqual([
      'run.requested',
      'run.queued',
      'run.started',
      'step.started',
      'step.completed',
      'step.started',
      'artifact.created',
      'step.completed',
      'run.completed',
    ]);
    expect(events[0]?.data).toMatchObject({
      estimate: [{ operation: 'code.execution', quantity: '120000' }],
      budget_micro: '50500000',
    });
    expect(events.at(-1)?.data).toMatchObject({
      billable_steps: 2,
      billable_step_ids: [sum?.id, report?.id],
      steps: 2,
    });
  });

  it('fails with what the program said, keeps what it used, and skips the rest', async () => {
    const run = await user.create(
      playbookOf([
        step('bad', `console.error('no way'); process.exit(3);`),
        step('after', `console.log(1)`, { needs: ['bad'] }),
      ]),
    );
    const ended = await user.ended(run.id);
    expect(ended).toMatchObject({
      status: 'failed',
      error: { code: 'nonzero_exit' },
      steps: { failed: 1, open: 0 },
    });
    const [bad, after] = await user.steps(run.id);
    expect(bad).toMatchObject({ status: 'failed', output: { stderr: 'no way\n', exit_code: 3 } });
    expect(bad?.usage).toHaveLength(1);
    expect(after).toMatchObject({ status: 'skipped', usage: [], started_at: null });
    expect((await storyOf(runner.database, run.id)).slice(-2)).toEqual(['step.failed', 'run.failed']);
  });

  it('ends a program that takes too long, and a step whose artifact is not there', async () => {
    const slow = await user.create(
      playbookOf([
        {
          id: 'slow',
          tool: 'code',
          with: { language: 'javascript', timeout_seconds: 1, code: 'setInterval(() => {}, 1000)' },
        },
      ]),
    );
    const missing = await user.create(playbookOf([step('empty', '1', { artifacts: ['nothing.txt'] })]));
    expect(await user.ended(slow.id)).toMatchObject({ status: 'failed', error: { code: 'timeout' } });
    expect(await user.ended(missing.id)).toMatchObject({
      status: 'failed',
      error: { code: 'artifact_missing' },
    });
    expect((await user.steps(missing.id))[0]?.usage).toHaveLength(1);
  });

  it('removes the sandbox with the end of the run', async () => {
    const run = await user.create(playbookOf([step('one', '1')]));
    await user.ended(run.id);
    const { readdir } = await import('node:fs/promises');
    await waitFor(
      async () => !(await readdir(`${runner.directory}/sandboxes`)).some((name) => name.startsWith(run.id)),
      {
        describe: 'the removal of the session',
      },
    );
  });
});

describe('a tool that does not end', () => {
  it('is given up after its time, also when it ignores the signal, and the run goes on', async () => {
    const run = await user.create(
      playbookOf([
        { id: 'stuck', tool: 'deaf', with: { name: 'x' }, required: false },
        gateStep('after', 'pass'),
      ]),
    );
    expect(await user.ended(run.id)).toMatchObject({
      status: 'completed',
      steps: { failed: 1, completed: 1 },
    });
    const [stuck] = await user.steps(run.id);
    expect(stuck?.error).toEqual({ code: 'tool_timeout', message: '"deaf" did not end within 1 seconds' });
  });
});

describe('steps', () => {
  it('run beside each other up to the limit, and start what they free at once', async () => {
    const names = ['p1', 'p2', 'p3', 'p4', 'p5'];
    const run = await user.create(
      playbookOf([...names.map((name) => gateStep(name, name)), gateStep('last', 'pass', { needs: names })]),
    );
    await waitFor(() => gate.begun.filter((call) => names.includes(call.name)).length === 4, {
      describe: 'four steps at once',
    });
    for (const name of names) gate.open(name);
    expect(await user.ended(run.id)).toMatchObject({ status: 'completed', steps: { completed: 6 } });
  });

  it('that are optional may fail: what needs them is skipped, the run completes', async () => {
    const run = await user.create(
      playbookOf([
        gateStep('maybe', 'fail', { required: false, cost: 2 }),
        gateStep('needs', 'pass', { needs: ['maybe'] }),
        gateStep('deeper', 'pass', { needs: ['needs'] }),
        gateStep('other', 'pass'),
      ]),
    );
    expect(await user.ended(run.id)).toMatchObject({
      status: 'completed',
      steps: { completed: 1, failed: 1 },
      credits: { consumed: '2' },
    });
    expect((await user.steps(run.id)).map((row) => row.status)).toEqual([
      'failed',
      'skipped',
      'skipped',
      'completed',
    ]);
  });

  it('that are required stop what runs beside them, unbilled', async () => {
    const run = await user.create(
      playbookOf([
        gateStep('beside', 'never', { cost: 5 }),
        gateStep('first', 'opens-late'),
        gateStep('bad', 'fail', { needs: ['first'] }),
      ]),
    );
    await waitFor(
      () =>
        gate.begun.some((call) => call.name === 'never') &&
        gate.begun.some((call) => call.name === 'opens-late'),
    );
    gate.open('opens-late');
    expect(await user.ended(run.id)).toMatchObject({
      status: 'failed',
      error: { code: 'told_to' },
      credits: { consumed: '0' },
    });
    expect((await user.steps(run.id)).map((row) => row.status)).toEqual(['cancelled', 'completed', 'failed']);
    await storyOf(runner.database, run.id);
  });

  it('fail where a reference names nothing', async () => {
    const run = await user.create(
      playbookOf([
        gateStep('a', 'pass'),
        { id: 'b', tool: 'gate', with: { name: '${{ steps.a.output.no.such }}' } },
      ]),
    );
    expect(await user.ended(run.id)).toMatchObject({
      status: 'failed',
      error: { code: 'unresolved_reference' },
    });
  });
});

describe('credits', () => {
  it('that are denied fail the run before anything has started', async () => {
    runner.credits.onRequest = () => 'deny';
    const run = await user.create(playbookOf([gateStep('a', 'pass')]));
    expect(await user.ended(run.id)).toMatchObject({
      status: 'failed',
      attempt: 0,
      error: { code: 'insufficient_credits' },
    });
    expect(await storyOf(runner.database, run.id)).toEqual(['run.requested', 'run.failed']);
    expect((await user.steps(run.id))[0]?.status).toBe('skipped');
  });

  it('are raised before a step that may not fit, once per question', async () => {
    runner.credits.onRequest = hold(3_000_000n);
    let held = 3_000_000n;
    runner.credits.onExtend = ({ amount_micro: amount }) => {
      held += BigInt(amount);
      return { status: 'extended', held_micro: held.toString() };
    };
    const before = runner.credits.extensions.length;
    const run = await user.create(
      playbookOf([gateStep('a', 'pass', { cost: 2 }), gateStep('b', 'pass', { cost: 4, needs: ['a'] })]),
    );
    expect(await user.ended(run.id)).toMatchObject({
      status: 'completed',
      credits: { held: '6', consumed: '6' },
    });
    const asked = runner.credits.extensions.slice(before);
    expect(asked.map((request) => request.amount_micro)).toEqual(['3000000']);
    expect(asked[0]?.key).toContain((await user.steps(run.id))[1]?.id);
  });

  it('that the budget of the run does not allow fail it before the step starts', async () => {
    runner.credits.onRequest = hold(3_000_000n);
    const run = await user.create({
      ...playbookOf([gateStep('a', 'pass', { cost: 2 }), gateStep('b', 'pass', { cost: 4, needs: ['a'] })]),
      budget: '3',
    });
    expect(await user.ended(run.id)).toMatchObject({
      status: 'failed',
      error: { code: 'insufficient_credits' },
      credits: { consumed: '2' },
    });
    const events = await eventsOf(runner.database, run.id);
    expect(events.at(-1)).toMatchObject({ type: 'run.failed', data: { billable_steps: 1 } });
    expect((await user.steps(run.id)).map((row) => row.status)).toEqual(['completed', 'skipped']);
  });

  it.each([
    ['exhausted', creditsExhausted, { debt_micro: '1', reason: 'budget' }, 'insufficient_credits'],
    ['expired', creditsExpired, { consumed_micro: '0', released_micro: '0' }, 'reservation_expired'],
  ] as const)('that are %s stop a running run', async (name, event, data, code) => {
    const run = await user.create(playbookOf([gateStep('a', `stuck-${name}`)]));
    await waitFor(() => gate.begun.some((call) => call.name === `stuck-${name}`));
    const ids = { reservation_id: run.id, run_id: run.id };
    await runner.credits.publish(event, { run_id: run.id, user_id: user.id }, { ...ids, ...data } as never);
    expect(await user.ended(run.id)).toMatchObject({ status: 'failed', error: { code } });
    expect(await storyOf(runner.database, run.id)).toEqual([
      'run.requested',
      'run.queued',
      'run.started',
      'step.started',
      'run.failed',
    ]);
  });

  it('are kept alive while the run lives, and fail it when they are gone', async () => {
    const run = await user.create(playbookOf([gateStep('a', 'kept-alive')]));
    const [row] = await waitFor(async () => {
      const rows = await runner.database.query<{ reservation_id: string }>(
        "select reservation_id from agent_runs where id = $1 and status = 'running'",
        [run.id],
      );
      return rows.length > 0 ? rows : undefined;
    });
    const reservation = row?.reservation_id ?? '';
    runner.credits.closed.add(reservation);
    expect(await user.ended(run.id)).toMatchObject({
      status: 'failed',
      error: { code: 'reservation_closed' },
    });
    expect(runner.credits.beats.flat()).toContain(reservation);
  });
});
