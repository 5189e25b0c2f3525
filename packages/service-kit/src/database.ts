import { identifierOf, type ServiceName } from '@swissbrain/shared-schema/ids';
import { createQueryId, type RawBuilder } from 'kysely';
import { escapeLiteral, type QueryConfig } from 'pg';
import type { BaseConfig } from './config.ts';
import { mapDatabaseError, spoilsConnection } from './database-errors.ts';
import { acquire, type Connection, createPool, send } from './database-pool.ts';
import { appendsToOutbox, compiler, openTransaction, type Tx } from './database-transaction.ts';
import { kitErrors, toError } from './errors.ts';
import { createGroupCommit, RolledBack } from './group-commit.ts';
import type { Logger } from './logger.ts';
import { createStatementNames } from './statement-names.ts';
import { currentTraceparent } from './trace-context.ts';

export { afterCommit, type Tx } from './database-transaction.ts';

/** Who makes a request: what the access token says, verified. */
export interface Principal {
  readonly userId: string;
  readonly tenantId: string | null;
  readonly scopes: readonly string[];
  readonly claims: Readonly<Record<string, unknown>>;
}

/**
 * The service's slice of Postgres. The login role has no grants of its own, so that nothing works outside
 * these three. Nothing is retried: a lost race is an `AppError` with retry `later`.
 */
// biome-ignore lint/suspicious/noExplicitAny: without DB it is the database of any service, see Tx
export interface Database<DB = any> {
  readonly service: ServiceName;
  /** One transaction as the user's role of the service, under row-level security for that user. */
  withUser<T>(principal: Principal, work: (tx: Tx<DB>) => Promise<T>): Promise<T>;
  /** One transaction as the service itself, for background work. */
  withService<T>(work: (tx: Tx<DB>) => Promise<T>): Promise<T>;
  /**
   * One statement in a transaction of its own as the service, in a single round trip. `wakeRelay` is needed
   * only when the statement appends events inside a function or trigger, where its text does not say so.
   * `groupCommit` names the row that the statement locks: statements of different rows that come at once then share
   * a transaction, in order of their rows. Who locks several such rows elsewhere must take them in the same order.
   */
  serviceStatement<R>(statement: RawBuilder<R>, options?: StatementOptions): Promise<R[]>;
  /** Waits for the transactions under way and closes every connection. */
  close(): Promise<void>;
}

export interface StatementOptions {
  readonly wakeRelay?: boolean;
  readonly groupCommit?: string;
  /** The commit does not wait for the disk: a crash of Postgres right afterwards undoes it. */
  readonly mayBeLost?: boolean;
  /** The statement is planned once per connection, not for the values of each time. */
  readonly planOnce?: boolean;
}

export interface DatabaseOptions {
  readonly service: ServiceName;
  readonly config: BaseConfig;
  readonly log: Logger;
  /** Called after the commit of a transaction that appended to the outbox. */
  readonly onOutboxAppend?: () => void;
}

/** Opens the pool lazily: no connection is made before the first transaction. */
export function createDatabase<DB>(options: DatabaseOptions): Database<DB> {
  const { service, config, log } = options;
  const pool = createPool(service, config, log);
  const names = createStatementNames();
  const role = `sb_${identifierOf(service)}`;
  const beginService = () => `BEGIN;SET LOCAL ROLE "${role}"${traceSetting()}`;
  const beginUser = ({ claims }: Principal) =>
    `BEGIN;SET LOCAL ROLE "${role}_user";SET LOCAL request.jwt.claims TO ${escapeLiteral(JSON.stringify(claims))}${traceSetting()}`;
  const onOutboxAppend = options.onOutboxAppend ?? (() => {});

  const transact = async <T>(opening: string, work: (tx: Tx<DB>) => Promise<T>): Promise<T> => {
    const client = await acquire(pool).catch(rethrowMapped);
    // BEGIN and the statement that follows it at once leave in one write.
    const { stream } = client.connection;
    stream.cork();
    process.nextTick(() => stream.uncork());
    const begun = send(client, { text: opening });
    // Observed where the transaction ends; the first statement does not wait for it.
    begun.catch(() => {});
    const transaction = openTransaction(client, names);
    let result: T;
    try {
      result = await work(transaction.tx as Tx<DB>);
    } catch (thrown) {
      transaction.close();
      throw await rollBack(client, begun, thrown);
    }
    transaction.close();
    await commit(client, begun);
    if (transaction.state.wakesRelay) onOutboxAppend();
    for (const action of transaction.state.afterCommit) action();
    return result;
  };

  const inOneFlight = async (statements: readonly QueryConfig[], opening: string): Promise<unknown[][]> =>
    sendInOneFlight(await acquire(pool).catch(rethrowMapped), opening, statements);
  const one = async (config: QueryConfig, opening: string): Promise<unknown[]> => {
    const [rows = []] = await inOneFlight([config], opening).catch((thrown: unknown) => {
      throw thrown instanceof RolledBack ? thrown.cause : thrown;
    });
    return rows;
  };
  // Their traces differ, so each statement of a group brings its own.
  const openingOfGroup = `BEGIN;SET LOCAL ROLE "${role}"`;
  const group = createGroupCommit((statements) => inOneFlight(statements, openingOfGroup));

  return {
    service,
    withUser: (principal, work) => transact(beginUser(principal), work),
    withService: (work) => transact(beginService(), work),
    async serviceStatement<R>(statement: RawBuilder<R>, options: StatementOptions = {}) {
      const { wakeRelay = false, groupCommit } = options;
      const query = compiler.compileQuery(statement.toOperationNode(), createQueryId());
      const name = names.nameOf(query.sql);
      const config: QueryConfig = {
        text: query.sql,
        values: [...query.parameters],
        ...(name ? { name } : {}),
      };
      const rows =
        groupCommit === undefined
          ? await one(config, `${beginService()}${settingsOf(options)}`)
          : await group.run(config, groupCommit);
      if (wakeRelay || appendsToOutbox(query.sql)) onOutboxAppend();
      return rows as R[];
    },
    close: () => pool.end(),
  };
}

