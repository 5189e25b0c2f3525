/**
 * What the ledger costs beside the same physical writes by hand: one prepared statement a call, without functions, checks,
 * foreign keys, triggers, policies or partitions (`bare.ts`). Beside consume_credits: one row updated, a key, a log row with
 * the ledger's indexes, an outbox row; the row is that of a hold (P1) or, as a ledger without holds has it, the account's
 * (P2). Beside reserve_credits and release_credits: the account's row updated, a hold inserted and later updated, each
 * time a key, a log row and an outbox row as long as the real ones (P3). Both sides go over the same number of connections
 * of the same program, in turns, with a commit that waits for the disk. The Postgres that comes with the repository has no
 * pgbench; the statements are the ones it would send, so its own overhead is the program's here, on both sides.
 * Arguments: the number of pairs (5), the accounts (10000), the calls per measurement (3000).
 */
import { closeSync, fdatasyncSync, openSync, writeSync } from 'node:fs';
import { mkdir } from 'node:fs/promises';
import { join } from 'node:path';
import { startPostgres } from '@swissbrain/local-stack/postgres';
import { Client } from 'pg';
import { z } from 'zod';
import type { Benchmark } from '../benchmark.ts';
import { alone, compare, type Figure, measurePairs } from '../measure.ts';
import { openBooks } from './setup.ts';
import { type Call, callsOn, connectAll, linesPerBatch, type Timed, timed } from './sides.ts';

const argumentsOf = z.tuple([
  z.coerce.number().int().min(1).max(50).default(5),
  z.coerce.number().int().min(10).default(10_000),
  z.coerce.number().int().min(100).default(3_000),
]);

interface Contest {
  readonly name: string;
  readonly clients: number;
  readonly ours: Call;
  readonly baseline: Call;
  /** What one call of ours counts for, and one of the baseline. */
  readonly weight: number;
  readonly baselineWeight?: number;
  readonly goal: number;
  readonly by: 'rate' | 'p99';
}

/** Flushes a second of one small write each, for people to judge the disk by. */
function flushesPerSecond(file: string): number {
  const handle = openSync(file, 'w');
  const block = Buffer.alloc(8192);
  const start = performance.now();
  let flushes = 0;
  while (performance.now() - start < 1_000) {
    writeSync(handle, block, 0, block.length, 0);
    fdatasyncSync(handle);
    flushes += 1;
  }
  closeSync(handle);
  return Math.round(flushes / ((performance.now() - start) / 1000));
}

async function measure(url: string, contest: Contest, pairs: number, calls: number): Promise<Figure> {
  const { clients, by, weight, baselineWeight = 1 } = contest;
  await using ours = await connectAll(url, clients, 'sb_credits');
  await using bare = await connectAll(url, clients, null);
  // A batch is many calls in one, so fewer of them take as long.
  const oursCalls = Math.max(clients, Math.ceil(calls / weight));
  const bareCalls = Math.max(clients, Math.ceil(calls / baselineWeight));
  const one = (): Promise<Timed> => timed(ours.connections, oursCalls, contest.ours);
  const other = (): Promise<Timed> => timed(bare.connections, bareCalls, contest.baseline);
  await timed(ours.connections, Math.ceil(oursCalls / 5), contest.ours);
  await timed(bare.connections, Math.ceil(bareCalls / 5), contest.baseline);
  const measured = await measurePairs(pairs, one, other);
  const better = by === 'rate' ? 'higher' : 'lower';
  const value = (side: Timed, each: number): number => (by === 'rate' ? side.rate * each : side.p99);
  return compare(
    { name: contest.name, unit: by === 'rate' ? '/s' : 'ms', better, goal: contest.goal },
    measured.map((pair) => ({
      ours: value(pair.ours, weight),
      baseline: value(pair.baseline, baselineWeight),
    })),
  );
}

/** Accounts that do not add up, of those that were written to. */
async function violations(url: string): Promise<number> {
  const client = new Client({ connectionString: url });
  await client.connect();
  try {
    const { rows } = await client.query<{ wrong: string }>(
      `SELECT count(*) AS wrong FROM verify_accounts(ARRAY(SELECT DISTINCT user_id FROM credit_idempotency))`,
    );
    return Number(rows[0]?.wrong ?? Number.NaN);
  } finally {
    await client.end();
  }
}

/** Runs the benchmark; `pnpm bench credits` calls it. */
export const run: Benchmark = async ({ dataDir, args, log }) => {
  const [pairs, accounts, calls] = argumentsOf.parse([args[0], args[1], args[2]]);
  await using started = new AsyncDisposableStack();
  await mkdir(dataDir, { recursive: true });
  log(`one flush after the other: ${flushesPerSecond(join(dataDir, 'flushes'))}/s`);
  const postgres = started.adopt(await startPostgres({ dataDir: join(dataDir, 'postgres') }), (server) =>
    server.stop(),
  );
  log(`opening ${accounts} accounts`);
  const books = await openBooks(postgres.url, accounts);
  const call = callsOn(books);
  const rate = { by: 'rate', weight: 1 } as const;
  const contests: readonly Contest[] = [
    {
      ...rate,
      name: 'P1 consume, many accounts',
      clients: 8,
      ours: call.consumeSpread,
      baseline: call.bareSpread,
      goal: 0.5,
    },
    {
      ...rate,
      name: 'P2 consume, one account, ten runs',
      clients: 10,
      ours: call.consumeHot,
      baseline: call.bareHot,
      goal: 1.5,
    },
    {
      ...rate,
      name: 'P3 reserve and release, one account, per call',
      clients: 8,
      weight: 2,
      baselineWeight: 2,
      ours: call.cycle,
      baseline: call.bareCycle,
      goal: 0.4,
    },
    {
      ...rate,
      name: `P4 ${linesPerBatch} consumes a transaction, items`,
      clients: 8,
      weight: linesPerBatch,
      ours: call.batches,
      baseline: call.consumeSpread,
      goal: 2,
    },
    {
      by: 'p99',
      weight: 1,
      name: 'P5 check, p99 beside a read by key',
      clients: 8,
      ours: call.check,
      baseline: call.bareRead,
      goal: 1 / 3,
    },
  ];
  const figures: Figure[] = [];
  for (const contest of contests) {
    log(`${contest.name}, ${pairs} pairs`);
    figures.push(await measure(books.url, contest, pairs, calls));
  }
  log('verifying every account that was written to');
  const wrong = await violations(books.url);
  figures.push(alone({ name: 'P6 rows that do not add up', unit: '', better: 'lower', goal: 0 }, [wrong]));
  return figures;
};
