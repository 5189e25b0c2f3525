import { randomUUID } from 'node:crypto';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { CreateRunBody, RunView, StepView } from '@swissbrain/client/types';
import { waitFor } from '@swissbrain/testkit/wait';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { auditRun, waitUntilSettled } from '../e2e/run-audit.ts';
import { demoRun, startWholeStack, type WholeStack } from '../e2e/whole-stack.ts';
import {
  breakCluster,
  kubectl,
  kubectlWith,
  mayBreakCluster,
  runnerOnCluster,
  sandboxNamespace,
  smallNamespace,
} from './cluster.ts';

// What takes minutes, or takes parts of the cluster away, is for `npm run test:cluster -- --full`; that the driver tells
// these failures apart is in sandbox-loss.test.ts each time.
const inFull = process.env.SWISSBRAIN_FULL !== undefined;

// Runs of the six services beside Postgres, NATS and Redis, with their sandboxes on the cluster.

let directory: string;
let stack: WholeStack;
let long: RunView;
beforeAll(async () => {
  directory = await mkdtemp(join(tmpdir(), 'swissbrain-runs-'));
  const settings = { RUN_LEASE_SECONDS: '3', SANDBOX_PATIENCE_SECONDS: '90', SANDBOX_START_SECONDS: '60' };
  stack = await startWholeStack(await runnerOnCluster(directory, settings));
  long = await stack.clientOf(randomUUID()).runs.create(playbook(minute));
});
afterAll(async () => {
  await stack?.[Symbol.asyncDispose]();
  await rm(directory, { recursive: true, force: true });
});

const playbook = (...programs: readonly string[]): CreateRunBody => ({
  playbook: {
    name: 'test',
    steps: programs.map((code, index) => ({
      id: `step${index}`,
      tool: 'code',
      with: { language: 'javascript', code, timeout_seconds: 120 },
      ...(index === 0 ? {} : { needs: [`step${index - 1}`] }),
    })),
  },
});

/** Writes a line every tenth of a second for a minute, and how often it was begun. */
const minute = `import { appendFileSync, readFileSync } from 'node:fs'; appendFileSync('began', 'x');
  for (let i = 0; i < 600; i += 1) { console.log('line', i); await new Promise((next) => setTimeout(next, 100)); }
  console.log(readFileSync('began', 'utf8'));`;
const note = `import { writeFileSync } from 'node:fs'; writeFileSync('note.txt', 'kept');`;
/** Says what it finds, and works for so long. */
const work = (seconds: number) => `import { existsSync, readFileSync, writeFileSync } from 'node:fs';
  console.log(readFileSync('note.txt', 'utf8'), existsSync('began')); writeFileSync('began', 'x');
  await new Promise((done) => setTimeout(done, ${seconds * 1_000}));`;

const podsOf = async (
  runId: string,
  namespace = sandboxNamespace,
): Promise<readonly { name: string; node: string }[]> => {
  const format = '{range .items[*]}{.metadata.name} {.spec.nodeName}{"\\n"}{end}';
  const selector = `swissbrain.dev/run=${runId}`;
  const lines = await kubectl('-n', namespace, 'get', 'pods', '-l', selector, '-o', `jsonpath=${format}`);
  return lines
    .split('\n')
    .filter(Boolean)
    .map((line) => {
      const [name = '', node = ''] = line.split(' ');
      return { name, node };
    });
};

/** Waits until a run's program has begun; says in which pod. */
const begun = (runId: string) =>
  waitFor(
    async () => {
      const [pod] = await podsOf(runId);
      if (!pod) return undefined;
      const look = ['exec', pod.name, '-c', 'code', '--', 'cat', '/workspace/began'];
      return kubectl('-n', sandboxNamespace, ...look).then(
        () => pod,
        () => undefined,
      );
    },
    { describe: `the program of run ${runId}`, timeoutMs: 90_000 },
  );
const gone = (runId: string) =>
  waitFor(async () => (await podsOf(runId)).length === 0, {
    describe: 'the sandbox to be gone',
    timeoutMs: 90_000,
  });

interface Ended {
  readonly run: RunView;
  readonly steps: readonly StepView[];
  readonly events: readonly { readonly type: string; readonly data: Record<string, unknown> }[];
  readonly consumed: bigint;
}

