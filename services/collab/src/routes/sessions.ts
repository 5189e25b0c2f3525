import { pageQuery } from '@swissbrain/service-kit/cursor';
import { principalOf } from '@swissbrain/service-kit/http';
import type { Platform } from '@swissbrain/service-kit/platform';
import {
  type SessionView,
  sessionPage,
  sessionParams,
  sessionView,
} from '@swissbrain/shared-schema/http/collab';
import { getSession } from '../operations/get-session.ts';
import { listSessions } from '../operations/list-sessions.ts';

type Session = Awaited<ReturnType<typeof getSession>>;

const tags = ['sessions'];

/** Adds the routes under /v1/sessions. */
export function serveSessions({ http, database }: Pick<Platform, 'http' | 'database'>): void {
  http.get(
    '/v1/sessions',
    { schema: { tags, summary: 'List sessions', querystring: pageQuery, response: { 200: sessionPage } } },
    async (request) => {
      const page = await listSessions(database, principalOf(request), request.query);
      return { ...page, items: page.items.map(toView) };
    },
  );

  http.get(
    '/v1/sessions/:id',
    { schema: { tags, summary: 'Get a session', params: sessionParams, response: { 200: sessionView } } },
    async (request) => toView(await getSession(database, principalOf(request), request.params.id)),
  );
}

function toView(row: Session): SessionView {
  return sessionView.parse({
    ...row,
    owner_id: row.user_id,
    last_seq: Number(row.last_seq),
    document_bytes: Number(row.document_bytes),
    closed_at: row.closed_at?.toISOString() ?? null,
    created_at: row.created_at.toISOString(),
    updated_at: row.updated_at.toISOString(),
  });
}
