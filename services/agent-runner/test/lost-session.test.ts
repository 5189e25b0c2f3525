import { readdir, readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { readEndpoint } from '@swissbrain/sandbox-runtime/session-directory';
import { waitFor } from '@swissbrain/testkit/wait';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { eventsOf, storyOf } from './support/events.ts';
import { newUser, playbookOf, type Runner, startRunner, step, type User } from './support/runner.ts';
import { startWorkerProcess, type WorkerProcess } from './support/worker-process.ts';

let runner: Runner;
let user: User;
let worker: WorkerProcess;
beforeAll(async () => {
  runner = await startRunner({ service: false, overrides: { WORKSPACE_MAX_BYTES: '200000' } });
  worker = await startWorkerProcess(runner.environment);
  user = await newUser(worker.url);
});
afterAll(async () => {
  await worker?.kill();
  await runner?.stop();
});

/** Kills the runtime of a session as the machine it is on would by going down. */
function killRuntime(runId: string, sessionNo: number): void {
  const endpoint = readEndpoint(join(runner.directory, 'sandboxes', `${runId}-${sessionNo}`));
  if (!endpoint) throw new Error('the session has no endpoint');
  process.kill(endpoint.pid, 'SIGKILL');
}

/** Says what it finds, leaves something half done, and goes on when a file appears. */
const slow = (mark: string, go: string) => `
import { appendFileSync, existsSync, readFileSync, writeFileSync } from 'node:fs';
console.log(existsSync('note.txt') ? readFileSync('note.txt', 'utf8') : 'no note', existsSync('half'));
writeFileSync('half', 'x');
appendFileSync(${JSON.stringify(mark)}, 'began\\n');
const timer = setInterval(() => {
  if (!existsSync(${JSON.stringify(go)})) return;
  clearInterval(timer);
  writeFileSync('note.txt', 'changed');
}, 20);`;
const note = step('note', `import { writeFileSync } from 'node:fs'; writeFileSync('note.txt', 'kept');`);
const look = step(
  'look',
  `import { readFileSync } from 'node:fs'; console.log(readFileSync('note.txt', 'utf8'));`,
  {
    needs: ['slow'],
  },
);
const begun = (mark: string, times: number) =>
  waitFor(async () => (await readFile(mark, 'utf8').catch(() => '')).length === times * 'began\n'.length, {
    timeoutMs: 30_000,
    describe: `the program to begin ${times} times`,
  });

// Programs are started and killed, which takes a busy machine seconds.
describe('a run whose sandbox is lost', { timeout: 180_000 }, () => {
  it('in the middle of a program goes on in another, with its files as they were, and pays for one program', async () => {
    const [mark, go] = [`${runner.directory}/mark-one`, `${runner.directory}/go-one`];
    const run = await user.create(
      playbookOf([note, step('slow', slow(mark, go), { needs: ['note'] }), look]),
    );
    await begun(mark, 1);
    killRuntime(run.id, 1);
    await begun(mark, 2);
    await writeFile(go, '');
    expect(await user.ended(run.id)).toMatchObject({ status: 'completed', attempt: 1 });
    const [, second, third] = await user.steps(run.id);
    // Neither what the lost program left half done, nor anything less than what the step before it had left.
    expect(second?.output).toMatchObject({ stdout: 'kept false\n' });
    expect(third?.output).toMatchObject({ stdout: 'changed\n' });
    expect(await storyOf(runner.database, run.id)).toEqual([
      ...['run.requested', 'run.queued', 'run.started', 'step.started', 'step.completed', 'step.started'],
      ...['run.session_lost', 'step.completed', 'step.started', 'step.completed', 'run.completed'],
    ]);
    const events = await eventsOf(runner.database, run.id);
    expect(events.find(({ type }) => type === 'run.session_lost')?.data).toMatchObject({
      session_no: 1,
      code: 'ended',
      message: 'its sandbox was lost: its runtime has ended',
    });
    // The step took as long as both of its programs; the second one alone is charged.
    const done = events.filter(({ type }) => type === 'step.completed')[1]?.data as {
      readonly usage: { readonly quantity: string }[];
      readonly duration_ms: number;
    };
    expect(done.usage).toHaveLength(1);
    const quantity = Number(done.usage[0]?.quantity);
    expect(second?.output).toMatchObject({ duration_ms: quantity });
    expect(quantity).toBeLessThan(done.duration_ms);
    await waitFor(
      async () =>
        (await readdir(join(runner.directory, 'sandboxes'))).every((name) => !name.startsWith(run.id)),
      { describe: 'both sandboxes to be gone' },
    );
    expect(await user.artifacts(run.id)).toEqual([]);
  });

  it('twice in a row, while another step waits for its user, can still be cancelled', async () => {
    const [mark, go] = [`${runner.directory}/mark-between`, `${runner.directory}/go-between`];
    const run = await user.create(
      playbookOf([
        note,
        { id: 'wait', tool: 'human', with: { question: 'go on?' }, needs: ['note'] },
        step('beside', slow(mark, go), { needs: ['note'] }),
      ]),
    );
    await begun(mark, 1);
    killRuntime(run.id, 1);
    await begun(mark, 2);
    killRuntime(run.id, 2);
    await begun(mark, 3);
    await user.request('POST', `/v1/runs/${run.id}/cancel`);
    expect(await user.ended(run.id)).toMatchObject({ status: 'cancelled' });
    expect(
      (await storyOf(runner.database, run.id)).filter((type) => type === 'run.session_lost'),
    ).toHaveLength(2);
  });

  it('again and again by one program fails the step, in words and free of charge', async () => {
    const run = await user.create(
      playbookOf([step('suicide', `process.kill(process.ppid, 'SIGKILL'); setInterval(() => {}, 1000);`)]),
    );
    expect(await user.ended(run.id)).toMatchObject({ status: 'failed', error: { code: 'sandbox_lost' } });
    const [only] = await user.steps(run.id);
    expect(only?.error?.message).toBe(
      'the sandbox was lost: its runtime has ended; its files are as they were before this step',
    );
    const events = await eventsOf(runner.database, run.id);
    expect(events.filter(({ type }) => type === 'run.session_lost')).toHaveLength(3);
    expect(events.find(({ type }) => type === 'step.failed')?.data).toMatchObject({ usage: [] });
  });

  it('with a workspace too large to be kept says so instead of going on without the files', async () => {
    const [mark, go] = [`${runner.directory}/mark-large`, `${runner.directory}/go-large`];
    const run = await user.create(
      playbookOf([
        step(
          'large',
          `import { writeFileSync } from 'node:fs'; writeFileSync('large', Buffer.alloc(400_000, 1));`,
        ),
        step('slow', slow(mark, go), { needs: ['large'] }),
      ]),
    );
    await begun(mark, 1);
    killRuntime(run.id, 1);
    expect(await user.ended(run.id)).toMatchObject({ status: 'failed', error: { code: 'workspace_lost' } });
    const [, second] = await user.steps(run.id);
    expect(second?.error?.message).toContain('too large to be kept');
    expect(await readFile(mark, 'utf8')).toBe('began\n');
  });

  it('together with its worker goes on with the next one', async () => {
    const [mark, go] = [`${runner.directory}/mark-worker`, `${runner.directory}/go-worker`];
    const run = await user.create(
      playbookOf([note, step('slow', slow(mark, go), { needs: ['note'] }), look]),
    );
    await begun(mark, 1);
    await worker.kill();
    killRuntime(run.id, 1);
    worker = await startWorkerProcess(runner.environment);
    user = await newUser(worker.url, user.id);
    await begun(mark, 2);
    await writeFile(go, '');
    expect(await user.ended(run.id)).toMatchObject({ status: 'completed', attempt: 2 });
    const outputs = (await user.steps(run.id)).map(({ output }) => (output as { stdout: string }).stdout);
    expect(outputs).toEqual(['', 'kept false\n', 'changed\n']);
  });
});
