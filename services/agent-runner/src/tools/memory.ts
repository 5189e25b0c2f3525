import type { Database } from '@swissbrain/service-kit/database';
import { memoryContent, memoryKey, memoryNamespace } from '@swissbrain/shared-schema/http/memory';
import { z } from 'zod';
import { type Meaning, meaningOf, recall, remember } from '../operations/remember.ts';
import type { Tool, ToolContext, ToolResult } from './tool.ts';

const memoryInput = z.discriminatedUnion('action', [
  z.strictObject({
    action: z.literal('save'),
    namespace: memoryNamespace.default('default'),
    key: memoryKey.describe('A name by which it is found again; saving it again replaces what was there'),
    content: memoryContent,
  }),
  z.strictObject({
    action: z.literal('search'),
    query: z.string().min(1).max(1_000).describe('Words; "a phrase", or, -without'),
    namespace: memoryNamespace.optional().describe('Only in this one'),
    limit: z.number().int().min(1).max(50).default(10),
  }),
]);
type MemoryInput = z.infer<typeof memoryInput>;

async function perform(
  database: Database,
  meaning: Meaning | null,
  input: MemoryInput,
  context: ToolContext,
): Promise<unknown> {
  const { userId, tenantId, runId, signal } = context;
  if (input.action === 'search') {
    const { query, namespace, limit } = input;
    const found = await recall(database, meaning, { userId, query, namespace, limit }, signal);
    return {
      memories: found.map(({ namespace, key, content, updated_at }) => ({
        namespace,
        key,
        content,
        updated_at: updated_at.toISOString(),
      })),
    };
  }
  const { namespace, key, content } = input;
  const embedding = await meaningOf(meaning, { key, content }, signal);
  const saved = await database.withService((tx) =>
    remember(tx, { userId, tenantId, runId, namespace, key, content, metadata: {}, embedding }),
  );
  return { id: saved.id, namespace, key };
}

/** Keeps facts for the run's user from one run to the next, and finds them by their words and, with a model, by meaning. */
export function createMemoryTool(database: Database, meaning: Meaning | null): Tool<MemoryInput> {
  return {
    name: 'memory',
    type: 'memory',
    description:
      'Remembers facts for this user from one run to the next. Save what will matter later under a telling key; search ' +
      'before you ask the user for something they may have said before. Never save secrets.',
    input: memoryInput,
    offered: true,
    effect: 'write',
    effectOf: ({ action }) => (action === 'search' ? 'read' : 'write'),
    // The key makes a save the same however often it is made.
    resume: 'repeat',
    timeoutSeconds: 120,
    unavailable: () => null,
    estimate: () => [],
    async run(input, context): Promise<ToolResult> {
      return { output: await perform(database, meaning, input, context), usage: [] };
    },
  };
}