function settingsOf({ mayBeLost, planOnce }: StatementOptions): string {
  return `${mayBeLost ? ';SET LOCAL synchronous_commit TO off' : ''}${planOnce ? ';SET LOCAL plan_cache_mode TO force_generic_plan' : ''}`;
}

/** Events that triggers and functions append carry on the trace as well: it is the column's default. */
function traceSetting(): string {
  const traceparent = currentTraceparent();
  return traceparent === null ? '' : `;SET LOCAL sb.traceparent TO ${escapeLiteral(traceparent)}`;
}

/**
 * BEGIN with its role, the statements and COMMIT, written to the socket at once; the rows of each statement.
 * @throws RolledBack, with the failure as its cause, when nothing was written for sure
 */
async function sendInOneFlight(
  client: Connection,
  opening: string,
  statements: readonly QueryConfig[],
): Promise<unknown[][]> {
  const { stream } = client.connection;
  stream.cork();
  const flight = [{ text: opening }, ...statements, { text: 'COMMIT' }].map((query) => send(client, query));
  stream.uncork();
  const parts = await Promise.allSettled(flight);
  const failed = parts.find((part) => part.status === 'rejected');
  const committed = parts.at(-1);
  if (failed) {
    // After a failed statement COMMIT ends the transaction with a rollback, and the connection is clean again.
    const ended = parts[0]?.status === 'fulfilled' && committed?.status === 'fulfilled';
    client.release(!(ended && !spoilsConnection(failed.reason)));
    const error = mapDatabaseError(failed.reason);
    throw ended ? new RolledBack('a statement failed', { cause: error }) : error;
  }
  const answers = parts.flatMap((part) => (part.status === 'fulfilled' ? [part.value] : []));
  if (answers.at(-1)?.command !== 'COMMIT') {
    client.release(true);
    throw kitErrors.database_conflict('the transaction was rolled back instead of committed');
  }
  client.release();
  return answers.slice(1, -1).map(({ rows }) => rows);
}

/** Commits, and makes sure of it: COMMIT of a failed transaction succeeds with the tag ROLLBACK. */
async function commit(client: Connection, begun: Promise<unknown>): Promise<void> {
  let command: string;
  try {
    const [, committed] = await Promise.all([begun, send(client, { text: 'COMMIT' })]);
    command = committed.command;
  } catch (thrown) {
    client.release(true);
    throw mapDatabaseError(thrown);
  }
  client.release();
  if (command !== 'COMMIT') {
    throw new Error(
      'the transaction was rolled back: a statement in it failed and its error was not passed on',
    );
  }
}

/** Rolls back and returns the error to throw: that of BEGIN if it failed, since the others only follow. */
async function rollBack(client: Connection, begun: Promise<unknown>, thrown: unknown): Promise<unknown> {
  const [opening, rolledBack] = await Promise.allSettled([begun, send(client, { text: 'ROLLBACK' })]);
  const clean = opening.status === 'fulfilled' && rolledBack.status === 'fulfilled' && !stale(thrown);
  client.release(!clean);
  return mapDatabaseError(opening.status === 'rejected' ? toError(opening.reason) : thrown);
}

/** A prepared plan that a migration has made unusable stays so for the life of the connection. */
function stale(thrown: unknown): boolean {
  return thrown instanceof Error && 'code' in thrown && thrown.code === '0A000';
}

function rethrowMapped(thrown: unknown): never {
  throw mapDatabaseError(thrown);
}
