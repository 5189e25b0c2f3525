import type { Tx } from '@swissbrain/service-kit/database';
import { sql } from 'kysely';

/** An event of a run as clients follow it. */
export interface RunEventRow {
  readonly id: string;
  readonly type: string;
  readonly version: number;
  readonly run_seq: bigint;
  readonly created_at: Date;
  readonly data: Readonly<Record<string, unknown>>;
}

/** The run's own events after `after`, in order; of the transaction's user by row-level security. */
export async function readRunEvents(
  tx: Tx,
  runId: string,
  after: bigint,
  limit: number,
): Promise<RunEventRow[]> {
  const { rows } =
    await sql<RunEventRow>`select id, type, version, run_seq, created_at, data from public.event_outbox
    where run_id = ${runId} and run_seq > ${after} order by run_seq limit ${limit}`.execute(tx);
  return rows;
}
