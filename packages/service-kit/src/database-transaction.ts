import {
  type CompiledQuery,
  type DatabaseConnection,
  DefaultQueryExecutor,
  type Dialect,
  type Driver,
  Kysely,
  PostgresAdapter,
  PostgresIntrospector,
  PostgresQueryCompiler,
  type QueryResult,
} from 'kysely';
import type { QueryConfig } from 'pg';
import { flyOne } from './database-flight.ts';
import { type Connection, send } from './database-pool.ts';
import type { StatementNames } from './statement-names.ts';

declare const transactionBrand: unique symbol;
/**
 * A Kysely instance bound to one open transaction; there is no other way to reach tables. Without `DB` it is
 * the handle of any transaction, for functions that write their SQL themselves.
 */
// biome-ignore lint/suspicious/noExplicitAny: Kysely is not covariant in DB, `unknown` would admit no typed handle
export type Tx<DB = any> = Kysely<DB> & { readonly [transactionBrand]: true };

interface TransactionState {
  readonly afterCommit: (() => void)[];
  wakesRelay: boolean;
}
const states = new WeakMap<object, TransactionState>();

/**
 * Runs `action` once the transaction of `tx` has committed, never otherwise. It must not throw.
 * @throws Error when `tx` is not the handle that `withUser` or `withService` gave
 */
export function afterCommit(tx: Tx, action: () => void): void {
  stateOf(tx).afterCommit.push(action);
}

/** Notes that the transaction appends to the outbox, so that the relay is woken once it has committed. */
export function markOutboxAppend(tx: Tx): void {
  stateOf(tx).wakesRelay = true;
}

function stateOf(tx: object): TransactionState {
  const state = states.get(tx);
  if (!state)
    throw new Error('not the handle of a transaction: pass the tx that withUser or withService gave');
  return state;
}

/** A transaction on a connection; it begins with its first statement. */
export interface OpenTransaction {
  readonly hasBegun: () => boolean;
  readonly tx: Tx;
  readonly state: Readonly<TransactionState>;
  /** From now on every use of the handle fails: it must not reach into a later transaction. */
  close(): void;
}

const outboxInsert = /insert\s+into\s+(?:public\.)?event_outbox\b/i;
/**
 * Statements that write events themselves are known by the table they insert into. Reading or marking rows must not
 * count: the relay does both, and would wake itself for ever.
 */
export const appendsToOutbox = (sql: string): boolean => outboxInsert.test(sql);

const adapter = new PostgresAdapter();
/** Turns statements into SQL; stateless, shared by all transactions. */
export const compiler = new PostgresQueryCompiler();

/** Binds a Kysely instance to a connection; `opening` goes out with the first statement, in one write. */
export function openTransaction(
  client: Connection,
  names: StatementNames,
  opening: readonly QueryConfig[],
): OpenTransaction {
  const state: TransactionState = { afterCommit: [], wakesRelay: false };
  let open = true;
  let begun = false;
  const connection: DatabaseConnection = {
    async executeQuery<R>(query: CompiledQuery): Promise<QueryResult<R>> {
      if (!open) throw new Error('the transaction of this handle has ended');
      if (!state.wakesRelay && appendsToOutbox(query.sql)) state.wakesRelay = true;
      const name = names.nameOf(query.sql);
      const values = [...query.parameters];
      const statement = name ? { name, text: query.sql, values } : { text: query.sql, values };
      const isFirst = !begun;
      begun = true;
      const result = isFirst
        ? await flyOne<R & object>(client, opening, statement)
        : await send<R & object>(client, statement);
      const affected = result.command === 'SELECT' ? null : result.rowCount;
      return affected === null
        ? { rows: result.rows }
        : { rows: result.rows, numAffectedRows: BigInt(affected) };
    },
    // biome-ignore lint/correctness/useYield: pg offers no portal on a pipelined connection
    async *streamQuery() {
      throw new Error('streaming is not available in a transaction: read in pages');
    },
  };
  const executor = new DefaultQueryExecutor(compiler, adapter, {
    provideConnection: (consumer) => consumer(connection),
  });
  const tx = new Kysely({ config: { dialect }, dialect, driver, executor }) as unknown as Tx;
  states.set(tx, state);
  return {
    tx,
    state,
    hasBegun: () => begun,
    close() {
      open = false;
    },
  };
}

const refuse = (): never => {
  throw new Error('transactions are opened by withUser and withService alone');
};
const driver: Driver = {
  init: async () => {},
  destroy: async () => {},
  acquireConnection: async () => refuse(),
  releaseConnection: async () => refuse(),
  beginTransaction: async () => refuse(),
  commitTransaction: async () => refuse(),
  rollbackTransaction: async () => refuse(),
};
const dialect: Dialect = {
  createAdapter: () => adapter,
  createDriver: () => driver,
  createQueryCompiler: () => compiler,
  createIntrospector: (db) => new PostgresIntrospector(db),
};
