import type { Database } from '@swissbrain/service-kit/database';
import { listMessages, type MessageRow } from '../store/messages.ts';

const pageSize = 500;

/** The whole conversation of a run, for the worker that has claimed it. */
export function loadConversation(database: Database, runId: string): Promise<readonly MessageRow[]> {
  return database.withService(async (tx) => {
    const messages: MessageRow[] = [];
    for (;;) {
      const page = await listMessages(tx, runId, messages.at(-1)?.message_index ?? -1, pageSize);
      messages.push(...page);
      if (page.length < pageSize) return messages;
    }
  });
}
