import type { Tx } from '@swissbrain/service-kit/database';
import { sql } from 'kysely';
import type { StoredPayload } from '../domain/payload.ts';

/** One entry of a run's conversation. */
export interface MessageRow {
  readonly id: string;
  readonly message_index: number;
  readonly role: 'system' | 'user' | 'assistant' | 'tool';
  readonly content: unknown;
  readonly content_ref: StoredPayload | null;
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

/**
 * Copies the conversation of a run up to what its step `beforeStep` (an index) and later ones have added; `steps` are the
 * ids of copied steps, old and new.
 */
export async function copyMessages(
  tx: Tx,
  copy: {
    readonly from: string;
    readonly to: string;
    readonly beforeStep: number;
    readonly steps: readonly (readonly [string, string])[];
  },
): Promise<void> {
  await sql`insert into public.agent_messages (run_id, user_id, message_index, role, content, content_ref, step_id)
    select ${copy.to}, m.user_id, m.message_index, m.role, m.content, m.content_ref, c.new
    from public.agent_messages m
      left join unnest(${copy.steps.map(([old]) => old)}::uuid[], ${copy.steps.map(([, made]) => made)}::uuid[]) as c(old, new)
        on c.old = m.step_id
    where m.run_id = ${copy.from} and m.message_index < coalesce((
      select min(later.message_index) from public.agent_messages later join public.agent_steps s on s.id = later.step_id
      where later.run_id = ${copy.from} and s.step_index >= ${copy.beforeStep}), 2147483647)`.execute(tx);
}
