import type { Database } from '@swissbrain/service-kit/database';
import { type Http, principalOf } from '@swissbrain/service-kit/http';
import * as api from '@swissbrain/shared-schema/http/agent-runner';
import { openRun } from '../operations/open-rows.ts';
import { requestPause, resumeRun } from '../operations/pause-run.ts';
import type { RunWakes } from '../operations/questions.ts';
import { requestCancel } from '../operations/request-cancel.ts';
import type { ObjectStore } from '../storage/object-store.ts';
import { runView } from './views.ts';

export interface ControlRoutes {
  readonly database: Database;
  readonly objects: ObjectStore;
  readonly wakes: RunWakes;
}

const actions = {
  cancel: {
    operationId: 'cancelRun',
    summary: 'Cancel a run',
    description:
      'Repeating it is harmless, and so is cancelling a run that has ended. A run that a worker has ends within ' +
      'seconds; follow its events or read it again.',
    act: requestCancel,
  },
  pause: {
    operationId: 'pauseRun',
    summary: 'Pause a run',
    description:
      'Nothing further is begun; what a worker has begun is done first. The hold of credits stays. Repeating it is ' +
      'harmless. 409 where the run has ended.',
    act: requestPause,
  },
  resume: {
    operationId: 'resumeRun',
    summary: 'Let a paused run go on',
    description:
      'It goes back into the waiting line, or goes on at once where the pause was only on its way. Repeating it is ' +
      'harmless. 409 where the run has ended.',
    act: resumeRun,
  },
} as const;

/** What changes the course of a run; each may be repeated. */
export function registerControlRoutes(http: Http, { database, objects, wakes }: ControlRoutes): void {
  for (const [name, { act, ...described }] of Object.entries(actions)) {
    http.post(
      `/v1/runs/:id/${name}`,
      { schema: { ...described, tags: ['runs'], params: api.runParams, response: { 200: api.runView } } },
      async (request) => {
        const run = await database.withUser(principalOf(request), (tx) => act(tx, request.params.id, wakes));
        return runView(await openRun(objects, run));
      },
    );
  }
}
