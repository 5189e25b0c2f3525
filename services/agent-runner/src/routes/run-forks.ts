import type { Database } from '@swissbrain/service-kit/database';
import { type Http, principalOf } from '@swissbrain/service-kit/http';
import { runIdempotent } from '@swissbrain/service-kit/idempotency';
import * as api from '@swissbrain/shared-schema/http/agent-runner';
import { createFork, prepareFork, readRecorded } from '../operations/fork-run.ts';
import type { PrepareDeps } from '../operations/prepare-run.ts';
import { openRecorded, replayRun } from '../operations/replay-run.ts';
import { runView } from './views.ts';

export interface ForkRoutes extends PrepareDeps {
  readonly database: Database;
}

const forks = {
  fork: {
    operationId: 'forkRun',
    summary: 'Start a run from a step of another, with edits',
    description:
      'The new run has a hold of its own. Steps before `from_step` that have completed are taken over with their results, and ' +
      'not billed again, unless they were edited or wait for one that was. Files that they have kept lie in the new ' +
      'workspace; what they left there without keeping it does not.',
    body: api.forkRunBody,
  },
  retry: {
    operationId: 'retryRun',
    summary: 'Do a run again from a step on',
    description: 'A fork without edits; without `from_step` from the first step that has not completed.',
    body: api.retryRunBody,
  },
} as const;

/** New runs that begin with what others have done, and dry runs from what they have recorded. */
export function registerForkRoutes(http: Http, deps: ForkRoutes): void {
  const { database } = deps;
  for (const [name, { body: schema, ...described }] of Object.entries(forks)) {
    http.post(
      `/v1/runs/:id/${name}`,
      {
        schema: {
          ...described,
          tags: ['runs'],
          params: api.runParams,
          body: schema,
          response: { 201: api.runView },
        },
      },
      async (request, reply) => {
        const principal = principalOf(request);
        const source = await readRecorded(deps, principal, request.params.id);
        const fork = await prepareFork(source, request.body, deps);
        const { body } = await runIdempotent(database, request, async (tx) => ({
          status: 201,
          body: runView(await createFork(tx, principal, fork, deps)),
        }));
        return reply.status(201).header('location', `/v1/runs/${body.id}`).send(body);
      },
    );
  }
  http.post(
    '/v1/runs/:id/replay',
    {
      schema: {
        operationId: 'replayRun',
        summary: 'Try a run from its recorded results',
        description:
          'A dry run: no tool is called, nothing is written or billed. Says where the run would differ.',
        tags: ['runs'],
        params: api.runParams,
        body: api.replayRunBody,
        response: { 200: api.replayView },
      },
    },
    async (request) => {
      const source = await readRecorded(deps, principalOf(request), request.params.id);
      return replayRun(await openRecorded(deps.objects, source), request.body, deps.tools);
    },
  );
}
