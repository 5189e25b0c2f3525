import type { QueryConfig } from 'pg';

/** Several statements went out in one transaction, and all of it is known to have been rolled back. */
export class RolledBack extends Error {
  override readonly name = 'RolledBack';
}

/** Runs statements in one transaction, in order; the rows of each. Throws RolledBack where nothing was written for sure. */
export type RunTogether = (statements: readonly QueryConfig[]) => Promise<unknown[][]>;

/** Lets statements that come at about the same time share a transaction, and so one flush of the log. */
export interface GroupCommit {
  /**
   * Resolves with the statement's rows once its transaction has committed. `key` names the row that the statement
   * locks first: within a transaction statements go in order of their keys, so that two groups cannot deadlock.
   */
  run(statement: QueryConfig, key: string): Promise<unknown[]>;
}

interface Waiting {
  readonly statement: QueryConfig;
  readonly key: string;
  readonly resolve: (rows: unknown[]) => void;
  readonly reject: (error: unknown) => void;
}

export interface GroupLimits {
  /** Transactions on their way at once. While there is one less, a statement waits for nothing. */
  readonly lanes: number;
  /** Statements of one transaction. */
  readonly most: number;
}

const defaultLimits: GroupLimits = { lanes: 2, most: 32 };

/**
 * A statement that fails takes its whole transaction down, so a group that was rolled back is tried again one by
 * one: only the statement that is to blame fails. Where the end of a transaction is unknown, all of it fails.
 */
export function createGroupCommit(together: RunTogether, limits: GroupLimits = defaultLimits): GroupCommit {
  const waiting: Waiting[] = [];
  let lanes = 0;
  let scheduled = false;

  const alone = async (one: Waiting): Promise<void> => {
    try {
      const [rows = []] = await together([one.statement]);
      one.resolve(rows);
    } catch (thrown) {
      one.reject(thrown instanceof RolledBack ? thrown.cause : thrown);
    }
  };
  const send = async (group: readonly Waiting[]): Promise<void> => {
    if (group.length === 1 && group[0]) return alone(group[0]);
    try {
      const answers = await together(group.map(({ statement }) => statement));
      for (const [index, one] of group.entries()) one.resolve(answers[index] ?? []);
    } catch (thrown) {
      if (!(thrown instanceof RolledBack)) for (const one of group) one.reject(thrown);
      else for (const one of group) await alone(one);
    }
  };
  const start = (): void => {
    scheduled = false;
    while (lanes < limits.lanes && waiting.length > 0) {
      lanes += 1;
      const group = waiting
        .splice(0, limits.most)
        .sort((a, b) => (a.key < b.key ? -1 : a.key > b.key ? 1 : 0));
      void send(group).finally(() => {
        lanes -= 1;
        schedule();
      });
    }
  };
  /** After whatever else the same turn of the event loop brings. */
  const schedule = (): void => {
    if (scheduled || waiting.length === 0 || lanes >= limits.lanes) return;
    scheduled = true;
    setImmediate(start);
  };
  return {
    run: (statement, key) =>
      new Promise((resolve, reject) => {
        waiting.push({ statement, key, resolve, reject });
        schedule();
      }),
  };
}
