import type { Database } from '@swissbrain/service-kit/database';
import type { ObjectStore } from '../storage/object-store.ts';
import { loadPayload } from '../storage/payloads.ts';
import { listArtifacts } from '../store/artifacts.ts';
import { listMessages, type MessageRow } from '../store/messages.ts';

const pageSize = 500;

interface ConversationDeps {
  readonly database: Database;
  readonly objects: ObjectStore;
  readonly signal: AbortSignal;
}

/** The whole conversation of a run, for the worker that has claimed it. */
export async function loadConversation(
  { database, objects, signal }: ConversationDeps,
  runId: string,
): Promise<readonly MessageRow[]> {
  const rows = await database.withService(async (tx) => {
    const messages: MessageRow[] = [];
    for (;;) {
      const page = await listMessages(tx, runId, messages.at(-1)?.message_index ?? -1, pageSize);
      messages.push(...page);
      if (page.length < pageSize) return messages;
    }
  });
  const opened: MessageRow[] = [];
  for (const row of rows) {
    const content = await loadPayload(objects, row.content, row.content_ref, signal);
    opened.push({ ...row, content, content_ref: null });
  }
  return opened;
}

/** What a run has produced: the newest artifact of each name, for its final answer. */
export function loadOutputs(
  database: Database,
  runId: string,
): Promise<{ readonly id: string; readonly name: string }[]> {
  return database.withService(async (tx) => {
    const outputs = (await listArtifacts(tx, runId)).filter(({ kind }) => kind === 'output');
    return [...new Map(outputs.map(({ id, name }) => [name, { id, name }])).values()];
  });
}
