import { setTimeout as delay } from 'node:timers/promises';
import { sql } from 'kysely';
import type { Database } from './database.ts';
import { describeError } from './errors.ts';
import type { Logger } from './logger.ts';

const everyMs = 3_600_000;
/** Rows one pass deletes at most; a backlog is worked off by the next ones. */
const batchRows = 10_000;

/**
 * Keeps the platform's tables in shape, every hour and from every service, which does no harm: forgets stored answers
 * after their 24 hours, creates the partitions of the months to come and drops those past their time
 * (`sb.monthly_partitions` says which).
 */
export function startMaintenance(database: Database, log: Logger): { stop(): Promise<void> } {
  const stopping = new AbortController();
  const loop = async (): Promise<void> => {
    while (!stopping.signal.aborted) {
      await maintainOnce(database).catch((thrown: unknown) => {
        log.warn({ reason: describeError(thrown) }, 'maintenance of the platform tables failed');
      });
      await delay(everyMs, undefined, { signal: stopping.signal, ref: false }).catch(() => {});
    }
  };
  const running = loop();
  return {
    stop() {
      stopping.abort();
      return running;
    },
  };
}

/**
 * One pass of the maintenance.
 * @throws AppError retry `later` when a log is in such use that its partitions cannot be changed within moments
 */
export async function maintainOnce(database: Database): Promise<void> {
  // The age is asked for twice: a repeat that has just taken an old key over must not lose it.
  await database.serviceStatement(sql`
    DELETE FROM api_idempotency WHERE created_at < now() - interval '24 hours' AND ctid = ANY (ARRAY (
      SELECT ctid FROM api_idempotency
      WHERE source = ${database.service} AND created_at < now() - interval '24 hours'
      LIMIT ${batchRows}))`);
  // Each call is a transaction that changes one thing, so that its locks last for moments only.
  let done: string | null;
  do done = await maintainPartitions(database);
  while (done !== null);
}

async function maintainPartitions(database: Database): Promise<string | null> {
  const [step] = await database.serviceStatement(
    sql<{ done: string | null }>`SELECT sb.maintain_partitions() AS done`,
  );
  return step?.done ?? null;
}
