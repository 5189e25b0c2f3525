/**
 * How fast an event is where it is needed: from the commit to the handler of its consumer, and how fast a backlog
 * drains. Beside it the same by hand (insert, NOTIFY, JetStream publish and consume) without any of the guarantees.
 * Then the drain with a tap attached, and with 1,000 clients that come back at once to follow a run.
 * Arguments: the number of pairs (3).
 */
import { join } from 'node:path';
import { startNats } from '@swissbrain/local-stack/nats';
import { startPostgres } from '@swissbrain/local-stack/postgres';
import { startRedis } from '@swissbrain/local-stack/redis';
import { serviceEnvironment } from '@swissbrain/testkit/environment';
import { z } from 'zod';
import { migrate } from '../../db/migrate.ts';
import type { Benchmark } from '../benchmark.ts';
import { type LineProgram, startLineProgram } from '../line-program.ts';
import { compare, type Figure, measurePairs, quantile } from '../measure.ts';
import { startFollowedRun } from './followed-run.ts';
import { answer, type Request } from './program.ts';

const paced: Request = { what: 'paced', events: 1_000, perSecond: 200 };
const drained: Request = { what: 'drain', events: 10_000 };
const followerCount = 1_000;
const pairsArgument = z.coerce.number().int().min(1).max(50).default(3);

const measure = async (side: LineProgram, request: Request) => answer.parse(await side.ask(request));
const rate = async (side: LineProgram) => drained.events / (await measure(side, drained)).seconds;

async function latencies(pairs: number, ours: LineProgram, floor: LineProgram): Promise<Figure[]> {
  const measured = await measurePairs(
    pairs,
    () => measure(ours, paced),
    () => measure(floor, paced),
  );
  const figure = (share: number, goal: number) =>
    compare(
      {
        name: `commit to handler at 200/s, p${share * 100}, beside the floor`,
        unit: 'ms',
        better: 'lower',
        goal,
      },
      measured.map((pair) => ({
        ours: quantile(pair.ours.ms, share),
        baseline: quantile(pair.baseline.ms, share),
      })),
    );
  return [figure(0.5, 1 / 3), figure(0.99, 1 / 5)];
}

const rates = { unit: 'events/s', better: 'higher' } as const;

async function drains(
  pairs: number,
  ours: LineProgram,
  floor: LineProgram,
  startTap: () => Promise<LineProgram>,
): Promise<Figure[]> {
  const tapped = async () => {
    const tap = await startTap();
    try {
      return await rate(ours);
    } finally {
      await tap.stop();
    }
  };
  return [
    compare(
      { ...rates, name: 'outbox drain, beside raw async publish', goal: 0.8 },
      await measurePairs(
        pairs,
        () => rate(ours),
        () => rate(floor),
      ),
    ),
    compare(
      { ...rates, name: 'outbox drain with a tap, beside none', goal: 0.9 },
      await measurePairs(pairs, tapped, () => rate(ours)),
    ),
  ];
}

/** Runs the benchmark; `pnpm bench events` calls it. */
export const run: Benchmark = async ({ root, dataDir, args, log }) => {
  const pairs = pairsArgument.parse(args[0]);
  await using started = new AsyncDisposableStack();
  const own = async <T extends { stop(): Promise<void> }>(starting: Promise<T>): Promise<T> =>
    started.adopt(await starting, (server) => server.stop());
  const postgres = await own(startPostgres({ dataDir: join(dataDir, 'postgres') }));
  const nats = await own(startNats({ dataDir: join(dataDir, 'nats') }));
  const redis = await own(startRedis({ dataDir: join(dataDir, 'redis') }));
  await migrate({ url: postgres.url });
  const environment = {
    ...serviceEnvironment('credits', { database: { adminUrl: postgres.url }, nats, redis }),
    // As many connections as the floor has, and as a service has by default.
    ...{ LOG_LEVEL: 'error', NODE_ENV: 'development', DATABASE_POOL_SIZE: '10' },
  };
  const program = (file: string, more: Record<string, string> = {}) =>
    startLineProgram(join(root, 'bench/events', file), { ...environment, ...more });
  const ours = await own(program('ours.ts'));
  const floor = await own(program('floor.ts'));

  log('warming up');
  for (const side of [ours, floor]) {
    await measure(side, { ...paced, events: 100 });
    await measure(side, { ...drained, events: 2_000 });
  }
  log(`events at ${paced.perSecond}/s, ${pairs} pairs`);
  const figures = await latencies(pairs, ours, floor);

  log(`a backlog of ${drained.events} events, with and without a tap, ${pairs} pairs`);
  const tap = () => program('tap.ts');
  figures.push(...(await drains(pairs, ours, floor, tap)));
  log(`the same while ${followerCount} followers come back, ${pairs} pairs`);
  const followed = await own(
    startFollowedRun({ root, dataDir, postgresUrl: postgres.url, natsUrl: nats.url, redisUrl: redis.url }),
  );
  const followers = await own(
    program('followers.ts', {
      ...{ EVENTS_URL: followed.eventsUrl, TOKEN: followed.token, FOLLOWERS: String(followerCount) },
    }),
  );
  await followers.ask({});
  const besieged = async () => {
    const back = followers.ask({});
    const measured = await rate(ours);
    await back;
    return measured;
  };
  figures.push(
    compare(
      { ...rates, name: `outbox drain while ${followerCount} followers reconnect, beside none`, goal: null },
      await measurePairs(pairs, besieged, () => rate(ours)),
    ),
  );
  return figures;
};
