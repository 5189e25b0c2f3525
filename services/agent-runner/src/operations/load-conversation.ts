import type { Database } from '@swissbrain/service-kit/database';
import { listArtifacts } from '../store/artifacts.ts';
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
