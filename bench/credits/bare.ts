import { randomUUID } from 'node:crypto';
import type { Client } from 'pg';
import { statement } from './statement.ts';

/**
 * The baseline's tables: those of the ledger with their columns, indexes and fill factors, and nothing else: no function,
 * check, foreign key, trigger, policy or partition.
 */
export const bareTables = `
  CREATE TABLE bare_balances (LIKE credit_balances INCLUDING DEFAULTS INCLUDING INDEXES) WITH (fillfactor = 70);
  CREATE TABLE bare_reservations (LIKE credit_reservations INCLUDING DEFAULTS INCLUDING INDEXES) WITH (fillfactor = 70);
  CREATE TABLE bare_keys (LIKE credit_idempotency INCLUDING DEFAULTS INCLUDING INDEXES);
  CREATE TABLE bare_log (LIKE credit_transactions INCLUDING DEFAULTS INCLUDING INDEXES);
  CREATE TABLE bare_outbox (LIKE event_outbox INCLUDING DEFAULTS INCLUDING GENERATED INCLUDING INDEXES);`;

/** Fills them as the ledger is filled. */
export const fillBareTables = `
  INSERT INTO bare_balances SELECT * FROM credit_balances;
  INSERT INTO bare_reservations SELECT * FROM credit_reservations;`;

/** Key, entry and event of usage, behind the update named in `moved`, which returns the hold, its user and run. */
const usageOf = (moved: string): string => `
  WITH moved AS (${moved}), keyed AS (
    INSERT INTO bare_keys (user_id, key, action, request_hash, outcome, reservation_id, transaction_id, amount_micro)
    SELECT user_id, $2::text, 'consume', '\\x${'00'.repeat(32)}'::bytea, 'recorded', id, $3::uuid, 1000000 FROM moved
  ), logged AS (
    INSERT INTO bare_log (id, user_id, reservation_seq, kind, amount_micro, hold_left_micro, reservation_id, run_id, step_id,
      operation, quantity, pricing_id, price_micro, per_quantity, cost_micro, idempotency_key, cause)
    SELECT $3::uuid, user_id, seq, 'consume', -1000000, remains, id, run_id, $3::uuid, 'web.search', 1, id, 1000000, 1, 1000000,
      $2::text, 'step' FROM moved
  )
  INSERT INTO bare_outbox (source, aggregate_type, aggregate_id, aggregate_seq, type, user_id, root_id, data)
  SELECT 'credits', 'reservation', id, seq, 'credits.consumed', user_id, run_id,
    jsonb_build_object('reservation_id', id, 'run_id', run_id, 'consumed_micro', remains::text, 'held_micro', remains::text,
      'lines', jsonb_build_array(jsonb_build_object('step_id', $3::text, 'operation', 'web.search', 'quantity', '1',
        'cost_micro', '1000000')))
  FROM moved`;

/** One update of a hold, one key, one entry, one event: what consume_credits writes. */
const usageOfHold = statement(
  'bare usage of a hold',
  usageOf(`UPDATE bare_reservations SET consumed_micro = consumed_micro + 1, seq = seq + 1, updated_at = clock_timestamp()
    WHERE id = $1 RETURNING id, user_id, run_id, seq, held_micro - consumed_micro AS remains`),
);

/** The same with the account's row, as a ledger has to do that knows no holds. */
const usageOfAccount = statement(
  'bare usage of an account',
  usageOf(`UPDATE bare_balances SET debited_micro = debited_micro + 1, seq = seq + 1, updated_at = clock_timestamp()
    WHERE user_id = $1 RETURNING user_id AS id, user_id, user_id AS run_id, seq, credited_micro - debited_micro AS remains`),
);

