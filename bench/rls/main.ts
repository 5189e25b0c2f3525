/**
 * What the lock on other people's rows costs, on tables filled as `db:fill` does: the same questions under the
 * policies and with the filter written by hand past them, and transactions of `withUser` beside plain ones.
 * Arguments: the number of pairs (15), the rows per table (100000).
 */
import { join } from 'node:path';
import { startPostgres } from '@swissbrain/local-stack/postgres';
import { openServiceDatabase, principalFor } from '@swissbrain/testkit/service-database';
import { sql } from 'kysely';
import { Client, Pool } from 'pg';
import { z } from 'zod';
import { fill } from '../../db/fill.ts';
import { migrate } from '../../db/migrate.ts';
import type { Benchmark } from '../benchmark.ts';
import { compare, type Figure, measurePairs } from '../measure.ts';
import { type Query, queries } from './queries.ts';

const argumentsOf = z.tuple([
  z.coerce.number().int().min(1).max(50).default(15),
  z.coerce.number().int().min(1000).default(100_000),
]);
/** At most 1.3 times the time, at least 0.7 times the transactions. */
const goals = { queries: 1 / 1.3, transactions: 0.7 };
const repeats = 40;
const transactionsPerSide = 4_000;
const atOnce = 8;

interface Subject {
  readonly userId: string;
  readonly parameters: readonly unknown[];
}

/** Users with little, some and much: every twentieth place of the skewed order. */
async function subjectsOf(client: Client, query: Query): Promise<Subject[]> {
  const { rows } = await client.query<{ id: string }>(
    `SELECT user_id AS id FROM (SELECT user_id, row_number() OVER (ORDER BY count(*) DESC) AS place
       FROM agent_runs GROUP BY user_id) AS users WHERE place <= 400 AND place % 20 = 1`,
  );
  const subjects: Subject[] = [];
  for (const { id } of rows) {
    if (query.parameter === undefined) subjects.push({ userId: id, parameters: [] });
    else {
      const found = await client.query<Record<string, unknown>>(query.parameter, [id]);
      const [row] = found.rows;
      if (row !== undefined) subjects.push({ userId: id, parameters: Object.values(row) });
    }
  }
  return subjects;
}

/** Milliseconds of one query, averaged over the subjects; roles and claims are set outside the measured time. */
async function averageMs(
  client: Client,
  query: Query,
  subjects: readonly Subject[],
  policies: boolean,
): Promise<number> {
  let total = 0;
  for (const { userId, parameters } of subjects) {
    await client.query('BEGIN');
    if (policies) {
      await client.query(`SET LOCAL ROLE sb_${query.service}_user`);
      await client.query(`SELECT set_config('request.jwt.claims', $1, true)`, [
        JSON.stringify({ sub: userId }),
      ]);
    }
    // Prepared, as services prepare what they ask often.
    const statement = policies
      ? { name: `${query.name}, by policy`, text: query.underPolicies, values: [...parameters] }
      : { name: `${query.name}, by hand`, text: query.byHand, values: [...parameters, userId] };
    const start = performance.now();
    for (let turn = 0; turn < repeats; turn += 1) await client.query(statement);
    total += performance.now() - start;
    await client.query('COMMIT');
  }
  return total / (subjects.length * repeats);
}

async function compareQuery(client: Client, query: Query, pairs: number): Promise<Figure> {
  const subjects = await subjectsOf(client, query);
  const side = (policies: boolean) => () => averageMs(client, query, subjects, policies);
  await side(true)();
  await side(false)();
  const measured = await measurePairs(pairs, side(true), side(false));
  return compare({ name: query.name, unit: 'ms', better: 'lower', goal: goals.queries }, measured);
}

/** Transactions per second, so many at once. */
async function rateOf(transaction: () => Promise<unknown>): Promise<number> {
  let left = transactionsPerSide;
  const start = performance.now();
  const worker = async (): Promise<void> => {
    while (left > 0) {
      left -= 1;
      await transaction();
    }
  };
  await Promise.all(Array.from({ length: atOnce }, worker));
  return transactionsPerSide / ((performance.now() - start) / 1000);
}

async function compareTransactions(client: Client, url: string, pairs: number): Promise<Figure> {
  const { rows } = await client.query<{ id: string; user_id: string }>(
    'SELECT id, user_id FROM agent_runs LIMIT 1',
  );
  const { id, user_id: userId } = z.object({ id: z.string(), user_id: z.string() }).parse(rows[0]);
  const ours = openServiceDatabase('agent-runner', { adminUrl: url }, { connections: atOnce });
  const plain = new Pool({ connectionString: url, max: atOnce });
  try {
    const principal = principalFor(userId);
    const withUser = () =>
      ours.withUser(principal, (tx) => sql`SELECT status FROM agent_runs WHERE id = ${id}`.execute(tx));
    const pooled = async (): Promise<void> => {
      const connection = await plain.connect();
      await connection.query('BEGIN');
      await connection.query({
        name: 'read',
        text: 'SELECT status FROM agent_runs WHERE id = $1',
        values: [id],
      });
      await connection.query('COMMIT');
      connection.release();
    };
    const sides = [() => rateOf(withUser), () => rateOf(pooled)] as const;
    for (const side of sides) await side();
    const measured = await measurePairs(pairs, ...sides);
    const measurement = {
      name: 'withUser beside plain transactions',
      unit: 'tx/s',
      better: 'higher',
    } as const;
    return compare({ ...measurement, goal: goals.transactions }, measured);
  } finally {
    await ours.close();
    await plain.end();
  }
}

/** Runs the benchmark; `pnpm bench rls` calls it. */
export const run: Benchmark = async ({ dataDir, args, log }) => {
  const [pairs, rows] = argumentsOf.parse([args[0], args[1]]);
  await using started = new AsyncDisposableStack();
  const postgres = started.adopt(await startPostgres({ dataDir: join(dataDir, 'postgres') }), (server) =>
    server.stop(),
  );
  await migrate({ url: postgres.url });
  log(`filling each table with ${rows} rows`);
  await fill({ url: postgres.url, rows });
  const client = new Client({ connectionString: postgres.url });
  await client.connect();
  started.defer(() => client.end());

  const figures: Figure[] = [];
  for (const query of queries) {
    log(`${query.name}, ${pairs} pairs`);
    figures.push(await compareQuery(client, query, pairs));
  }
  log(`transactions, ${pairs} pairs`);
  figures.push(await compareTransactions(client, postgres.url, pairs));
  return figures;
};
