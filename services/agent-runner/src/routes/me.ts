import type { Database } from '@swissbrain/service-kit/database';
import { type Http, principalOf } from '@swissbrain/service-kit/http';
import { runIdempotent } from '@swissbrain/service-kit/idempotency';
import { type DeletionView, deleteMeBody, deletionView } from '@swissbrain/shared-schema/http/agent-runner';
import { z } from 'zod';
import { readDeletion, requestDeletion } from '../operations/leave.ts';
import type { DeletionRow } from '../store/deletions.ts';

function viewOf(row: DeletionRow): DeletionView {
  return {
    id: row.id,
    status: row.stage === 'done' ? 'done' : 'under_way',
    stage: row.stage,
    runs_cancelled: row.runs_cancelled,
    runs_deleted: row.runs_deleted,
    files_deleted: row.files_deleted,
    requested_at: row.requested_at.toISOString(),
    finished_at: row.finished_at?.toISOString() ?? null,
  };
}

/** Leaving: everything of the caller is deleted, and how far that is. */
export function registerMeRoutes(
  http: Http,
  { database, wake }: { readonly database: Database; readonly wake: () => void },
): void {
  http.delete(
    '/v1/me',
    {
      schema: {
        operationId: 'deleteMe',
        summary: 'Delete the user and everything of theirs',
        description:
          'Ends all runs, then deletes files, runs, memories, connections, research, schedules and documents for good. What ' +
          'remains is the ledger of credits under the id alone, and the record of this deletion. It cannot be undone. ' +
          'Asking again changes nothing.',
        tags: ['me'],
        headers: z.object({ 'idempotency-key': z.string().optional() }).loose(),
        body: deleteMeBody,
        response: { 202: deletionView },
      },
    },
    async (request, reply) => {
      const { status, body } = await runIdempotent(database, request, async (tx) => ({
        status: 202,
        body: viewOf(await requestDeletion(tx, principalOf(request), wake)),
      }));
      return reply
        .status(status as 202)
        .header('location', '/v1/me/deletion')
        .send(body);
    },
  );
  http.get(
    '/v1/me/deletion',
    {
      config: { formerUsers: true },
      schema: {
        operationId: 'getDeletion',
        summary: 'How far the deletion of the user is',
        description: 'Works with the token of a user who is gone, for as long as the token is valid.',
        tags: ['me'],
        response: { 200: deletionView },
      },
    },
    async (request) => viewOf(await readDeletion(database, principalOf(request))),
  );
}
