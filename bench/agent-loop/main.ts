/**
 * What our loop adds to a conversation with a model: goal runs beside the same conversations by hand with the `ai`
 * package, against the same scripted server. Then many runs at once that wait for the model: memory of each; and one
 * run of a user beside the many of another.
 * Arguments: the number of runs (1,000), of pairs (5), and of runs of one pair (50).
 */
import { join } from 'node:path';
import type { Client } from '@swissbrain/client/client';
import { startNats } from '@swissbrain/local-stack/nats';
import { startPostgres } from '@swissbrain/local-stack/postgres';
import { startRedis } from '@swissbrain/local-stack/redis';
import { waitFor } from '@swissbrain/testkit/wait';
import { z } from 'zod';
import { migrate } from '../../db/migrate.ts';
import type { Benchmark } from '../benchmark.ts';
import { startLineProgram } from '../line-program.ts';
import { alone, compare, type Figure, measurePairs } from '../measure.ts';
import { type SwissBrain, startSwissBrain } from '../run-overhead/swissbrain.ts';
import { answers, goal, hangingGoal } from './conversations.ts';

const count = (fallback: number) => z.coerce.number().int().min(1).max(10_000).default(fallback);
const modelState = z.object({ url: z.url(), count: z.number() });
const plainAnswer = z.object({ seconds: z.number().positive(), calls: z.number() });
const patience = { timeoutMs: 600_000 } as const;

const ended = (client: Client, id: string) =>
  waitFor(
    async () => {
      const run = await client.runs.get(id);
      if (run.status === 'failed') throw new Error(`run ${id}: ${run.error?.message}`);
      return run.status === 'completed' ? run : undefined;
    },
    { ...patience, describe: `the end of run ${id}` },
  );

/** All runs of a user, asked for together: a question for each would be most of what the service does. */
async function allEnded(client: Client): Promise<void> {
  const open = 'pending,queued,planning,running';
  const none = async (status: string) => (await client.runs.list({ status, limit: 1 })).items.length === 0;
  await waitFor(() => none(open), { ...patience, describe: 'the end of all runs' });
  if (!(await none('failed'))) throw new Error('a run has failed');
}

/** Starts runs a few at a time: the benchmark is about the loop, not about a burst of requests. */
async function create(client: Client, runs: number, text: string): Promise<string[]> {
  const ids: string[] = [];
  while (ids.length < runs) {
    const next = Array.from({ length: Math.min(25, runs - ids.length) }, () =>
      client.runs.create({ goal: text, mode: 'general' }),
    );
    ids.push(...(await Promise.all(next)).map(({ id }) => id));
  }
  return ids;
}

async function timeOf(work: () => Promise<unknown>): Promise<number> {
  const started = performance.now();
  await work();
  return (performance.now() - started) / 1_000;
}

/** So many runs at once beside as many conversations by hand. */
async function overhead(
  ours: SwissBrain,
  plain: { ask(question: unknown): Promise<unknown> },
  runs: number,
  pairs: number,
): Promise<Figure> {
  const user = await ours.user();
  const byUs = () =>
    timeOf(async () => {
      await create(user, runs, goal);
      await allEnded(user);
    });
  const byHand = async () => {
    const { seconds, calls } = plainAnswer.parse(await plain.ask({ runs }));
    if (calls !== runs * answers) throw new Error(`${calls} calls by hand, not ${runs * answers}`);
    return seconds;
  };
  if (pairs > 1) {
    await byUs();
    await byHand();
  }
  const measured = await measurePairs(pairs, byUs, byHand);
  const perAnswer = (seconds: number) => (seconds * 1_000) / (runs * answers);
  const name = `answer and call, ${runs} runs at once, beside a plain loop`;
  return compare(
    { name, unit: 'ms', better: 'lower', goal: null },
    measured.map((pair) => ({ ours: perAnswer(pair.ours), baseline: perAnswer(pair.baseline) })),
  );
}

