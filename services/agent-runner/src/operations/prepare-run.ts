import { randomUUID } from 'node:crypto';
import type { Database, Principal } from '@swissbrain/service-kit/database';
import { parseCredits } from '@swissbrain/shared-schema/amount';
import type {
  ApprovalPolicy,
  artifactInput,
  CreateRunBody,
} from '@swissbrain/shared-schema/http/agent-runner';
import type { z } from 'zod';
import { estimateGoal, estimatePlaybook } from '../domain/estimate.ts';
import { checkInputs, inputPath, type RunInput, rejectSharedNames } from '../domain/inputs.ts';
import type { StoredGiven } from '../domain/payload.ts';
import { type PlannedStep, type Playbook, PlaybookProblem, planPlaybook } from '../domain/playbook.ts';
import type { Usage } from '../domain/usage.ts';
import { errors } from '../errors.ts';
import type { ObjectStore } from '../storage/object-store.ts';
import type { NewArtifact } from '../store/advance.ts';
import { type ArtifactRow, findArtifacts } from '../store/artifacts.ts';
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
  /** What is too large for rows; without it everything fits. */
  readonly stored?: StoredGiven;
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

/** Files that are stored already, by their ids. */
export type KnownFiles = ReadonlyMap<string, ArtifactRow>;

function toRunInput(given: GivenInput, known: KnownFiles): RunInput {
  if (typeof given !== 'object') return { kind: 'value', value: given };
  const filename = 'artifact_id' in given ? nameOf(given, known) : given.filename;
  return { kind: 'file', path: inputPath(filename), name: filename };
}

type GivenArtifact = z.infer<typeof artifactInput>;

function fileOf({ artifact_id: id }: GivenArtifact, known: KnownFiles): ArtifactRow {
  const file = known.get(id);
  if (!file) throw errors.artifact_not_found(`there is no artifact ${id}`);
  return file;
}

const nameOf = (given: GivenArtifact, known: KnownFiles) =>
  given.filename ?? fileOf(given, known).name.split('/').at(-1) ?? given.artifact_id;

/** The stored files that a run is to be given: of its own user alone. */
export async function readGivenFiles(
  database: Database,
  principal: Principal,
  inputs: CreateRunBody['inputs'],
): Promise<KnownFiles> {
  const ids = Object.values(inputs).flatMap((input) =>
    typeof input === 'object' && 'artifact_id' in input ? [input.artifact_id] : [],
  );
  if (ids.length === 0) return new Map();
  const files = await database.withUser(principal, (tx) => findArtifacts(tx, ids));
  return new Map(files.map((file) => [file.id, file]));
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

/** Stores one input file under its content, unless it is stored; nothing else happens to it before the run exists. */
async function storeInput(
  objects: ObjectStore,
  userId: string,
  name: string,
  given: Extract<GivenInput, object>,
  known: KnownFiles,
): Promise<NewArtifact> {
  if ('artifact_id' in given) {
    const file = fileOf(given, known);
    return {
      ...{ id: randomUUID(), stepId: null, kind: 'input', name: inputPath(name), mediaType: file.media_type },
      ...{ sizeBytes: Number(file.size_bytes), sha256: file.sha256, storageKey: file.storage_key },
    };
  }
  const stored = await objects.put(userId, Buffer.from(given.content_base64, 'base64'));
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
 * @param known stored files that inputs name
 * @throws AppError invalid_playbook naming the step, invalid_run, model_not_configured, artifact_not_found
 */
export async function prepareRun(
  userId: string,
  body: CreateRunBody,
  deps: PrepareDeps,
  { id = randomUUID() as string, known = new Map() as KnownFiles } = {},
): Promise<PreparedRun> {
  const given = Object.fromEntries(
    Object.entries(body.inputs).map(([name, input]) => [name, toRunInput(input, known)]),
  );
  const plan = withProblems(() => planned(body, deps, given));
  const artifacts: NewArtifact[] = [];
  const inputs: Record<string, StoredInput> = { ...plan.inputs };
  for (const [name, input] of Object.entries(body.inputs)) {
    const checked = inputs[name];
    if (typeof input !== 'object' || checked?.kind !== 'file') continue;
    const artifact = await storeInput(deps.objects, userId, checked.name, input, known);
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
