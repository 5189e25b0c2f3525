import { decodeCursor } from '@swissbrain/service-kit/cursor';
import type { Database } from '@swissbrain/service-kit/database';
import { type Http, principalOf } from '@swissbrain/service-kit/http';
import { runIdempotent } from '@swissbrain/service-kit/idempotency';
import { toPage } from '@swissbrain/service-kit/page';
import * as api from '@swissbrain/shared-schema/http/agent-runner';
import { z } from 'zod';
import { createRun } from '../operations/create-run.ts';
import { type PrepareDeps, prepareRun } from '../operations/prepare-run.ts';
import { readArtifacts, readMessages, readRun, readRuns, readSteps } from '../operations/read-runs.ts';
import { artifactView, messageView, runView, stepView } from './views.ts';

/** Input files travel in the body. */
const createBodyLimit = 10 * 1024 * 1024;

export interface RunRoutes extends PrepareDeps {
  readonly database: Database;
}

function createRoute(http: Http, deps: RunRoutes): void {
  http.post(
    '/v1/runs',
    {
      bodyLimit: createBodyLimit,
      schema: {
        operationId: 'createRun',
        summary: 'Start a run',
        description:
          'Give a playbook or a goal. Everything that can be checked is checked before credits are held: a playbook that ' +
          'cannot run is refused with 422, and the problem names the step.',
        tags: ['runs'],
        headers: z.object({ 'idempotency-key': z.string().optional() }).loose(),
        body: api.createRunBody,
        response: { 201: api.runView },
      },
    },
    async (request, reply) => {
      const prepared = await prepareRun(principalOf(request).userId, request.body, deps);
      const { status, body } = await runIdempotent(deps.database, request, async (tx) => ({
        status: 201,
        body: runView(await createRun(tx, principalOf(request), prepared, deps.tools)),
      }));
      return reply
        .status(status as 201)
        .header('location', `/v1/runs/${body.id}`)
        .send(body);
    },
  );
}

function listRoute(http: Http, { database }: RunRoutes): void {
  http.get(
    '/v1/runs',
    {
      schema: {
        operationId: 'listRuns',
        summary: 'List runs, newest first',
        tags: ['runs'],
        querystring: api.listRunsQuery,
        response: { 200: api.runPage },
      },
    },
    async (request) => {
      const { limit, cursor, status } = request.query;
      const before = cursor === undefined ? undefined : decodeCursor(cursor);
      const rows = await readRuns(database, principalOf(request), { limit: limit + 1, status, before });
      const page = toPage(
        rows.map((row) => ({ id: row.id, position: row.created_at_text, row })),
        limit,
      );
      return { items: page.items.map(({ row }) => runView(row)), next_cursor: page.next_cursor };
    },
  );
}

function readRoutes(http: Http, { database }: RunRoutes): void {
  http.get(
    '/v1/runs/:id',
    {
      schema: {
        operationId: 'getRun',
        summary: 'Read a run',
        tags: ['runs'],
        params: api.runParams,
        response: { 200: api.runView },
      },
    },
    async (request) => runView(await readRun(database, principalOf(request), request.params.id)),
  );
  http.get(
    '/v1/runs/:id/steps',
    {
      schema: {
        operationId: 'listSteps',
        summary: 'List the steps of a run in order',
        tags: ['runs'],
        params: api.runParams,
        querystring: api.numberedQuery,
        response: { 200: api.stepPage },
      },
    },
    async (request) => {
      const { limit } = request.query;
      const steps = await readSteps(database, principalOf(request), request.params.id, request.query);
      const last = steps.length === limit ? steps.at(-1) : undefined;
      return { items: steps.map(stepView), next_after: last?.step_index ?? null };
    },
  );
  http.get(
    '/v1/runs/:id/messages',
    {
      schema: {
        operationId: 'listMessages',
        summary: 'List the conversation of a goal run in order',
        tags: ['runs'],
        params: api.runParams,
        querystring: api.numberedQuery,
        response: { 200: api.messagePage },
      },
    },
    async (request) => {
      const { limit } = request.query;
      const messages = await readMessages(database, principalOf(request), request.params.id, request.query);
      const last = messages.length === limit ? messages.at(-1) : undefined;
      return { items: messages.map(messageView), next_after: last?.message_index ?? null };
    },
  );
  http.get(
    '/v1/runs/:id/artifacts',
    {
      schema: {
        operationId: 'listArtifacts',
        summary: 'List the files of a run',
        tags: ['artifacts'],
        params: api.runParams,
        response: { 200: api.artifactList },
      },
    },
    async (request) => {
      const artifacts = await readArtifacts(database, principalOf(request), request.params.id);
      return { items: artifacts.map(artifactView) };
    },
  );
}

/** Runs: create, list, read. */
export function registerRunRoutes(http: Http, deps: RunRoutes): void {
  createRoute(http, deps);
  listRoute(http, deps);
  readRoutes(http, deps);
}
