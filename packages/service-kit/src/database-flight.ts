import pg, { type QueryConfig, type QueryResult, type QueryResultRow } from 'pg';
import type { Connection } from './database-pool.ts';

/** The parts of pg's query that its client calls; pg has them documented in its source alone. */
interface WireQuery {
  handleDataRow(message: unknown): void;
  handleCommandComplete(message: unknown, connection: Wire): void;
  handleReadyForQuery(connection: Wire): void;
  handleError(error: Error, connection: Wire): void;
}

/** The messages of the extended query protocol (https://www.postgresql.org/docs/current/protocol-message-formats.html). */
interface Wire {
  readonly stream: { cork(): void; uncork(): void };
  readonly parsedStatements: Record<string, string>;
  readonly submittedNamedStatements: Record<string, string>;
  parse(message: { readonly text: string; readonly name?: string | undefined }): void;
  bind(message: { readonly statement?: string | undefined; readonly values: readonly unknown[] }): void;
  describe(message: { readonly type: 'P'; readonly name: string }): void;
  execute(message: object): void;
  sync(): void;
  on(event: 'parseComplete', listener: () => void): void;
  off(event: 'parseComplete', listener: () => void): void;
}

type Answer = (error: Error | null, results: QueryResult | QueryResult[]) => void;

const Query = pg.Query as unknown as new (config: { readonly text: string }, callback: Answer) => WireQuery;
/** Turns a value into what travels; not in pg's types. */
const { prepareValue } = (pg as unknown as { utils: { prepareValue(value: unknown): unknown } }).utils;

/**
 * Several statements in one write with a single Sync behind them. What comes before a Sync is one transaction to
 * Postgres, which the Sync commits unless BEGIN is among it
 * (https://www.postgresql.org/docs/current/protocol-flow.html#PROTOCOL-FLOW-PIPELINING), and is answered in one piece,
 * where statements with a Sync each are answered and read one by one.
 */
class Flight extends Query {
  readonly #statements: readonly QueryConfig[];
  /** So many of them, the first, answer with what nobody needs. */
  #silent: number;
  /** Statements whose preparation has not been confirmed, in order. */
  readonly #parsing: (string | undefined)[] = [];
  #settle = (): void => {};

  constructor(opening: readonly QueryConfig[], statements: readonly QueryConfig[], callback: Answer) {
    super({ text: '' }, callback);
    this.#silent = opening.length;
    this.#statements = [...opening, ...statements];
  }

  /** Writes everything at once; called by pg's client. Returns why nothing was written, if it was not. */
  submit(connection: Wire): Error | null {
    let values: unknown[][];
    try {
      values = this.#statements.map((statement) => (statement.values ?? []).map(prepareValue));
    } catch (thrown) {
      return thrown instanceof Error ? thrown : new Error('a value cannot be sent', { cause: thrown });
    }
    connection.stream.cork();
    for (const [index, { name, text }] of this.#statements.entries()) {
      if (name === undefined || !isPrepared(connection, name)) this.#prepare(connection, name, text);
      connection.bind({ statement: name, values: values[index] ?? [] });
      if (index >= this.#silent) connection.describe({ type: 'P', name: '' });
      connection.execute({});
    }
    connection.sync();
    connection.stream.uncork();
    if (this.#parsing.length > 0) this.#watch(connection);
    return null;
  }

  override handleDataRow(message: unknown): void {
    if (this.#silent === 0) super.handleDataRow(message);
  }

  override handleCommandComplete(message: unknown, connection: Wire): void {
    if (this.#silent === 0) super.handleCommandComplete(message, connection);
    else this.#silent -= 1;
  }

  override handleReadyForQuery(connection: Wire): void {
    this.#settle();
    super.handleReadyForQuery(connection);
  }

  override handleError(error: Error, connection: Wire): void {
    this.#settle();
    super.handleError(error, connection);
  }

  #prepare(connection: Wire, name: string | undefined, text: string): void {
    connection.parse({ name, text });
    this.#parsing.push(name);
    if (name !== undefined) connection.submittedNamedStatements[name] = text;
  }

  /** After an error the server skips what follows: only what it confirmed is prepared. */
  #watch(connection: Wire): void {
    const texts = new Map(this.#statements.map(({ name, text }) => [name, text]));
    const confirm = (): void => {
      const name = this.#parsing.shift();
      if (name !== undefined) connection.parsedStatements[name] = texts.get(name) ?? '';
    };
    connection.on('parseComplete', confirm);
    this.#settle = () => {
      connection.off('parseComplete', confirm);
      for (const name of texts.keys())
        if (name !== undefined) delete connection.submittedNamedStatements[name];
    };
  }
}

function isPrepared(connection: Wire, name: string): boolean {
  return (
    connection.parsedStatements[name] !== undefined || connection.submittedNamedStatements[name] !== undefined
  );
}

/**
 * Runs `statements` behind `opening` in one round trip: in a transaction of their own, or, when `opening` begins with
 * BEGIN, as the start of one that stays open. The results of `statements`, in order.
 * @throws DatabaseError of the statement that failed, or of the commit
 * @throws Error when the connection was lost
 */
export function fly(
  client: Connection,
  opening: readonly QueryConfig[],
  statements: readonly QueryConfig[],
): Promise<QueryResult[]> {
  const { promise, resolve, reject } = Promise.withResolvers<QueryResult[]>();
  const flight = new Flight(opening, statements, (error, results) => {
    if (error) reject(error);
    else resolve(Array.isArray(results) ? results : [results]);
  });
  client.query(flight as unknown as QueryConfig);
  return promise;
}

/** `fly` with one statement. */
export async function flyOne<R extends QueryResultRow>(
  client: Connection,
  opening: readonly QueryConfig[],
  statement: QueryConfig,
): Promise<QueryResult<R>> {
  const [result] = await fly(client, opening, [statement]);
  if (!result) throw new Error('Postgres gave no result');
  return result as QueryResult<R>;
}
