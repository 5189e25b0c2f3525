import { decodeCursor } from '@swissbrain/service-kit/cursor';
import type { Database } from '@swissbrain/service-kit/database';
import { type Http, principalOf } from '@swissbrain/service-kit/http';
import { runIdempotent } from '@swissbrain/service-kit/idempotency';
import { toPage } from '@swissbrain/service-kit/page';
import * as api from '@swissbrain/shared-schema/http/memory';
import { z } from 'zod';
import { forget, type Meaning, meaningOf, readMemories, recall, remember } from '../operations/remember.ts';
import type { MemoryRow } from '../store/memories.ts';

const viewOf = (row: MemoryRow): api.MemoryView => ({
  id: row.id,
  namespace: row.namespace,
  key: row.key,
  content: row.content,
  metadata: row.metadata,
  run_id: row.run_id,
  created_at: row.created_at.toISOString(),
  updated_at: row.updated_at.toISOString(),
});

/** Longer than the model is waited for. */
const waitMs = 60_000;

function listRoute(http: Http, database: Database, meaning: Meaning | null): void {
  http.get(
    '/v1/memory',
    {
      schema: {
        operationId: 'listMemory',
        summary: 'List or search what agents keep for you',
        description: 'Last changed first; with `query` the best matches, in one page.',
        tags: ['memory'],
        querystring: api.memoryQuery,
        response: { 200: api.memoryPage },
      },
    },
    async (request) => {
      const { limit, cursor, namespace, query } = request.query;
      const principal = principalOf(request);
      const { userId } = principal;
      if (query !== undefined) {
        const search = { userId, query, namespace, limit };
        const rows = await recall(database, meaning, search, AbortSignal.timeout(waitMs));
        return { items: rows.map(viewOf), next_cursor: null };
      }
      const before = cursor === undefined ? undefined : decodeCursor(cursor);
      const rows = await readMemories(database, principal, { limit: limit + 1, namespace, before });
      const page = toPage(
        rows.map((row) => ({ id: row.id, position: row.updated_at_text, row })),
        limit,
      );
      return { items: page.items.map(({ row }) => viewOf(row)), next_cursor: page.next_cursor };
    },
  );
}

/** What agents keep for the caller: to read, add, correct and forget. */
export function registerMemoryRoutes(http: Http, database: Database, meaning: Meaning | null): void {
  listRoute(http, database, meaning);
  http.post(
    '/v1/memory',
    {
      schema: {
        operationId: 'saveMemory',
        summary: 'Keep something under a key',
        description: 'Instead of what the key held before.',
        tags: ['memory'],
        body: api.saveMemoryBody,
        response: { 201: api.memoryView },
      },
    },
    async (request, reply) => {
      const { userId, tenantId } = principalOf(request);
      const embedding = await meaningOf(meaning, request.body, AbortSignal.timeout(waitMs));
      const { status, body } = await runIdempotent(database, request, async (tx) => {
        const saved = await remember(tx, { ...request.body, userId, tenantId, runId: null, embedding });
        return { status: 201, body: viewOf(saved) };
      });
      return reply.status(status as 201).send(body);
    },
  );
  http.delete(
    '/v1/memory/:id',
    {
      schema: {
        operationId: 'deleteMemory',
        summary: 'Forget something',
        tags: ['memory'],
        params: api.memoryParams,
        response: { 204: z.undefined() },
      },
    },
    async (request, reply) => {
      const { id } = request.params;
      await forget(database, principalOf(request), id);
      return reply.status(204).send();
    },
  );
}
