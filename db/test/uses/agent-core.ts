import { advanceStatement } from '../../../services/agent-runner/src/store/advance.ts';
import {
  deleteExpiredUploadsStatement,
  findArtifact,
  listArtifacts,
  listUserArtifacts,
  measureUploads,
  referredStatement,
} from '../../../services/agent-runner/src/store/artifacts.ts';
import { closeRunRow } from '../../../services/agent-runner/src/store/closing.ts';
import {
  advanceDeletionStatement,
  anyRunStatement,
  deleteExpiredRunsStatement,
  deleteRunsOfUserStatement,
  findDeletion,
  liveRunsStatement,
  openDeletionsStatement,
} from '../../../services/agent-runner/src/store/deletions.ts';
import {
  claimStatement,
  dispatchStatement,
  overdueStatement,
  renewStatement,
} from '../../../services/agent-runner/src/store/leases.ts';
import {
  deleteMemory,
  listMemories,
  saveMemory,
  searchMemoryStatement,
} from '../../../services/agent-runner/src/store/memories.ts';
import { listMessages } from '../../../services/agent-runner/src/store/messages.ts';
import {
  expiredStatement,
  findAskedStatement,
  listQuestions,
  lockQuestion,
} from '../../../services/agent-runner/src/store/questions.ts';
import { findRun, listHolds, listRuns, lockRun } from '../../../services/agent-runner/src/store/runs.ts';
import {
  listBillable,
  listSteps,
  loadStepsStatement,
} from '../../../services/agent-runner/src/store/steps.ts';
import { sumUsage } from '../../../services/agent-runner/src/store/usage.ts';
import { filledId } from '../filled.ts';
import { type Guards, owner, statement, type Use } from './use.ts';

const store = 'services/agent-runner/src/store';
const service = { service: 'agent-runner' } as const;
/** The user with the most runs. */
const userId = filledId('user', 0);
const user = { ...service, userId } as const;
const run = filledId('run', 50);
const nobody = filledId('nobody', 0);
const page = { limit: 21, filters: {}, before: undefined };
const position = { createdAt: '2099-01-01T00:00:00Z', id: nobody };

