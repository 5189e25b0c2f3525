import type { Tx } from '@swissbrain/service-kit/database';
import { sql } from 'kysely';

/** One entry of a run's conversation. */
export interface MessageRow {
  readonly id: string;
  readonly message_index: number;
  readonly role: 'system' | 'user' | 'assistant' | 'tool';
  readonly content: unknown;
  readonly step_id: string | null;
  readonly input_tokens: bigint;
  readonly output_tokens: bigint;
  readonly created_at: Date;
}

/** Messages after `after` in order. */
export async function listMessages(
  tx: Tx,
  runId: string,
  after: number,
  limit: number,
): Promise<MessageRow[]> {
  const { rows } = await sql<MessageRow>`select * from public.agent_messages
    where run_id = ${runId} and message_index > ${after} order by message_index limit ${limit}`.execute(tx);
  return rows;
}