/** One run alone and one beside the many of another user, each from request to end. */
async function fairness(ours: SwissBrain, runs: number, pairs: number): Promise<Figure> {
  const [many, one] = await Promise.all([ours.user(), ours.user()]);
  const single = () => timeOf(async () => ended(one, (await one.runs.create({ goal, mode: 'general' })).id));
  const measured: { ours: number; baseline: number }[] = [];
  for (let pair = 0; pair < pairs; pair += 1) {
    const baseline = await single();
    await create(many, runs, goal);
    measured.push({ ours: await single(), baseline });
    await allEnded(many);
  }
  const name = `one run beside ${runs} of another user`;
  return compare({ name, unit: 's', better: 'lower', goal: null }, measured);
}

/** What each of many runs takes of memory while its model is thinking. */
async function memory(ours: SwissBrain, asked: () => Promise<number>, runs: number): Promise<Figure> {
  const user = await ours.user();
  const before = await ours.memory();
  const from = await asked();
  const ids = await create(user, runs, hangingGoal);
  await waitFor(async () => (await asked()) - from >= runs, { ...patience, describe: 'all runs to wait' });
  const each = ((await ours.memory()) - before) / runs / 1_024;
  for (const id of ids) await user.runs.cancel(id);
  return alone({ name: `memory of each of ${runs} runs`, unit: 'KiB', better: 'lower', goal: null }, [each]);
}

/** Runs the benchmark; `pnpm bench agent-loop` calls it. */
export const run: Benchmark = async ({ root, dataDir, args, log }) => {
  const [runs, pairs, beside] = [
    count(1_000).parse(args[0]),
    count(5).parse(args[1]),
    count(50).parse(args[2]),
  ];
  await using started = new AsyncDisposableStack();
  const own = async <T extends { stop(): Promise<void> }>(starting: Promise<T>): Promise<T> =>
    started.adopt(await starting, (server) => server.stop());
  const program = (file: string, environment: Record<string, string> = {}) =>
    own(startLineProgram(join(root, 'bench/agent-loop', file), environment));
  const postgres = await own(startPostgres({ dataDir: join(dataDir, 'postgres') }));
  const nats = await own(startNats({ dataDir: join(dataDir, 'nats') }));
  const redis = await own(startRedis({ dataDir: join(dataDir, 'redis') }));
  await migrate({ url: postgres.url });
  const model = await program('model-server.ts');
  const state = async () => modelState.parse(await model.ask({}));
  const { url } = await state();
  const plain = await program('plain-loop.ts', { MODEL_URL: url });
  const servers = { postgresUrl: postgres.url, natsUrl: nats.url, redisUrl: redis.url };
  const settings = { MODEL_BASE_URL: url, MODEL_NAME: 'scripted', MODEL_TIMEOUT_SECONDS: '900' };
  const start = (more: Readonly<Record<string, string>>) =>
    startSwissBrain(root, dataDir, servers, {
      program: 'bench/agent-loop/agent-runner.ts',
      settings: { ...settings, DATABASE_POOL_SIZE: '20', ...more },
    });
  const figures: Figure[] = [];
  const add = (figure: Figure) => {
    figures.push(figure);
    log(`${figure.name}: ${figure.ours.toPrecision(3)} ${figure.unit}`);
  };

  // Places for all of them, so that all are under way at once.
  const wide = await start({ RUN_CONCURRENCY: '1000' });
  try {
    for (const many of [beside, runs]) {
      add(await overhead(wide, plain, many, many > 100 ? Math.min(pairs, 2) : pairs));
      add(await memory(wide, async () => (await state()).count, many));
    }
  } finally {
    await wide.stop();
  }
  // As many places as a process has by default, so that most of the runs wait in line.
  const usual = await start({});
  try {
    add(await fairness(usual, runs, Math.min(pairs, 3)));
  } finally {
    await usual.stop();
  }
  return figures;
};
