import { randomUUID } from 'node:crypto';
import { isDeepStrictEqual } from 'node:util';
import type { Principal, Tx } from '@swissbrain/service-kit/database';
import { parseCredits } from '@swissbrain/shared-schema/amount';
import {
  approvalPolicy,
  type ForkRunBody,
  playbookSchema,
} from '@swissbrain/shared-schema/http/agent-runner';
import { z } from 'zod';
import { estimateGoal, estimatePlaybook } from '../domain/estimate.ts';
import { checkInputs } from '../domain/inputs.ts';
import { type PlannedStep, planPlaybook } from '../domain/playbook.ts';
import { errors } from '../errors.ts';
import { isStored } from '../storage/payloads.ts';
import type { NewArtifact } from '../store/advance.ts';
import { type ArtifactRow, copyPayloads, listArtifacts } from '../store/artifacts.ts';
import { copyMessages } from '../store/messages.ts';
import { findWholeRun, type RunRow } from '../store/runs.ts';
import { insertCopiedSteps, loadStepsStatement, type StepRow } from '../store/steps.ts';
import { createRun } from './create-run.ts';
import { type OpenRun, openGiven } from './open-rows.ts';
import { type PrepareDeps, type PreparedRun, type StoredInput, withProblems } from './prepare-run.ts';
import type { ReadDeps } from './read-runs.ts';
import { storeGiven } from './store-given.ts';

/** Files that steps of the source have kept lie in the new workspace under their own paths. */
const keptFile = 'artifact:';
const storedOptions = z.object({ approvals: approvalPolicy.default('destructive') });

/** A run as it was recorded. */
export interface Recorded {
  readonly run: RunRow;
  readonly steps: readonly StepRow[];
  readonly artifacts: readonly ArtifactRow[];
}

/** A fork that may be created. */
export interface PreparedFork {
  readonly source: Recorded;
  readonly prepared: PreparedRun;
  /** Steps whose results are taken over. */
  readonly copied: readonly StepRow[];
  /** Of a goal: messages before this place are taken over. */
  readonly messagesBefore: number | null;
}

/** Reads what a run has recorded; of large inputs and outputs of its steps where they are. @throws AppError run_not_found */
export async function readRecorded(
  { database, objects }: ReadDeps,
  principal: Principal,
  runId: string,
): Promise<Recorded> {
  const recorded = await database.withUser(principal, async (tx) => {
    const run = await findWholeRun(tx, runId);
    if (!run) throw errors.run_not_found(`there is no run ${runId}`);
    const { rows } = await loadStepsStatement(runId).execute(tx);
    return { run, steps: rows, artifacts: await listArtifacts(tx, runId) };
  });
  return { ...recorded, run: await openGiven(objects, recorded.run) };
}

/** The inputs that a run was given, without the files that a fork was given beside them. */
export function givenInputs(run: RunRow): Record<string, StoredInput> {
  const inputs = run.inputs as Record<string, StoredInput>;
  return Object.fromEntries(Object.entries(inputs).filter(([name]) => !name.startsWith(keptFile)));
}

/** The given inputs with some values replaced. */
export function editInputs(run: RunRow, edits: ForkRunBody['inputs']): Record<string, StoredInput> {
  const values = Object.entries(edits ?? {}).map(
    ([name, value]) => [name, { kind: 'value' as const, value }] as const,
  );
  return { ...givenInputs(run), ...Object.fromEntries(values) };
}

const isInput = (row: StepRow, value: unknown) =>
  row.input_ref
    ? isStored(value, row.input_ref)
    : isDeepStrictEqual(row.input, JSON.parse(JSON.stringify(value)));

/** Steps before `from` that have completed and that the new playbook has unchanged, with all that they wait for. */
function unchanged(steps: readonly StepRow[], planned: readonly PlannedStep[], from: number): StepRow[] {
  const before = new Map(
    steps
      .filter((step) => step.status === 'completed' && step.step_index < from)
      .map((step) => [step.step_key, step]),
  );
  for (const step of planned) {
    const row = before.get(step.id);
    if (row && !isInput(row, step.with)) before.delete(step.id);
  }
  for (let changed = true; changed; ) {
    changed = false;
    for (const { id, needs } of planned) {
      if (before.has(id) && needs.some((need) => !before.has(need))) changed = before.delete(id);
    }
  }
  return planned.flatMap(({ id }) => before.get(id) ?? []);
}

function keptFiles(source: Recorded, copied: readonly StepRow[]): Recorded['artifacts'] {
  const ids = new Set(copied.map((step) => step.id));
  const last = new Map<string, ArtifactRow>();
  for (const file of source.artifacts) {
    const ofCopied = file.kind === 'output' && file.step_id !== null && ids.has(file.step_id);
    if (ofCopied || file.kind === 'input') last.set(file.name, file);
  }
  return [...last.values()];
}

