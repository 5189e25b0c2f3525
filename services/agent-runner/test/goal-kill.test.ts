import { once } from 'node:events';
import { readFile, writeFile } from 'node:fs/promises';
import { createServer, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import { runCompleted } from '@swissbrain/shared-schema/events/agent-runner';
import type { RunView } from '@swissbrain/shared-schema/http/agent-runner';
import { type ModelServer, startModelServer } from '@swissbrain/testkit/model-server';
import { waitFor } from '@swissbrain/testkit/wait';
import { afterAll, afterEach, beforeAll, describe, expect, it } from 'vitest';
import { eventsOf } from './support/events.ts';
import { newUser, type Runner, startRunner, type User } from './support/runner.ts';
import { startWorkerProcess, type WorkerProcess } from './support/worker-process.ts';

let runner: Runner;
let model: ModelServer;
let outside: Server;
/** How often each effect was brought about. */
const effects = new Map<string, number>();
let worker: WorkerProcess | undefined;
let environment: Record<string, string>;

beforeAll(async () => {
  model = await startModelServer();
  outside = createServer((request, response) => {
    const name = request.url ?? '';
    effects.set(name, (effects.get(name) ?? 0) + 1);
    // Done, but not yet told: a worker that dies now does not know.
    setTimeout(() => response.end('done'), 150);
  });
  outside.listen(0, '127.0.0.1');
  await once(outside, 'listening');
  runner = await startRunner({ service: false });
  environment = {
    ...runner.environment,
    RUN_LEASE_SECONDS: '2',
    MODEL_BASE_URL: model.url,
    MODEL_NAME: 'scripted',
    EFFECT_URL: `http://127.0.0.1:${(outside.address() as AddressInfo).port}`,
  };
});
afterEach(() => worker?.kill());
afterAll(async () => {
  await runner?.stop();
  await model?.stop();
  outside?.closeAllConnections();
  outside?.close();
});

const startWorker = () => startWorkerProcess(environment, './effect-worker.ts');

/** A program that leaves a trace outside the sandbox when it is run. */
const program = (mark: string, line: string) => ({
  name: 'code',
  input: {
    language: 'javascript',
    code: `import { appendFileSync } from 'node:fs'; appendFileSync(${JSON.stringify(mark)}, '${line}\\n'); await new Promise((go) => setTimeout(go, 100));`,
    timeout_seconds: 20,
  },
});
const effect = (run: string, name: string) => ({ name: 'effect', input: { name: `${run}-${name}` } });
const file = (input: Record<string, unknown>) => ({ name: 'file', input });

/** Twenty steps: ten answers of the model, ten calls, two of them beside each other. */
function twentySteps(run: string, mark: string) {
  const turns = [
    { calls: [effect(run, 'a')] },
    { calls: [program(mark, 'one')] },
    { calls: [file({ action: 'write', path: 'notes.txt', content: 'notes' })] },
    { calls: [file({ action: 'list' }), file({ action: 'read', path: 'notes.txt' })] },
    { calls: [effect(run, 'b')] },
    { calls: [program(mark, 'two')] },
    { calls: [file({ action: 'write', path: 'artifacts/result.txt', content: 'result' })] },
    { calls: [effect(run, 'c')] },
    { calls: [program(mark, 'three')] },
    { text: 'All done.' },
  ];
  return { match: `goal ${run}.`, turns: turns.map((turn) => ({ ...turn, delayMs: 60 })) };
}

const stepKeys = [
  ...['model-1', 'call-1-0', 'model-3', 'call-3-0', 'model-5', 'call-5-0', 'model-7', 'call-7-0', 'call-7-1'],
  ...['model-10', 'call-10-0', 'model-12', 'call-12-0', 'model-14', 'call-14-0', 'model-16', 'call-16-0'],
  ...['model-18', 'call-18-0', 'model-20'],
];

/** Whatever was killed: one end, nothing lost, nothing twice, and the bill is that of the steps. */
async function audit(run: RunView, user: User, mark: string, kills: number): Promise<void> {
  expect(run).toMatchObject({
    status: 'completed',
    output: { text: 'All done.' },
    steps: { total: 20, open: 0 },
  });
  expect(run.attempt).toBeLessThanOrEqual(kills + 1);
  const steps = await waitFor(() => user.steps(run.id), { describe: 'the steps' });
  expect(steps.map(({ key }) => key).sort()).toEqual([...stepKeys].sort());
  for (const step of steps) {
    const interrupted = step.name === 'effect' && step.error?.code === 'interrupted';
    expect(step.status, `${step.key}: ${step.error?.message}`).toBe(interrupted ? 'failed' : 'completed');
    if (step.tool === 'llm') expect(step.usage.map(({ quantity }) => quantity)).toEqual(['1000', '100']);
    if (step.name !== 'effect') continue;
    const times = effects.get(`/${(step.input as { name: string }).name}`) ?? 0;
    // Interrupted is no more than that: it may have happened, but never twice.
    expect(times).toBeLessThanOrEqual(1);
    if (!interrupted) expect(times).toBe(1);
  }
  expect((await readFile(mark, 'utf8')).trim().split('\n')).toEqual(['one', 'two', 'three']);

  const events = await eventsOf(runner.database, run.id);
  const ends = events.filter(({ type }) => /^run\.(completed|failed|cancelled|timed_out)$/.test(type));
  expect(ends.map(({ type }) => type)).toEqual(['run.completed']);
  const billed = events.filter(({ type }) => type === 'step.completed' || type === 'step.failed');
  expect(new Set(billed.map(({ data }) => data.step_id)).size).toBe(20);
  expect(billed).toHaveLength(20);
  const closing = runCompleted.data.parse(ends[0]?.data);
  const billable = steps.filter(({ usage }) => usage.length > 0).map(({ id }) => id);
  expect([...(closing.billable_step_ids ?? [])].sort()).toEqual(billable.sort());
  const micro = (amount: string) => Math.round(Number(amount) * 1_000_000);
  expect(micro(run.credits.consumed)).toBe(steps.reduce((sum, { cost }) => sum + micro(cost), 0));
}

/** Events after which a worker is killed; a run has 45 without kills: four around its steps, two a step, an artifact. */
const lastEvent = 44;
function sweeps(): readonly (readonly number[])[] {
  if (process.env.SWISSBRAIN_FULL) return Array.from({ length: lastEvent - 1 }, (_, place) => [place + 2]);
  return [[6, 17, 31]];
}

describe('kill -9 of the worker in a goal run of twenty steps', { timeout: 240_000 }, () => {
  it.each(sweeps().map((points) => [points.join(', '), points] as const))(
    'after event %s',
    async (name, points) => {
      const key = name.replaceAll(/\D+/g, '-');
      const mark = `${runner.directory}/mark-${key}`;
      await writeFile(mark, '');
      model.conversations = [twentySteps(key, mark)];
      worker = await startWorker();
      const user = await newUser(worker.url);
      const run = await user.create({ goal: `goal ${key}.` });
      for (const point of points) {
        await waitFor(
          async () => {
            const [row] = await runner.database.query<{ run_seq: bigint }>(
              'select run_seq from agent_runs where id = $1',
              [run.id],
            );
            return row !== undefined && row.run_seq >= BigInt(point);
          },
          { describe: `event ${point}`, timeoutMs: 60_000 },
        );
        await worker.kill();
        worker = await startWorker();
      }
      const again = await newUser(worker.url, user.id);
      const ended = await waitFor(
        async () => {
          const found = await again.run(run.id);
          return found.finished_at === null ? undefined : found;
        },
        { describe: 'the end of the run', timeoutMs: 90_000 },
      );
      await audit(ended, again, mark, points.length);
    },
  );
});
