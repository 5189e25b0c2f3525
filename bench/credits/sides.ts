import { randomUUID } from 'node:crypto';
import { Client } from 'pg';
import { quantile } from '../measure.ts';
import type { Books } from './setup.ts';

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
const statement = (name: string, text: string) => (client: Client, values: unknown[]) =>
  client.query({ name, text, values });

const bareWrite = statement(
  'bare',
  `WITH moved AS (
     UPDATE bare_balances SET debited = debited + 1, seq = seq + 1, updated_at = clock_timestamp() WHERE user_id = $1
     RETURNING user_id, seq, credited - debited AS remains
   ), logged AS (
     INSERT INTO bare_log (user_id, reservation_seq, kind, amount_micro, hold_left_micro, reservation_id, run_id, step_id, operation,
       quantity, pricing_id, price_micro, per_quantity, cost_micro, idempotency_key, cause)
     SELECT user_id, seq, 'consume', -1000000, remains, user_id, user_id, $2::uuid, 'web.search', 1, user_id, 1000000, 1, 1000000,
       $2::text, 'step' FROM moved
   )
   INSERT INTO bare_outbox (source, aggregate_type, aggregate_id, aggregate_seq, type, user_id, root_id, data)
   SELECT 'credits', 'reservation', user_id, seq, 'credits.consumed', user_id, user_id,
     jsonb_build_object('reservation_id', user_id, 'run_id', user_id, 'consumed_micro', '1', 'held_micro', '1', 'lines',
       jsonb_build_array(jsonb_build_object('step_id', $2::text, 'operation', 'web.search', 'quantity', '1', 'cost_micro', '1000000')))
   FROM moved`,
);
const bareRead = statement('bare read', 'SELECT credited - debited FROM bare_balances WHERE user_id = $1');
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
export function callsOn({ holds, runs, users, busyHolds, busyUser }: Books) {
  return {
    bareSpread: (client: Client) => bareWrite(client, [place(users), randomUUID()]),
    bareHot: (client: Client) => bareWrite(client, [busyUser, randomUUID()]),
    bareRead: (client: Client) => bareRead(client, [place(users)]),
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
