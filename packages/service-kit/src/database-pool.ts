import type { Socket } from 'node:net';
import { Pool, type PoolClient, type PoolConfig, type QueryConfig, type QueryResult, types } from 'pg';
import type { BaseConfig } from './config.ts';
import type { Logger } from './logger.ts';

/** One checked-out connection. */
export type Connection = PoolClient & { readonly connection: { readonly stream: Socket } };
type PipelinedPoolConfig = PoolConfig & { pipeline: boolean };

const int8 = 20;
const int8Array = 1016;
const date = 1082;
const timestampWithoutZone = 1114;

/**
 * int8 is a bigint; date and timestamp without zone stay text, for which a JavaScript `Date` in the zone of
 * this machine would be wrong; the rest is pg's: timestamptz a `Date`, json parsed, numeric text.
 */
const typeParsers: NonNullable<PoolConfig['types']> = {
  getTypeParser(oid: number, format?: 'text' | 'binary') {
    if (oid === int8) return BigInt;
    if (oid === int8Array) return bigintArray;
    if (oid === date || oid === timestampWithoutZone) return (text: string) => text;
    return types.getTypeParser(oid, format as 'text');
  },
};

function bigintArray(text: string): (bigint | null)[] {
  const parse: (array: string) => (string | null)[] = types.getTypeParser(Number(int8Array), 'text');
  return parse(text).map((value) => (value === null ? null : BigInt(value)));
}

/** So much later than the server's own limit an answer may come. */
const answerGraceMs = 5_000;

/** The pool of a service. Connections pipeline: statements go out without waiting for the answers before them. */
export function createPool(service: string, config: BaseConfig, log: Logger): Pool {
  const role = config.DATABASE_SESSION_ROLE;
  const settings: PipelinedPoolConfig = {
    connectionString: config.DATABASE_URL,
    application_name: `swissbrain-${service}`,
    max: config.DATABASE_POOL_SIZE,
    pipeline: true,
    connectionTimeoutMillis: 5_000,
    idleTimeoutMillis: 30_000,
    maxLifetimeSeconds: 1_800,
    keepAlive: true,
    statement_timeout: config.DATABASE_STATEMENT_TIMEOUT_MS,
    // The server ends what takes too long; this is for a server that has vanished without a word.
    query_timeout: config.DATABASE_STATEMENT_TIMEOUT_MS + answerGraceMs,
    idle_in_transaction_session_timeout: config.DATABASE_STATEMENT_TIMEOUT_MS,
    types: typeParsers,
    ...(role === undefined
      ? {}
      : { onConnect: async (client) => void (await client.query(`SET SESSION AUTHORIZATION "${role}"`)) }),
  };
  const pool = new Pool(settings);
  // An idle connection that breaks has been dropped by the pool already.
  pool.on('error', (error) => log.warn({ err: error }, 'idle database connection lost'));
  // A connection that breaks while in use rejects its statements; the event of its own must have a listener.
  pool.on('connect', (client) =>
    client.on('error', (error) => log.debug({ err: error }, 'database connection lost')),
  );
  return pool;
}

/** Takes a connection out of the pool; give it back with `release()`, or `release(true)` to destroy it. */
export function acquire(pool: Pool): Promise<Connection> {
  return new Promise((resolve, reject) => {
    pool.connect((error, client) => {
      if (error || !client) reject(error ?? new Error('the pool gave no connection'));
      else resolve(client as Connection);
    });
  });
}

/** Sends one statement; several may be on their way on one connection, answered in order. */
export function send<R extends object>(client: Connection, query: QueryConfig): Promise<QueryResult<R>> {
  return new Promise((resolve, reject) => {
    void client.query<R>(query, (error: Error | null | undefined, result) => {
      if (error) reject(error);
      else resolve(result);
    });
  });
}
