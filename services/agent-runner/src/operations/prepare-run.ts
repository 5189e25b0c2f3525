import { randomUUID } from 'node:crypto';
import { parseCredits } from '@swissbrain/shared-schema/amount';
import type { ApprovalPolicy, CreateRunBody } from '@swissbrain/shared-schema/http/agent-runner';
import { estimateGoal, estimatePlaybook } from '../domain/estimate.ts';
import { checkInputs, inputPath, type RunInput, rejectSharedNames } from '../domain/inputs.ts';
import { type PlannedStep, type Playbook, PlaybookProblem, planPlaybook } from '../domain/playbook.ts';
import type { Usage } from '../domain/usage.ts';
import { errors } from '../errors.ts';
import type { ObjectStore } from '../storage/object-store.ts';
import type { NewArtifact } from '../store/advance.ts';
import { mediaTypeOf } from '../tools/media-type.ts';
import type { ToolRegistry } from '../tools/registry.ts';

/** A run that may be created: checked, its input files stored. */
export interface PreparedRun {
  readonly id: string;
  readonly kind: 'playbook' | 'goal';
  readonly mode: string;
  readonly title: string;
  readonly goal: string | null;
  readonly playbook: Playbook | null;
  readonly steps: readonly PlannedStep[];
  readonly inputs: Readonly<Record<string, StoredInput>>;
  readonly artifacts: readonly NewArtifact[];
  readonly estimate: readonly Usage[];
  readonly approvals: ApprovalPolicy;
  readonly budgetMicro: bigint | null;
}

/** An input as the run's row keeps it: of a file the place of its bytes. */
export type StoredInput = RunInput & { readonly storageKey?: string };

export interface PrepareDeps {
  readonly tools: ToolRegistry;
  readonly objects: ObjectStore;
  /** Why there is no model, or null. */
  readonly modelReason: string | null;
}

type GivenInput = CreateRunBody['inputs'][string];

function toRunInput(given: GivenInput): RunInput {
  if (typeof given !== 'object') return { kind: 'value', value: given };
  return { kind: 'file', path: inputPath(given.filename), name: given.filename };
}

const estimatorOf = (tools: ToolRegistry) => ({
  estimate: (tool: string, input: Readonly<Record<string, unknown>>) =>
    tools.find(tool)?.estimate(input) ?? [],
});

/**
 * What a run would set out with, without its inputs and without a trace.
 * @throws AppError invalid_playbook naming the step, invalid_run, model_not_configured
 */
export function estimateRun(
  body: Pick<CreateRunBody, 'playbook' | 'goal'>,
  { tools, modelReason }: Pick<PrepareDeps, 'tools' | 'modelReason'>,
): Usage[] {
  const { playbook } = body;
  if (playbook === undefined || body.goal !== undefined) {
    const deps = { tools, modelReason };
    return [...withProblems(() => planned({ ...body, inputs: {} }, deps, {})).estimate];
  }
  const steps = withProblems(() => planPlaybook(playbook, tools));
  return estimatePlaybook(steps, estimatorOf(tools));
}

function planned(
  body: Omit<CreateRunBody, 'approvals'>,
  deps: Pick<PrepareDeps, 'tools' | 'modelReason'>,
  given: Record<string, RunInput>,
) {
  const { playbook, goal } = body;
  if ((playbook === undefined) === (goal === undefined)) {
    throw errors.invalid_run('give either a playbook or a goal');
  }
  const estimator = estimatorOf(deps.tools);
  if (playbook !== undefined) {
    const steps = planPlaybook(playbook, deps.tools);
    const inputs = checkInputs(playbook.inputs, given);
    return { steps, inputs, estimate: estimatePlaybook(steps, estimator) };
  }
  if (deps.modelReason !== null) throw errors.model_not_configured(deps.modelReason);
  rejectSharedNames(Object.values(given));
  const call = estimator.estimate('llm', { prompt: goal });
  return { steps: [], inputs: given, estimate: estimateGoal(call, estimator.estimate('code', {})) };
}

/** Stores one input file under its content; nothing else happens to it before the run exists. */
async function storeInput(
  objects: ObjectStore,
  userId: string,
  name: string,
  base64: string,
): Promise<NewArtifact> {
  const stored = await objects.put(userId, Buffer.from(base64, 'base64'));
  return {
    id: randomUUID(),
    stepId: null,
    kind: 'input',
    name: inputPath(name),
    mediaType: mediaTypeOf(name),
    sizeBytes: stored.size,
    sha256: stored.sha256,
    storageKey: stored.key,
  };
}

/**
 * Checks everything that can be checked before anything is held, then stores the input files.
 * @throws AppError invalid_playbook naming the step, invalid_run, model_not_configured
 */
export async function prepareRun(
  userId: string,
  body: CreateRunBody,
  deps: PrepareDeps,
  id: string = randomUUID(),
): Promise<PreparedRun> {
  const given = Object.fromEntries(
    Object.entries(body.inputs).map(([name, input]) => [name, toRunInput(input)]),
  );
  const plan = withProblems(() => planned(body, deps, given));
  const artifacts: NewArtifact[] = [];
  const inputs: Record<string, StoredInput> = { ...plan.inputs };
  for (const [name, input] of Object.entries(body.inputs)) {
    const checked = inputs[name];
    if (typeof input !== 'object' || checked?.kind !== 'file') continue;
    const artifact = await storeInput(deps.objects, userId, input.filename, input.content_base64);
    artifacts.push(artifact);
    inputs[name] = { ...checked, storageKey: artifact.storageKey };
  }
  return {
    id,
    kind: body.playbook ? 'playbook' : 'goal',
    mode: body.mode ?? (body.playbook ? 'playbook' : 'general'),
    title: body.title ?? body.playbook?.name ?? titleOf(body.goal ?? ''),
    goal: body.goal ?? null,
    playbook: body.playbook ?? null,
    steps: plan.steps,
    inputs,
    artifacts,
    estimate: plan.estimate,
    approvals: body.approvals,
    budgetMicro: body.budget === undefined ? null : parseCredits(body.budget),
  };
}

/** Runs a check of a playbook. @throws AppError invalid_playbook for a PlaybookProblem */
export function withProblems<T>(work: () => T): T {
  try {
    return work();
  } catch (error) {
    if (!(error instanceof PlaybookProblem)) throw error;
    throw errors.invalid_playbook(error.message, { problem: error.code, step: error.step });
  }
}

function titleOf(goal: string): string {
  const line = goal.trim().split('\n', 1)[0] ?? '';
  return line.length > 100 ? `${line.slice(0, 99)}…` : line || 'Untitled';
}
