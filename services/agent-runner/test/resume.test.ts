import { readFile, writeFile } from 'node:fs/promises';
import { startModelServer } from '@swissbrain/testkit/model-server';
import { waitFor } from '@swissbrain/testkit/wait';
import { afterAll, afterEach, beforeAll, describe, expect, it } from 'vitest';
import { storyOf } from './support/events.ts';
import { newUser, playbookOf, type Runner, startRunner, step } from './support/runner.ts';
import { startWorkerProcess, type WorkerProcess } from './support/worker-process.ts';

let runner: Runner;
beforeAll(async () => {
  runner = await startRunner({ service: false });
});
afterAll(() => runner?.stop());

const started: WorkerProcess[] = [];
afterEach(async () => {
  await Promise.all(started.splice(0).map((worker) => worker.kill()));
});
async function startWorker(environment: Readonly<Record<string, string>>): Promise<WorkerProcess> {
  const worker = await startWorkerProcess(environment);
  started.push(worker);
  return worker;
}

/** A program that notes that it began, and goes on when a file appears. */
const waiting = (mark: string, go: string) => `
import { appendFileSync, existsSync, writeFileSync } from 'node:fs';
appendFileSync(${JSON.stringify(mark)}, 'began\\n');
console.log('before');
const timer = setInterval(() => {
  if (!existsSync(${JSON.stringify(go)})) return;
  clearInterval(timer);
  console.log('after');
  writeFileSync(process.env.SWISSBRAIN_OUTPUT, JSON.stringify({ answer: 42 }));
}, 20);`;

// Each test starts processes, which takes a busy machine seconds.
describe('a run whose worker goes away', { timeout: 180_000 }, () => {
  it('by kill -9 in the middle of a program: the program goes on, once, and another worker takes its end', async () => {
    const mark = `${runner.directory}/mark-kill`;
    const go = `${runner.directory}/go-kill`;
    const first = await startWorker(runner.environment);
    const user = await newUser(first.url);
    const run = await user.create(
      playbookOf([
        step('long', waiting(mark, go)),
        step('next', '', {
          with: {
            language: 'javascript',
            code: `console.log('got', process.argv[2])`,
            args: ['${{ steps.long.output.result.answer }}'],
          },
        }),
      ]),
    );
    await waitFor(() => readFile(mark, 'utf8'), { describe: 'the program' });
    await first.kill();

    const second = await startWorker(runner.environment);
    const again = await newUser(second.url, user.id);
    await waitFor(async () => (await again.run(run.id)).attempt === 2, { describe: 'the second attempt' });
    await writeFile(go, '');
    expect(await again.ended(run.id)).toMatchObject({
      status: 'completed',
      attempt: 2,
      steps: { completed: 2 },
    });
    expect(await readFile(mark, 'utf8')).toBe('began\n');
    const [long, next] = await again.steps(run.id);
    expect(long?.output).toMatchObject({ stdout: 'before\nafter\n', result: { answer: 42 } });
    expect(next?.output).toMatchObject({ stdout: 'got 42\n' });
    expect(await storyOf(runner.database, run.id)).toEqual([
      ...['run.requested', 'run.queued', 'run.started', 'step.started'],
      ...['run.started', 'step.started', 'step.completed', 'step.started', 'step.completed', 'run.completed'],
    ]);
    expect(await second.stop()).toBe(0);
  });

  it('by an orderly stop: the next worker need not wait for the lease', async () => {
    const mark = `${runner.directory}/mark-stop`;
    const go = `${runner.directory}/go-stop`;
    const environment = { ...runner.environment, RUN_LEASE_SECONDS: '600' };
    const first = await startWorker(environment);
    const user = await newUser(first.url);
    const run = await user.create(playbookOf([step('long', waiting(mark, go))]));
    await waitFor(() => readFile(mark, 'utf8'), { describe: 'the program' });
    expect(await first.stop()).toBe(0);
    const second = await startWorker(environment);
    const again = await newUser(second.url, user.id);
    await writeFile(go, '');
    expect(await again.ended(run.id)).toMatchObject({ status: 'completed', attempt: 2 });
    expect(await readFile(mark, 'utf8')).toBe('began\n');
    expect(await second.stop()).toBe(0);
  });

  it('together with Redis and everything in it', async () => {
    const mark = `${runner.directory}/mark-redis`;
    const go = `${runner.directory}/go-redis`;
    const first = await startWorker(runner.environment);
    const user = await newUser(first.url);
    const run = await user.create(playbookOf([step('long', waiting(mark, go))]));
    await waitFor(() => readFile(mark, 'utf8'), { describe: 'the program' });
    await Promise.all([first.kill(), runner.redis.kill()]);
    await runner.redis.restart({ empty: true });
    const second = await startWorker(runner.environment);
    const again = await newUser(second.url, user.id);
    await writeFile(go, '');
    expect((await again.ended(run.id)).status).toBe('completed');
    expect(await readFile(mark, 'utf8')).toBe('began\n');
    expect(await second.stop()).toBe(0);
  });

  it('while the model thinks: calls that were answered are not made again', async () => {
    const model = await startModelServer();
    const environment = { ...runner.environment, MODEL_BASE_URL: model.url, MODEL_NAME: 'scripted' };
    try {
      model.script = [
        { calls: [{ name: 'code', input: { language: 'javascript', code: 'console.log("once")' } }] },
        'hang',
      ];
      const first = await startWorker(environment);
      const user = await newUser(first.url);
      const run = await user.create({ goal: 'survive' });
      await waitFor(() => model.requests.length === 2, { describe: 'the second call' });
      await first.kill();
      model.script = [{ text: 'survived' }];
      const second = await startWorker(environment);
      const again = await newUser(second.url, user.id);
      expect(await again.ended(run.id)).toMatchObject({
        status: 'completed',
        output: { text: 'survived' },
        attempt: 2,
      });
      expect(model.requests).toHaveLength(3);
      expect(model.requests[2]?.messages).toEqual(model.requests[1]?.messages);
      expect((await again.steps(run.id)).map((row) => [row.key, row.attempt])).toEqual([
        ['model-1', 1],
        ['call-1-0', 1],
        ['model-3', 2],
      ]);
    } finally {
      await model.stop();
    }
  });
});