/** Runs of the agent core's tables. */
export const agentCoreUses: readonly Use[] = [
  {
    by: 'GET /v1/runs/:id',
    file: `${store}/runs.ts`,
    indexes: ['agent_runs_pkey'],
    as: user,
    run: ({ tx }) => findRun(tx, run),
  },
  {
    by: 'GET /v1/runs, further pages',
    file: `${store}/runs.ts`,
    indexes: ['agent_runs_user_idx'],
    as: user,
    run: ({ tx }) => listRuns(tx, userId, { ...page, before: position }),
  },
  {
    by: 'GET /v1/runs?status=running, ?status=failed',
    file: `${store}/runs.ts`,
    indexes: ['agent_runs_user_open_idx', 'agent_runs_user_unsuccessful_idx'],
    as: user,
    run: async ({ tx }) => {
      await listRuns(tx, userId, { ...page, filters: { status: ['running', 'paused'] } });
      await listRuns(tx, userId, { ...page, filters: { status: ['failed'] } });
    },
  },
  {
    by: 'GET /v1/runs of a time, a mode, a kind, of roots only',
    file: `${store}/runs.ts`,
    indexes: ['agent_runs_user_idx'],
    as: user,
    run: async ({ tx }) => {
      const createdAfter = '2000-01-01T00:00:00Z';
      await listRuns(tx, userId, { ...page, filters: { createdAfter, createdBefore: position.createdAt } });
      await listRuns(tx, userId, { ...page, filters: { mode: ['coding', 'research'] } });
      await listRuns(tx, userId, { ...page, filters: { kind: 'goal' } });
      await listRuns(tx, userId, { ...page, filters: { rootsOnly: true } });
    },
  },
  {
    by: 'GET /v1/runs below a run, of a tree, of forks',
    file: `${store}/runs.ts`,
    indexes: ['agent_runs_parent_idx', 'agent_runs_root_idx', 'agent_runs_forked_idx'],
    as: user,
    run: async ({ tx }) => {
      await listRuns(tx, userId, { ...page, filters: { parentRunId: run } });
      await listRuns(tx, userId, { ...page, filters: { rootRunId: run } });
      await listRuns(tx, userId, { ...page, filters: { forkedFrom: run } });
    },
  },
  {
    by: 'the lock of a run',
    file: `${store}/runs.ts`,
    indexes: ['agent_runs_pkey'],
    as: service,
    run: ({ tx }) => lockRun(tx, run),
  },
  {
    by: 'the heartbeat of holds',
    file: `${store}/runs.ts`,
    indexes: ['agent_runs_live_idx'],
    as: service,
    run: ({ tx }) => listHolds(tx, '00000000-0000-0000-0000-000000000000', 1000),
  },
  {
    by: 'the dispatcher',
    file: `${store}/leases.ts`,
    indexes: ['agent_runs_queued_idx', 'agent_runs_active_idx', 'agent_runs_live_idx', 'agent_runs_pkey'],
    as: service,
    run: ({ database }) =>
      database.serviceStatement(dispatchStatement({ ticket: 'dispatch/test', slots: 4, ticketMs: 1000 })),
  },
  {
    by: 'the reaper',
    file: `${store}/leases.ts`,
    indexes: ['agent_runs_active_idx'],
    as: service,
    run: ({ database }) =>
      database.serviceStatement(overdueStatement({ wallMs: 3_600_000, idleMs: 86_400_000 }, 100)),
  },
  {
    by: 'the claim and the lease of a worker',
    file: `${store}/leases.ts`,
    indexes: ['agent_runs_live_idx'],
    as: service,
    run: async ({ database }) => {
      await database.serviceStatement(
        claimStatement({ runId: run, attempt: 0, owner: 'worker', leaseMs: 1000, wallMs: 1000 }),
      );
      await database.serviceStatement(renewStatement('worker', 1000, [{ runId: run, attempt: 1 }]));
    },
  },
  {
    by: 'one step forward',
    file: `${store}/advance.ts`,
    indexes: ['agent_runs_live_idx', 'agent_steps_pkey', 'agent_artifacts_run_id_kind_name_sha256_key'],
    as: service,
    run: ({ database }) =>
      database.serviceStatement(
        advanceStatement({
          runId: run,
          attempt: 1,
          start: [nobody],
          events: [],
          artifacts: [
            {
              ...{ id: nobody, stepId: null, kind: 'output', name: 'a', mediaType: 'text/plain' },
              ...{ sizeBytes: 1, sha256: 'a'.repeat(64), storageKey: 'a' },
            },
          ],
        }),
      ),
  },
  {
    by: 'the end of a run by cancel, failure or time',
    file: `${store}/closing.ts`,
    indexes: ['agent_runs_pkey'],
    as: service,
    run: ({ tx }) => closeRunRow(tx, { runId: run, status: 'cancelled', error: null }),
  },
  {
    by: 'the steps of a run, by page and to resume it',
    file: `${store}/steps.ts`,
    indexes: ['agent_steps_run_id_step_index_key'],
    as: service,
    run: async ({ tx, database }) => {
      await listSteps(tx, run, -1, 100);
      await listBillable(tx, run, -1, 100);
      await database.serviceStatement(loadStepsStatement(run));
    },
  },
  {
    by: 'the step that a resumed worker finds by its key',
    indexes: ['agent_steps_run_id_step_key_key'],
    as: service,
    run: statement('SELECT id FROM agent_steps WHERE run_id = $1 AND step_key = $2', run, 'step_3'),
  },
  {
    by: 'GET /v1/runs/:id/artifacts',
    file: `${store}/artifacts.ts`,
    indexes: ['agent_artifacts_run_id_kind_name_sha256_key'],
    as: user,
    run: ({ tx }) => listArtifacts(tx, run),
  },
  {
    by: 'GET /v1/artifacts/:id',
    file: `${store}/artifacts.ts`,
    indexes: ['agent_artifacts_pkey'],
    as: user,
    run: ({ tx }) => findArtifact(tx, filledId('artifact', 1)),
  },
  {
    by: 'GET /v1/usage, GET /v1/runs/:id/usage',
    file: `${store}/usage.ts`,
    // Of the two keys of steps that begin with their run either will do.
    indexes: ['agent_runs_user_idx', 'agent_runs_root_idx'],
    as: user,
    run: async ({ tx }) => {
      const [from, to] = [new Date(position.createdAt), new Date('2100-01-01T00:00:00Z')];
      await sumUsage(tx, { of: 'user', userId, from, to });
      await sumUsage(tx, { of: 'tree', runId: run });
    },
  },
  {
    by: 'GET /v1/artifacts',
    file: `${store}/artifacts.ts`,
    indexes: ['agent_artifacts_user_idx'],
    as: user,
    run: ({ tx }) => listUserArtifacts(tx, userId, { limit: 21, before: undefined, kind: undefined }),
  },
  {
    by: 'POST /v1/artifacts: what a user may upload',
    file: `${store}/artifacts.ts`,
    indexes: ['agent_artifacts_upload_idx', 'agent_runs_user_idx'],
    as: user,
    run: ({ tx }) => measureUploads(tx, userId),
  },
  {
    by: 'uploads past their days',
    file: `${store}/artifacts.ts`,
    indexes: ['agent_artifacts_upload_idx', 'agent_artifacts_pkey'],
    as: service,
    run: ({ database }) => database.serviceStatement(deleteExpiredUploadsStatement(7, 100)),
  },
  {
    by: 'the sweep of the store: is this object in use?',
    indexes: ['agent_artifacts_storage_idx'],
    as: service,
    run: statement('SELECT EXISTS (SELECT FROM agent_artifacts WHERE storage_key = $1)', 'sha256/none'),
  },
  {
    by: 'GET /v1/runs/:id/messages',
    file: `${store}/messages.ts`,
    indexes: ['agent_messages_run_id_message_index_key'],
    as: service,
    run: ({ tx }) => listMessages(tx, run, -1, 100),
  },
  {
    by: 'GET /v1/runs/:id/questions, an answer, and the step that has asked',
    file: `${store}/questions.ts`,
    indexes: ['agent_questions_run_idx', 'agent_questions_pkey', 'agent_questions_step_id_kind_key'],
    as: service,
    run: async ({ tx, database }) => {
      await listQuestions(tx, run, { after: undefined, limit: 21 });
      await lockQuestion(tx, run, nobody);
      await database.serviceStatement(findAskedStatement(nobody, 'question'));
    },
  },
  {
    by: 'the sweep of questions whose time is up',
    file: `${store}/questions.ts`,
    indexes: ['agent_questions_open_idx'],
    as: service,
    run: ({ database }) => database.serviceStatement(expiredStatement(100)),
  },
  {
    by: 'a message by its id',
    indexes: ['agent_messages_pkey'],
    as: user,
    run: statement('SELECT content FROM agent_messages WHERE id = $1', filledId('message', 1)),
  },
  {
    by: 'the memory tool: save; DELETE /v1/memory/:id',
    file: `${store}/memories.ts`,
    indexes: ['agent_memory_user_id_namespace_key_key', 'agent_memory_pkey'],
    as: user,
    run: async ({ tx }) => {
      const place = { userId, tenantId: null, runId: null, namespace: 'default', key: 'fact' };
      await saveMemory(tx, { ...place, content: 'words', metadata: {}, embedding: null });
      await deleteMemory(tx, filledId('memory', 1));
    },
  },
  {
    by: 'the memory tool: search',
    file: `${store}/memories.ts`,
    indexes: ['agent_memory_search_idx'],
    as: service,
    run: ({ database }) =>
      database.serviceStatement(
        searchMemoryStatement({ userId, query: 'word4000', namespace: undefined, limit: 20, near: null }),
      ),
  },
  {
    by: 'the memory tool: search by words and meaning',
    file: `${store}/memories.ts`,
    indexes: ['agent_memory_search_idx', 'agent_memory_user_idx'],
    as: service,
    run: ({ database }) =>
      database.serviceStatement(
        searchMemoryStatement({
          ...{ userId, query: 'word4000', namespace: undefined, limit: 20 },
          near: { vector: [1, 0], model: 'm/2', atLeast: 0.3 },
        }),
      ),
  },
  {
    by: 'GET /v1/memory',
    file: `${store}/memories.ts`,
    indexes: ['agent_memory_user_idx'],
    as: user,
    run: ({ tx }) => listMemories(tx, userId, { limit: 21, namespace: undefined, before: position }),
  },
  {
    by: 'the tree of a run, in order',
    indexes: ['agent_runs_root_idx'],
    as: service,
    run: statement(
      'SELECT id, parent_run_id, status FROM agent_runs WHERE root_run_id = $1 ORDER BY created_at',
      run,
    ),
  },
  {
    by: 'the reconciler of runs that credits never answered',
    indexes: ['agent_runs_pending_idx'],
    as: service,
    run: statement(
      `SELECT id FROM agent_runs WHERE status = 'pending' AND created_at < now() - interval '1 minute'
       ORDER BY created_at LIMIT 100`,
    ),
  },
  {
    by: 'cancels on their way, longest first',
    indexes: ['agent_runs_cancelling_idx'],
    as: service,
    run: statement(
      `SELECT id FROM agent_runs WHERE cancel_requested_at < now() AND finished_at IS NULL
       ORDER BY cancel_requested_at LIMIT 100`,
    ),
  },
  {
    by: 'retention by tier, and what a user who leaves has finished',
    file: `${store}/deletions.ts`,
    indexes: ['agent_runs_expiry_idx', 'agent_runs_finished_idx'],
    as: service,
    run: async ({ database }) => {
      await database.serviceStatement(deleteExpiredRunsStatement(100));
      await database.serviceStatement(deleteRunsOfUserStatement(userId, 100));
    },
  },
  {
    by: 'users who leave: the work, and whether this one does',
    file: `${store}/deletions.ts`,
    indexes: ['agent_user_deletions_work_idx', 'agent_user_deletions_user_idx', 'agent_user_deletions_pkey'],
    as: service,
    run: async ({ database, tx }) => {
      await database.serviceStatement(openDeletionsStatement(20, 1_000));
      await database.serviceStatement(advanceDeletionStatement(filledId('deletion', 3), 'runs', 'files', {}));
      await database.serviceStatement(liveRunsStatement(userId, 100));
      await database.serviceStatement(anyRunStatement(userId));
      await findDeletion(tx, filledId('former user', 5_000));
    },
  },
  {
    by: 'the sweep of objects',
    file: `${store}/artifacts.ts`,
    indexes: ['agent_artifacts_storage_idx'],
    as: service,
    run: ({ database }) => database.serviceStatement(referredStatement(['sha256/a', 'sha256/b'])),
  },
  {
    by: 'DELETE /v1/runs/:id, with everything below the run',
    indexes: [
      'agent_runs_parent_idx',
      'agent_artifacts_step_idx',
      'agent_messages_step_idx',
      'agent_messages_run_id_message_index_key',
      'agent_memory_run_idx',
    ],
    as: owner,
    run: statement('DELETE FROM agent_runs WHERE id = $1', run),
  },
];

/** What the unique indexes of the agent core keep apart that no query uses. */
export const agentCoreGuards: Guards = {
  agent_runs_id_user_id_key: 'children name the run with its user',
  agent_runs_id_root_run_id_user_id_key: 'a child run names its parent with root and user',
  agent_steps_id_user_id_key: 'artifacts and messages name the step with its user',
};
