import { identifierOf, type ServiceName } from '@swissbrain/shared-schema/ids';
import { createQueryId, type RawBuilder } from 'kysely';
import type { QueryConfig } from 'pg';
import type { BaseConfig } from './config.ts';
import { isRolledBack, mapDatabaseError, spoilsConnection } from './database-errors.ts';
import { fly } from './database-flight.ts';
import { acquire, type Connection, createPool, send } from './database-pool.ts';
import { appendsToOutbox, compiler, openTransaction, type Tx } from './database-transaction.ts';
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
  const asService: Setting = ['role', role];
  const asUser = ({ claims }: Principal): Setting[] => [
    ['role', `${role}_user`],
    ['request.jwt.claims', JSON.stringify(claims)],
  ];
  const onOutboxAppend = options.onOutboxAppend ?? (() => {});

  const transact = async <T>(settings: readonly Setting[], work: (tx: Tx<DB>) => Promise<T>): Promise<T> => {
    const client = await acquire(pool).catch(rethrowMapped);
    const transaction = openTransaction(client, names, [begin, settingStatement([...settings, ...trace()])]);
    let result: T;
    try {
      result = await work(transaction.tx as Tx<DB>);
    } catch (thrown) {
      transaction.close();
      throw await rollBack(client, transaction.hasBegun(), thrown);
    }
    transaction.close();
    await commit(client, transaction.hasBegun());
    if (transaction.state.wakesRelay) onOutboxAppend();
    for (const action of transaction.state.afterCommit) action();
    return result;
  };

  const inOneFlight = async (
    statements: readonly QueryConfig[],
    settings: readonly Setting[],
  ): Promise<unknown[][]> =>
    sendInOneFlight(await acquire(pool).catch(rethrowMapped), settingStatement(settings), statements);
  const one = async (config: QueryConfig, settings: readonly Setting[]): Promise<unknown[]> => {
    const [rows = []] = await inOneFlight([config], settings).catch((thrown: unknown) => {
      throw thrown instanceof RolledBack ? thrown.cause : thrown;
    });
    return rows;
  };
  // Their traces differ, so each statement of a group brings its own.
  const group = createGroupCommit((statements) => inOneFlight(statements, [asService]));

  return {
    service,
    withUser: (principal, work) => transact(asUser(principal), work),
    withService: (work) => transact([asService], work),
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
          ? await one(config, [asService, ...trace(), ...settingsOf(options)])
          : await group.run(config, groupCommit);
      if (wakeRelay || appendsToOutbox(query.sql)) onOutboxAppend();
      return rows as R[];
    },
    close: () => pool.end(),
  };
}

/** A setting that ends with its transaction. */
type Setting = readonly [name: string, value: string];

function settingsOf({ mayBeLost, planOnce }: StatementOptions): Setting[] {
  const settings: Setting[] = [];
  if (mayBeLost) settings.push(['synchronous_commit', 'off']);
  if (planOnce) settings.push(['plan_cache_mode', 'force_generic_plan']);
  return settings;
}

/** Events that triggers and functions append carry on the trace as well: it is the column's default. */
function trace(): Setting[] {
  const traceparent = currentTraceparent();
  return traceparent === null ? [] : [['sb.traceparent', traceparent]];
}

const begin: QueryConfig = { name: 'sb_begin', text: 'BEGIN' };

/** As SET LOCAL, in one statement that is prepared once per connection for each set of names. */
function settingStatement(settings: readonly Setting[]): QueryConfig {
  const name = `sb_set_${settings.map(([setting]) => setting).join('_')}`;
  let text = settingTexts.get(name);
  if (text === undefined) {
    const calls = settings.map(([setting], index) => `set_config('${setting}', $${index + 1}, true)`);
    text = `SELECT ${calls.join(', ')}`;
    settingTexts.set(name, text);
  }
  return { name, text, values: settings.map(([, value]) => value) };
}
/** There are as many as sets of names, a handful; each transaction asks for one. */
const settingTexts = new Map<string, string>();

/**
 * Settings and statements of a transaction, written to the socket at once; the rows of each statement.
 * @throws RolledBack, with the failure as its cause, when nothing was written for sure
 */
async function sendInOneFlight(
  client: Connection,
  opening: QueryConfig,
  statements: readonly QueryConfig[],
): Promise<unknown[][]> {
  try {
    const results = await fly(client, [opening], statements);
    client.release();
    return results.map(({ rows }) => rows);
  } catch (thrown) {
    client.release(spoilsConnection(thrown));
    const error = mapDatabaseError(thrown);
    throw isRolledBack(thrown) ? new RolledBack('a statement failed', { cause: error }) : error;
  }
}

/** Commits, and makes sure of it: COMMIT of a failed transaction succeeds with the tag ROLLBACK. */
async function commit(client: Connection, hasBegun: boolean): Promise<void> {
  if (!hasBegun) return client.release();
  let command: string;
  try {
    ({ command } = await send(client, { text: 'COMMIT' }));
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

/** Rolls back and returns the error to throw. */
async function rollBack(client: Connection, hasBegun: boolean, thrown: unknown): Promise<unknown> {
  const [rolledBack] = await Promise.allSettled(hasBegun ? [send(client, { text: 'ROLLBACK' })] : []);
  const clean = rolledBack?.status !== 'rejected' && !stale(thrown);
  client.release(!clean);
  return mapDatabaseError(thrown);
}

/** A prepared plan that a migration has made unusable stays so for the life of the connection. */
function stale(thrown: unknown): boolean {
  return thrown instanceof Error && 'code' in thrown && thrown.code === '0A000';
}

function rethrowMapped(thrown: unknown): never {
  throw mapDatabaseError(thrown);
}