/** The run once it has ended and is paid, held against what must be true of every run. */
async function ended(user: string, runId: string, on = stack): Promise<Ended> {
  const { consumed_micro } = await waitUntilSettled(on, runId, 180_000);
  await auditRun(on, runId);
  const { runs } = on.clientOf(user);
  const events = await on.query<Ended['events'][number]>(
    `select type, data from public.event_outbox where run_id = $1 and source = 'agent-runner' order by run_seq`,
    [runId],
  );
  return {
    run: await runs.get(runId),
    steps: await Array.fromAsync(runs.steps(runId)),
    events,
    consumed: BigInt(consumed_micro),
  };
}
const usageOf = ({ events }: Ended) =>
  events.flatMap(({ data }) => (data.usage as readonly { quantity: string }[] | undefined) ?? []);
const lossesOf = ({ events }: Ended) =>
  events.filter(({ type }) => type === 'run.session_lost').map(({ data }) => data);
const stdoutOf = (step: StepView | undefined) => (step?.output as { stdout: string } | null)?.stdout;

describe('a run on the cluster', () => {
  it('loses its agent-runner in the middle of a long program', async () => {
    await begun(long.id);
    stack.kill('agent-runner');
    await waitFor(() => stack.clientOf(randomUUID()).runs.list(), { describe: 'agent-runner to be back' });
  });

  it('of the demo leaves the same artifacts as with the local driver, byte by byte', async () => {
    await using local = await startWholeStack();
    const artifacts = async (place: WholeStack) => {
      const user = randomUUID();
      const { runs } = place.clientOf(user);
      const { id } = await runs.create(await demoRun());
      expect((await ended(user, id, place)).run.status).toBe('completed');
      return (await runs.artifacts(id)).map(({ name, sha256, size_bytes }) => ({ name, sha256, size_bytes }));
    };
    const [here, there] = [await artifacts(local), await artifacts(stack)];
    expect(here.length).toBeGreaterThan(2);
    expect(there).toEqual(here);
  });

  it('whose program takes too much memory is told so, and pays for its time', async () => {
    const user = randomUUID();
    const code = `const kept = []; for (;;) kept.push(Buffer.alloc(16 * 1024 * 1024, 1));`;
    const { id } = await stack.clientOf(user).runs.create(playbook(code));
    const seen = await ended(user, id);
    expect(seen.run).toMatchObject({ status: 'failed', error: { code: 'memory' } });
    expect(seen.steps[0]?.error?.message).toMatch(/memory limit of \d+ MB/);
    expect(usageOf(seen)).toHaveLength(1);
    await gone(id);
  });

  it.each(inFull ? ['deleted', 'evicted'] : ['deleted'])(
    'whose pod is %s goes on in another, with its files, and pays for one program',
    async (how) => {
      const user = randomUUID();
      const { id } = await stack.clientOf(user).runs.create(playbook(note, work(3)));
      const pod = await begun(id);
      if (how === 'evicted') await evict(pod.name);
      else await kubectl('-n', sandboxNamespace, 'delete', 'pod', pod.name, '--wait=false');
      const seen = await ended(user, id);
      expect(seen.run.status).toBe('completed');
      expect(stdoutOf(seen.steps[1])).toBe('kept false\n');
      expect(lossesOf(seen)).toHaveLength(1);
      expect(lossesOf(seen)[0]?.message).toMatch(/^its sandbox was lost: \w/);
      expect(usageOf(seen)).toHaveLength(2);
      await gone(id);
    },
  );

  it('has shown every line of the long program, which ran once and is paid once', async () => {
    const owner = (
      await stack.query<{ user_id: string }>('select user_id from public.agent_runs where id = $1', [long.id])
    )[0];
    const seen = await ended(owner?.user_id ?? '', long.id);
    expect(seen.run).toMatchObject({ status: 'completed', attempt: 2 });
    const lines = Array.from({ length: 600 }, (_, i) => `line ${i}\n`).join('');
    expect(stdoutOf(seen.steps[0])).toBe(`${lines}x\n`);
    expect(usageOf(seen)).toHaveLength(1);
    expect(Number(usageOf(seen)[0]?.quantity)).toBeGreaterThan(59_000);
    expect(lossesOf(seen)).toEqual([]);
  });
});

async function evict(name: string): Promise<void> {
  const eviction = {
    apiVersion: 'policy/v1',
    kind: 'Eviction',
    metadata: { name, namespace: sandboxNamespace },
  };
  const path = `/api/v1/namespaces/${sandboxNamespace}/pods/${name}/eviction`;
  await kubectlWith(JSON.stringify(eviction), 'create', '--raw', path, '-f', '-');
}

