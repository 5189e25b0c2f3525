/**
 * What the whole path of a step costs: row, event, settlement. Beside it DBOS workflows with as many no-op steps on
 * the same Postgres, and plain BullMQ jobs on the same Redis, which keep neither rows nor events nor money.
 * Arguments: the number of pairs (5).
 */
import { join } from 'node:path';
import { startNats } from '@swissbrain/local-stack/nats';
import { startPostgres } from '@swissbrain/local-stack/postgres';
import { startRedis } from '@swissbrain/local-stack/redis';
import { z } from 'zod';
import { migrate, withClient } from '../../db/migrate.ts';
import type { Benchmark } from '../benchmark.ts';
import { compare, type Figure, measurePairs, quantile } from '../measure.ts';
import { type Load, type Sample, startProgram } from './program.ts';
import { startSwissBrain } from './swissbrain.ts';

const alone: Load = { workflows: 1, steps: 500 };
const fifty: Load = { workflows: 50, steps: 100 };
const pairsArgument = z.coerce.number().int().min(1).max(50).default(5);

type Side = (load: Load) => Promise<Sample>;

async function figuresOf(
  load: Load,
  label: string,
  pairs: number,
  ours: Side,
  dbos: Side,
  bullmq: Side,
): Promise<Figure[]> {
  const total = load.workflows * load.steps;
  const rate = ({ seconds }: Sample): number => total / seconds;
  const besideDbos = await measurePairs(
    pairs,
    () => ours(load),
    () => dbos(load),
  );
  const besideBullmq = await measurePairs(
    pairs,
    () => ours(load),
    () => bullmq(load),
  );
  const steps = { unit: 'steps/s', better: 'higher' } as const;
  const time = { unit: 'ms', better: 'lower', goal: null } as const;
  const compareTimes = (share: number) =>
    compare(
      { ...time, name: `p${share * 100} per step, ${label}, beside DBOS` },
      besideDbos.map((pair) => ({
        ours: quantile(pair.ours.stepMs, share),
        baseline: quantile(pair.baseline.stepMs, share),
      })),
    );
  const rates = (pairsMeasured: { ours: Sample; baseline: Sample }[]) =>
    pairsMeasured.map((pair) => ({ ours: rate(pair.ours), baseline: rate(pair.baseline) }));
  return [
    compare({ ...steps, name: `steps, ${label}, beside DBOS`, goal: 1 }, rates(besideDbos)),
    compareTimes(0.5),
    compareTimes(0.99),
    compare({ ...steps, name: `steps, ${label}, beside BullMQ alone`, goal: null }, rates(besideBullmq)),
  ];
}

/** Runs the benchmark; `pnpm bench run-overhead` calls it. */
export const run: Benchmark = async ({ root, dataDir, args, log }) => {
  const pairs = pairsArgument.parse(args[0]);
  await using started = new AsyncDisposableStack();
  const own = async <T extends { stop(): Promise<void> }>(starting: Promise<T>): Promise<T> =>
    started.adopt(await starting, (server) => server.stop());
  const postgres = await own(startPostgres({ dataDir: join(dataDir, 'postgres') }));
  const nats = await own(startNats({ dataDir: join(dataDir, 'nats') }));
  const redis = await own(startRedis({ dataDir: join(dataDir, 'redis') }));
  await migrate({ url: postgres.url });
  await withClient(postgres.url, (client) => client.query('create database dbos_bench'));
  const dbosUrl = new URL(postgres.url);
  dbosUrl.pathname = '/dbos_bench';

  const servers = { postgresUrl: postgres.url, natsUrl: nats.url, redisUrl: redis.url };
  const ours = await own(startSwissBrain(root, dataDir, servers));
  const program = (file: string, environment: Record<string, string>) =>
    own(startProgram(join(root, 'bench/run-overhead', file), environment));
  const dbos = await program('dbos-workflows.ts', { DBOS_DATABASE_URL: dbosUrl.href });
  const bullmq = await program('bullmq-jobs.ts', { REDIS_URL: redis.url });

  log('warming up');
  for (const side of [ours, dbos, bullmq]) {
    await side.measure({ workflows: 1, steps: 100 });
    await side.measure({ workflows: 50, steps: 10 });
  }
  log(`one run of ${alone.steps} steps, ${pairs} pairs`);
  const figures = await figuresOf(alone, 'one run', pairs, ours.measure, dbos.measure, bullmq.measure);
  log(`${fifty.workflows} runs of ${fifty.steps} steps, ${pairs} pairs`);
  return [
    ...figures,
    ...(await figuresOf(fifty, '50 runs', pairs, ours.measure, dbos.measure, bullmq.measure)),
  ];
};