function planFork(body: ForkRunBody, source: Recorded, from: number, deps: PrepareDeps) {
  const { run, steps } = source;
  const estimator = {
    estimate: (tool: string, input: Readonly<Record<string, unknown>>) =>
      deps.tools.find(tool)?.estimate(input) ?? [],
  };
  const edited = editInputs(run, body.inputs);
  if (run.kind === 'goal') {
    if (body.playbook) throw errors.invalid_run('a run of a goal has no playbook to replace');
    if (deps.modelReason !== null) throw errors.model_not_configured(deps.modelReason);
    const copied = steps.filter(
      (step) => step.step_index < from && step.finished_at !== null && step.status !== 'cancelled',
    );
    const call = estimator.estimate('llm', { prompt: run.goal });
    return {
      copied,
      planned: [],
      playbook: null,
      inputs: edited,
      estimate: estimateGoal(call, estimator.estimate('code', {})),
    };
  }
  const playbook = body.playbook ?? playbookSchema.parse(run.playbook);
  const planned = planPlaybook(playbook, deps.tools);
  const inputs: Record<string, StoredInput> = checkInputs(playbook.inputs, edited);
  const copied = unchanged(steps, planned, from);
  const keys = new Set(copied.map((step) => step.step_key));
  const estimate = estimatePlaybook(
    planned.filter((step) => !keys.has(step.id)),
    estimator,
  );
  return { copied, planned, playbook, inputs, estimate };
}

/**
 * Makes a run ready that begins with what another has done before step `from`, and goes on by itself with a hold of its
 * own. Steps that were edited, and what waits for them, are done again.
 * @throws AppError invalid_playbook, invalid_run, model_not_configured
 */
export async function prepareFork(
  source: Recorded,
  body: ForkRunBody,
  deps: PrepareDeps,
): Promise<PreparedFork> {
  const { run, steps } = source;
  const firstOpen = steps.find((step) => step.status !== 'completed')?.step_index ?? steps.length;
  const from = body.from_step ?? firstOpen;
  const plan = withProblems(() => planFork(body, source, from, deps));
  const ended =
    run.kind === 'goal'
      ? run.status === 'completed' && from >= steps.length
      : plan.copied.length === plan.planned.length;
  if (ended) throw errors.invalid_run('nothing is left to do: give an earlier step, or edit one');
  const inputs = { ...plan.inputs };
  const artifacts: NewArtifact[] = [];
  for (const file of keptFiles(source, plan.copied)) {
    artifacts.push({
      ...{ id: randomUUID(), stepId: null, kind: 'input', name: file.name, mediaType: file.media_type },
      ...{ sizeBytes: Number(file.size_bytes), sha256: file.sha256, storageKey: file.storage_key },
    });
    if (file.kind === 'output') {
      inputs[`${keptFile}${file.name}`] = {
        kind: 'file',
        path: file.name,
        name: file.name,
        storageKey: file.storage_key,
      };
    }
  }
  const before = new Set(plan.copied.map((step) => step.id));
  const prepared: PreparedRun = {
    id: randomUUID(),
    kind: run.kind,
    mode: run.mode,
    title: body.title ?? run.title,
    goal: run.goal,
    playbook: plan.playbook,
    steps: plan.planned.filter(
      (step) => !plan.copied.some((row) => row.step_key === step.id && before.has(row.id)),
    ),
    inputs,
    artifacts,
    estimate: plan.estimate,
    approvals: body.approvals ?? storedOptions.parse(run.options).approvals,
    budgetMicro: body.budget === undefined ? run.budget_micro : parseCredits(body.budget),
  };
  return {
    source,
    copied: plan.copied,
    messagesBefore: run.kind === 'goal' ? from : null,
    prepared: await storeGiven(deps.objects, run.user_id, prepared),
  };
}

/** Creates a fork with the steps and messages that it takes over; they are not billed again. */
export async function createFork(
  tx: Tx,
  principal: Principal,
  fork: PreparedFork,
  deps: PrepareDeps,
): Promise<OpenRun> {
  const { source, prepared, copied, messagesBefore } = fork;
  const run = await createRun(tx, principal, prepared, deps.tools, { forkedFrom: source.run.id });
  const placed = prepared.playbook
    ? new Map(prepared.playbook.steps.map((step, index) => [step.id, index]))
    : null;
  const ids = new Map(copied.map((step) => [step.id, randomUUID()]));
  await insertCopiedSteps(
    tx,
    { id: run.id, userId: principal.userId },
    copied.map((step, place) => ({
      id: ids.get(step.id) ?? randomUUID(),
      from: step.id,
      index: placed?.get(step.step_key) ?? place,
    })),
  );
  await copyPayloads(tx, { id: run.id, userId: principal.userId }, source.run.id);
  if (messagesBefore !== null) {
    await copyMessages(tx, { from: source.run.id, to: run.id, beforeStep: messagesBefore, steps: [...ids] });
  }
  return { ...run, step_count: run.step_count + copied.length, completed_steps: copied.length };
}
