import type { Readable } from 'node:stream';
import { decodeCursor } from '@swissbrain/service-kit/cursor';
import type { Database } from '@swissbrain/service-kit/database';
import { type Http, principalOf } from '@swissbrain/service-kit/http';
import { runIdempotent } from '@swissbrain/service-kit/idempotency';
import { toPage } from '@swissbrain/service-kit/page';
import { artifactView as artifactSchema } from '@swissbrain/shared-schema/http/agent-runner';
import * as api from '@swissbrain/shared-schema/http/uploads';
import { z } from 'zod';
import { readUserArtifacts } from '../operations/read-runs.ts';
import { recordUpload, storeUpload, type UploadLimits } from '../operations/upload-artifact.ts';
import type { ObjectStore } from '../storage/object-store.ts';
import { mediaTypeOf } from '../tools/media-type.ts';
import { artifactView } from './views.ts';

export interface UploadRoutes {
  readonly database: Database;
  readonly objects: ObjectStore;
  readonly limits: UploadLimits;
}

function listRoute(http: Http, database: Database): void {
  http.get(
    '/v1/artifacts',
    {
      schema: {
        operationId: 'listUserArtifacts',
        summary: 'List your files, newest first',
        tags: ['artifacts'],
        querystring: api.listArtifactsQuery,
        response: { 200: api.artifactPage },
      },
    },
    async (request) => {
      const { limit, cursor, kind } = request.query;
      const before = cursor === undefined ? undefined : decodeCursor(cursor);
      const rows = await readUserArtifacts(database, principalOf(request), {
        limit: limit + 1,
        before,
        kind,
      });
      const page = toPage(
        rows.map((row) => ({ id: row.id, position: row.created_at_text, row })),
        limit,
      );
      return { items: page.items.map(({ row }) => artifactView(row)), next_cursor: page.next_cursor };
    },
  );
}

function uploadRoute(http: Http, { database, objects, limits }: UploadRoutes): void {
  http.post(
    '/v1/artifacts',
    {
      bodyLimit: limits.fileBytes,
      schema: {
        operationId: 'uploadArtifact',
        summary: 'Upload a file',
        description:
          'The body is the content itself. Give the id to runs as an input, `{"artifact_id": …}`: they keep what they were ' +
          'given, an upload goes by itself after some days.',
        tags: ['artifacts'],
        querystring: api.uploadQuery,
        consumes: ['application/octet-stream'],
        body: z.any().meta({ type: 'string', format: 'binary' }),
        response: { 201: artifactSchema },
      },
    },
    async (request, reply) => {
      const principal = principalOf(request);
      const { name, sha256, media_type: mediaType = mediaTypeOf(name) } = request.query;
      const content = request.body as Readable;
      // Left open when the reading breaks off: the refusal goes back over the same connection.
      const chunks = content.iterator({ destroyOnReturn: false }) as AsyncIterable<Uint8Array>;
      const stored = await storeUpload({ database, objects, limits }, principal, chunks, sha256).catch(
        (error: unknown) => {
          reply.header('connection', 'close');
          content.resume();
          throw error;
        },
      );
      // What was asked for, for the comparison of repeated requests: the content itself is gone by now.
      request.body = { size: stored.size };
      const { body } = await runIdempotent(database, request, async (tx) => ({
        status: 201,
        body: artifactView(await recordUpload(tx, principal, { name, mediaType, stored }, limits)),
      }));
      return reply.status(201).header('location', `/v1/artifacts/${body.id}`).send(body);
    },
  );
}

/** A user's files beside their runs: all of them, and those that were uploaded for runs to come. */
export function registerUploadRoutes(http: Http, deps: UploadRoutes): void {
  listRoute(http, deps.database);
  http.register((scope, _options, done) => {
    // As it comes: the store reads it once, and nothing is held in memory.
    scope.addContentTypeParser('application/octet-stream', (_request, payload, parsed) =>
      parsed(null, payload),
    );
    uploadRoute(scope as unknown as Http, deps);
    done();
  });
}
