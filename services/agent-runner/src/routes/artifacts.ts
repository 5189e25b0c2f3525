import { Readable } from 'node:stream';
import type { Clock } from '@swissbrain/service-kit/clock';
import type { Database } from '@swissbrain/service-kit/database';
import { type Http, principalOf } from '@swissbrain/service-kit/http';
import { artifactLinkView, contentQuery, runParams } from '@swissbrain/shared-schema/http/agent-runner';
import { z } from 'zod';
import { errors } from '../errors.ts';
import { readArtifact, readLinkedArtifact } from '../operations/read-runs.ts';
import type { ObjectStore } from '../storage/object-store.ts';
import { signGrant, verifyGrant } from '../storage/signed-url.ts';
import type { ArtifactRow } from '../store/artifacts.ts';
import { artifactView } from './views.ts';

export interface ArtifactRoutes {
  readonly database: Database;
  readonly objects: ObjectStore;
  readonly clock: Clock;
  readonly secret: string;
  readonly ttlSeconds: number;
  /** Where clients reach this service; null: where the request came to. */
  readonly publicUrl: string | null;
  /** Links lead to the store itself, where it can serve them. */
  readonly direct: boolean;
}

/**
 * A Content-Disposition that always downloads: what a run made is never shown as a page of ours. The plain name is
 * for old clients, the encoded one for all others (RFC 6266, RFC 8187).
 */
function contentDisposition(path: string): string {
  const name = (path.split('/').at(-1) ?? 'artifact').toWellFormed();
  const plain = name.replaceAll(/[^A-Za-z0-9._ -]/g, '_');
  const encoded = encodeURIComponent(name).replaceAll(
    /['()*]/g,
    (character) => `%${character.charCodeAt(0).toString(16).toUpperCase()}`,
  );
  return `attachment; filename="${plain}"; filename*=UTF-8''${encoded}`;
}

function directLink(deps: ArtifactRoutes, artifact: ArtifactRow, expiresAt: Date): Promise<string | null> {
  if (!deps.direct) return Promise.resolve(null);
  return deps.objects.link(artifact.storage_key, {
    expiresAt,
    disposition: contentDisposition(artifact.name),
    mediaType: artifact.media_type,
  });
}

function serviceLink(deps: ArtifactRoutes, artifact: ArtifactRow, expiresAt: Date, base: string): string {
  const url = new URL(`/v1/artifacts/${artifact.id}/content`, base);
  url.search = signGrant(deps.secret, { resource: artifact.id, expiresAt });
  return url.href;
}

function linkRoute(http: Http, deps: ArtifactRoutes): void {
  http.get(
    '/v1/artifacts/:id',
    {
      schema: {
        operationId: 'getArtifact',
        summary: 'Read an artifact and get a link to its content',
        description: 'The link needs no token and stops working at `url_expires_at`.',
        tags: ['artifacts'],
        params: runParams,
        response: { 200: artifactLinkView },
      },
    },
    async (request) => {
      const artifact = await readArtifact(deps.database, principalOf(request), request.params.id);
      // Links carry whole seconds.
      const seconds = Math.floor(deps.clock.now().getTime() / 1_000) + deps.ttlSeconds;
      const expiresAt = new Date(seconds * 1_000);
      const base = deps.publicUrl ?? `${request.protocol}://${request.host}`;
      const url =
        (await directLink(deps, artifact, expiresAt)) ?? serviceLink(deps, artifact, expiresAt, base);
      return { ...artifactView(artifact), url, url_expires_at: expiresAt.toISOString() };
    },
  );
}

function contentRoute(http: Http, deps: ArtifactRoutes): void {
  http.get(
    '/v1/artifacts/:id/content',
    {
      config: { public: true },
      schema: {
        operationId: 'getArtifactContent',
        summary: 'Download an artifact by its link',
        tags: ['artifacts'],
        security: [],
        params: runParams,
        querystring: contentQuery,
        produces: ['application/octet-stream'],
        response: { 200: z.string().describe('The content') },
      },
    },
    async (request, reply) => {
      const { id } = request.params;
      const verdict = verifyGrant(deps.secret, id, request.query, deps.clock.now());
      if (!verdict.ok) throw errors.link_invalid(`the link is ${verdict.reason}; ask for a new one`);
      const artifact = await readLinkedArtifact(deps.database, id);
      const content = await deps.objects.get(artifact.storage_key);
      return reply
        .header('content-type', artifact.media_type)
        .header('content-length', artifact.size_bytes.toString())
        .header('content-disposition', contentDisposition(artifact.name))
        .header('content-security-policy', "default-src 'none'; sandbox")
        .header('x-content-type-options', 'nosniff')
        .header('etag', `"${artifact.sha256}"`)
        .header('cache-control', 'private, max-age=3600, immutable')
        .send(Readable.from(content) as unknown as string);
    },
  );
}

/** Artifacts: their description with a link, and the content behind the link. */
export function registerArtifactRoutes(http: Http, deps: ArtifactRoutes): void {
  linkRoute(http, deps);
  contentRoute(http, deps);
}