/** One new hold, one update of the account, one key, one entry, one event as long as the real one: what reserve_credits writes. */
const hold = statement(
  'bare hold',
  `WITH moved AS (
     UPDATE bare_balances SET reserved_micro = reserved_micro + 1000000, seq = seq + 1, updated_at = clock_timestamp()
     WHERE user_id = $1 RETURNING user_id, seq, credited_micro - debited_micro - reserved_micro AS available
   ), held AS (
     INSERT INTO bare_reservations (id, user_id, run_id, state, requested_micro, minimum_micro, held_micro, price_as_of, ttl,
       expires_at, heartbeat_at, seq)
     SELECT $2::uuid, user_id, $3::uuid, 'active', 1000000, 1000000, 1000000, clock_timestamp(), '1 hour',
       clock_timestamp() + interval '1 hour', clock_timestamp(), 1 FROM moved
   ), keyed AS (
     INSERT INTO bare_keys (user_id, key, action, request_hash, outcome, reservation_id, amount_micro)
     SELECT user_id, $4::text, 'reserve', '\\x${'00'.repeat(32)}'::bytea, 'active', $2::uuid, 1000000 FROM moved
   ), logged AS (
     INSERT INTO bare_log (user_id, account_seq, kind, amount_micro, hold_micro, available_after_micro, reservation_id, run_id, cause)
     SELECT user_id, seq, 'reserve', 0, 1000000, available, $2::uuid, $3::uuid, 'run' FROM moved
   )
   INSERT INTO bare_outbox (source, aggregate_type, aggregate_id, aggregate_seq, type, user_id, root_id, data)
   SELECT 'credits', 'reservation', $2::uuid, 1, 'credits.reserved', user_id, $3::uuid, $5::jsonb FROM moved`,
);

/** One update of the hold, one of the account, one key, one entry, one event: what release_credits writes. */
const release = statement(
  'bare release',
  `WITH moved AS (
     UPDATE bare_balances SET reserved_micro = reserved_micro - 1000000, seq = seq + 1, updated_at = clock_timestamp()
     WHERE user_id = $1 RETURNING user_id, seq, credited_micro - debited_micro - reserved_micro AS available
   ), closed AS (
     UPDATE bare_reservations SET state = 'settled', released_micro = held_micro, closed_at = clock_timestamp(),
       close_reason = 'bench', seq = seq + 1, updated_at = clock_timestamp()
     WHERE id = $2 RETURNING id, run_id, seq
   ), keyed AS (
     INSERT INTO bare_keys (user_id, key, action, request_hash, outcome, reservation_id, amount_micro)
     SELECT user_id, $3::text, 'release', '\\x${'00'.repeat(32)}'::bytea, 'settled', $2::uuid, 1000000 FROM moved
   ), logged AS (
     INSERT INTO bare_log (user_id, account_seq, kind, amount_micro, hold_micro, available_after_micro, reservation_id, run_id,
       idempotency_key, cause)
     SELECT user_id, moved.seq, 'release', 0, -1000000, available, id, run_id, $3::text, 'bench' FROM moved, closed
   )
   INSERT INTO bare_outbox (source, aggregate_type, aggregate_id, aggregate_seq, type, user_id, root_id, data)
   SELECT 'credits', 'reservation', id, closed.seq, 'credits.released', user_id, run_id,
     jsonb_build_object('reservation_id', id, 'run_id', run_id, 'consumed_micro', '0', 'released_micro', '1000000',
       'available_micro', available::text)
   FROM moved, closed`,
);

const read = statement(
  'bare read',
  'SELECT credited_micro - debited_micro FROM bare_balances WHERE user_id = $1',
);

const key = (of: string): [string, string] => {
  const id = randomUUID();
  return [`${of}:${id}:0`, id];
};

/** The writes of the ledger's calls, without the ledger: a prepared statement each. */
export const bare = {
  usageOfHold: (client: Client, id: string) => usageOfHold(client, [id, ...key('step')]),
  usageOfAccount: (client: Client, user: string) => usageOfAccount(client, [user, ...key('step')]),
  read: (client: Client, user: string) => read(client, [user]),
  /** A hold and its end, two transactions. */
  async cycle(client: Client, user: string, event: string): Promise<void> {
    const [id, run] = [randomUUID(), randomUUID()];
    await hold(client, [user, id, run, `run:${run}`, event]);
    await release(client, [user, id, `release:${run}`]);
  },
};