describe.runIf(inFull)('a run whose sandbox cannot start', () => {
  it('says that the image is missing, and pays nothing', async () => {
    const settings = {
      SANDBOX_IMAGE: 'docker.io/swissbrain/sandbox-nowhere:0',
      SANDBOX_PATIENCE_SECONDS: '20',
    };
    await using other = await startWholeStack(await runnerOnCluster(directory, settings));
    const user = randomUUID();
    const { id } = await other.clientOf(user).runs.create(playbook(note));
    const seen = await ended(user, id, other);
    expect(seen.run).toMatchObject({ status: 'failed', error: { code: 'sandbox_image_missing' } });
    expect(seen.steps[0]?.error?.message).toContain('its image is not to be had');
    expect(seen.consumed).toBe(0n);
  });

  it('waits for a place, and says so when none becomes free, and pays nothing', async () => {
    const settings = {
      SANDBOX_NAMESPACES: `default=${smallNamespace}`,
      SANDBOX_START_SECONDS: '6',
      SANDBOX_PATIENCE_SECONDS: '12',
    };
    await using other = await startWholeStack(await runnerOnCluster(directory, settings));
    const [first, second] = [randomUUID(), randomUUID()];
    const holder = await other.clientOf(first).runs.create(playbook(minute));
    await waitFor(async () => (await podsOf(holder.id, smallNamespace)).length === 1, {
      describe: 'the place to be taken',
    });
    const { id } = await other.clientOf(second).runs.create(playbook(note));
    const seen = await ended(second, id, other);
    expect(seen.run).toMatchObject({ status: 'failed', error: { code: 'sandbox_unschedulable' } });
    expect(seen.steps[0]?.error?.message).toContain('all places for sandboxes are taken');
    expect(seen.consumed).toBe(0n);
    // The place is free with the end of who held it.
    const third = await other.clientOf(second).runs.create(playbook(note));
    await other.clientOf(first).runs.cancel(holder.id);
    expect((await ended(second, third.id, other)).run.status).toBe('completed');
  });
});

describe.runIf(inFull && mayBreakCluster)('a run while the cluster is broken', () => {
  it('goes on without the API server, and one that needs it begins when it is back', async () => {
    const [one, two] = [randomUUID(), randomUUID()];
    const running = await stack.clientOf(one).runs.create(playbook(note, work(30), work(0)));
    await begun(running.id);
    await breakCluster('api-stop');
    const waiting = await stack.clientOf(two).runs.create(playbook(note));
    try {
      // The program of the running one takes the 30 seconds that the API server is away.
      const completed = async () => {
        const steps = await Array.fromAsync(stack.clientOf(one).runs.steps(running.id));
        return steps.filter(({ status }) => status === 'completed').length >= 2;
      };
      await waitFor(completed, { describe: 'the program to end', timeoutMs: 60_000 });
    } finally {
      await breakCluster('api-start');
    }
    const seen = await ended(one, running.id);
    expect(seen.run.status).toBe('completed');
    expect(lossesOf(seen)).toEqual([]);
    expect((await ended(two, waiting.id)).run).toMatchObject({ status: 'completed', error: null });
    await gone(running.id);
    await gone(waiting.id);
  });

  it('goes on elsewhere when its machine is lost, or is cancelled at once; what is left there goes when it is back', async () => {
    const [one, two] = [randomUUID(), randomUUID()];
    // Where the cluster's own programs run is left alone.
    await kubectl('cordon', 'node-1');
    const [goesOn, isCancelled] = await Promise.all(
      [one, two].map((user) => stack.clientOf(user).runs.create(playbook(note, work(20)))),
    );
    if (!goesOn || !isCancelled) throw new Error('two runs were made');
    const [pod] = await Promise.all([begun(goesOn.id), begun(isCancelled.id)]);
    expect(pod.node).toBe('node-2');
    await kubectl('uncordon', 'node-1');
    await breakCluster('node-kill', pod.node);
    try {
      await stack.clientOf(two).runs.cancel(isCancelled.id);
      const cancelled = await ended(two, isCancelled.id);
      expect(cancelled.run.status).toBe('cancelled');
      // Nobody can reach the machine, hence nobody can have removed what it held.
      expect((await podsOf(isCancelled.id)).map(({ node }) => node)).toEqual(['node-2']);
      const seen = await ended(one, goesOn.id);
      expect(seen.run.status).toBe('completed');
      expect(stdoutOf(seen.steps[1])).toBe('kept false\n');
      expect(lossesOf(seen)).toHaveLength(1);
      expect(['unreachable', 'node_lost']).toContain(lossesOf(seen)[0]?.code);
      expect(usageOf(seen)).toHaveLength(2);
    } finally {
      await breakCluster('node-start', pod.node);
    }
    await kubectl('wait', 'node/node-2', '--for=condition=Ready', '--timeout=120s');
    await gone(goesOn.id);
    await gone(isCancelled.id);
  });
});
