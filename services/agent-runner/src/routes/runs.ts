import { decodeCursor, encodeCursor } from '@swissbrain/service-kit/cursor';
import type { Database } from '@swissbrain/service-kit/database';
import { type Http, principalOf } from '@swissbrain/service-kit/http';
import { runIdempotent } from '@swissbrain/service-kit/idempotency';
import * as api from '@swissbrain/shared-schema/http/agent-runner';
import type { z } from 'zod';
import { createRun } from '../operations/create-run.ts';
import { type PrepareDeps, prepareRun, readGivenFiles } from '../operations/prepare-run.ts';
import { readArtifacts, readMessages, readRun, readRuns, readSteps } from '../operations/read-runs.ts';
import { storeGiven } from '../operations/store-given.ts';
import type { RunFilters } from '../store/runs.ts';
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
        body: api.createRunBody,
        response: { 201: api.runView },
      },
    },
    async (request, reply) => {
      const principal = principalOf(request);
      const { userId } = principal;
      const known = await readGivenFiles(deps.database, principal, request.body.inputs);
      const checked = await prepareRun(userId, request.body, deps, { known });
      const prepared = await storeGiven(deps.objects, userId, checked);
      const { status, body } = await runIdempotent(deps.database, request, async (tx) => ({
        status: 201,
        body: runView(await createRun(tx, principal, prepared, deps.tools)),
      }));
      return reply
        .status(status as 201)
        .header('location', `/v1/runs/${body.id}`)
        .send(body);
    },
  );
}

const filtersOf = (query: Omit<z.infer<typeof api.listRunsQuery>, 'limit' | 'cursor'>): RunFilters => ({
  status: query.status,
  mode: query.mode,
  kind: query.kind,
  createdAfter: query.created_after,
  createdBefore: query.created_before,
  parentRunId: query.parent_run_id,
  rootRunId: query.root_run_id,
  forkedFrom: query.forked_from,
  rootsOnly: query.roots_only,
});

function listRoute(http: Http, deps: RunRoutes): void {
  http.get(
    '/v1/runs',
    {
      schema: {
        operationId: 'listRuns',
        summary: 'List runs, newest first',
        description:
          'Filters are joined by “and”. `status` and `mode` take several values with commas between them.',
        tags: ['runs'],
        querystring: api.listRunsQuery,
        response: { 200: api.runPage },
      },
    },
    async (request) => {
      const { limit, cursor, ...query } = request.query;
      const before = cursor === undefined ? undefined : decodeCursor(cursor);
      const { runs, more } = await readRuns(deps, principalOf(request), {
        limit,
        filters: filtersOf(query),
        before,
      });
      const last = more ? runs.at(-1) : undefined;
      return {
        items: runs.map(runView),
        next_cursor: last ? encodeCursor({ createdAt: last.created_at_text, id: last.id }) : null,
      };
    },
  );
}

function readRoutes(http: Http, deps: RunRoutes): void {
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
    async (request) => runView(await readRun(deps, principalOf(request), request.params.id)),
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
      const { rows, more } = await readSteps(deps, principalOf(request), request.params.id, request.query);
      const last = more ? rows.at(-1) : undefined;
      return { items: rows.map(stepView), next_after: last?.step_index ?? null };
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
      const { rows, more } = await readMessages(deps, principalOf(request), request.params.id, request.query);
      const last = more ? rows.at(-1) : undefined;
      return { items: rows.map(messageView), next_after: last?.message_index ?? null };
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
      const artifacts = await readArtifacts(deps.database, principalOf(request), request.params.id);
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
