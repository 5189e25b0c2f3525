import { randomUUID } from 'node:crypto';
import { Client } from 'pg';
import { quantile } from '../measure.ts';
import { bare } from './bare.ts';
import type { Books } from './setup.ts';
import { statement } from './statement.ts';

/** One call of one client; `nth` counts the calls of a side. */
export type Call = (client: Client, nth: number) => Promise<unknown>;

/** As many connections, each prepared for what it is asked often. @returns what closes them, too */
export async function connectAll(url: string, clients: number, role: string | null) {
  const connections = await Promise.all(
    Array.from({ length: clients }, async () => {
      const client = new Client({ connectionString: url });
      await client.connect();
      if (role !== null) await client.query(`SET ROLE ${role}`);
      return client;
    }),
  );
  return {
    connections,
    [Symbol.asyncDispose]: async () => {
      await Promise.all(connections.map((client) => client.end()));
    },
  };
}

export interface Timed {
  /** Calls a second. */
  readonly rate: number;
  /** Milliseconds that 99 of 100 calls stay below. */
  readonly p99: number;
}

/** So many calls, one after the other on each connection. */
export async function timed(connections: readonly Client[], calls: number, call: Call): Promise<Timed> {
  let next = 0;
  const latencies: number[] = [];
  const start = performance.now();
  await Promise.all(
    connections.map(async (client) => {
      while (next < calls) {
        const began = performance.now();
        next += 1;
        await call(client, next);
        latencies.push(performance.now() - began);
      }
    }),
  );
  return { rate: calls / ((performance.now() - start) / 1000), p99: quantile(latencies, 0.99) };
}

const place = <T>(items: readonly T[]): T => {
  const item = items[Math.floor(Math.random() * items.length)];
  if (item === undefined) throw new Error('nothing to choose from');
  return item;
};
const consumeOne = statement(
  'consume',
  `SELECT * FROM consume_credits($1, $2, 'web.search', 1, $3, clock_timestamp())`,
);
const consumeMany = statement('usage', 'SELECT * FROM consume_usage($1)');
const check = statement('check', `SELECT * FROM check_credits($1, 'web.search', 1)`);
const reserve = statement(
  'reserve',
  `SELECT reservation_id AS id FROM reserve_credits($1, $2, 1000000, $3, '1 hour')`,
);
const release = statement('release', `SELECT * FROM release_credits($1, $2, 'bench')`);

const step = (): [string, string] => {
  const id = randomUUID();
  return [`step:${id}:0`, id];
};

/** How many lines share a transaction in `batches`. */
export const linesPerBatch = 20;

/** The calls of both sides. */
export function callsOn({ holds, runs, users, busyHolds, busyUser, reservedEvent }: Books) {
  return {
    bareSpread: (client: Client) => bare.usageOfHold(client, place(holds)),
    bareHot: (client: Client) => bare.usageOfAccount(client, busyUser),
    /** Two calls. */
    bareCycle: (client: Client) => bare.cycle(client, busyUser, reservedEvent),
    bareRead: (client: Client) => bare.read(client, place(users)),
    consumeSpread: (client: Client) => consumeOne(client, [place(holds), ...step()]),
    consumeHot: (client: Client, nth: number) =>
      consumeOne(client, [busyHolds[nth % busyHolds.length], ...step()]),
    batches: (client: Client) => {
      const items = Array.from({ length: linesPerBatch }, () => {
        const [key, step_id] = step();
        const run = place(runs);
        return { root_run_id: run, run_id: run, step_id, key, operation: 'web.search', quantity: '1' };
      });
      return consumeMany(client, [JSON.stringify(items)]);
    },
    check: (client: Client) => check(client, [place(users)]),
    /** Two calls of the ledger. */
    async cycle(client: Client): Promise<void> {
      const run = randomUUID();
      const { rows } = await reserve(client, [busyUser, run, `run:${run}`]);
      const [reserved] = rows as { id: string }[];
      await release(client, [reserved?.id, `release:${run}`]);
    },
  };
}
