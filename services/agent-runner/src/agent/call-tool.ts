import { annotateSpan, failSpan, inSpan } from '@swissbrain/service-kit/trace-context';
import { jsonText, maxPayloadBytes } from '../domain/payload.ts';
import { priceUsage } from '../domain/usage.ts';
import { beginOnce, interrupted } from '../operations/claims.ts';
import type { Advance, NewArtifact } from '../store/advance.ts';
import type { Tool, ToolContext, ToolResult } from '../tools/tool.ts';
import { ArtifactFailure, keepArtifactsFolder, keepFile, workspaceArtifact } from './artifacts.ts';
import { ask, refusal } from './ask.ts';
import { runChild } from './child.ts';
import { costAttribute } from './model-spans.ts';
import type { RunContext } from './run-context.ts';
import { callInSandbox } from './sandbox-call.ts';
import { RunStopped } from './stops.ts';

/** One call of a tool by a step. */
export interface ToolCall {
  readonly stepId: string;
  /** As the model calls its call; undefined for a step of a playbook. */
  readonly askedId?: string;
  readonly tool: Tool;
  /** References resolved, not yet checked by the tool. */
  readonly input: unknown;
  /** Workspace paths to keep after success, or `folder` for what lies under `artifacts/`. */
  readonly keep: readonly string[] | 'folder';
  readonly signal: AbortSignal;
  /** Whether the run goes on after it, so that its workspace is worth keeping. */
  isFollowed(failed: boolean): boolean;
}

/** How a call went, with the files that were kept and what came of keeping the workspace. */
export interface CallOutcome {
  readonly result: ToolResult;
  readonly artifacts: readonly NewArtifact[];
  readonly workspace: Exclude<Advance['workspace'], undefined>;
  readonly durationMs: number;
}

const failed = (code: string, message: string): ToolResult => ({
  output: null,
  usage: [],
  failure: { code, message },
});

/** What came of the work of a call. */
type Worked = Pick<CallOutcome, 'result' | 'artifacts' | 'workspace'>;

const only = (result: ToolResult): Worked => ({ result, artifacts: [], workspace: null });

/** A result that is too large to be kept is none. */
function bounded(result: ToolResult): ToolResult {
  if (result.failure || Buffer.byteLength(jsonText(result.output)) <= maxPayloadBytes) return result;
  const message = `the result is larger than ${maxPayloadBytes} bytes; leave it in a file of the workspace`;
  return { ...result, output: null, failure: { code: 'output_too_large', message } };
}

/** The tool's work, the files that it was to leave, and the workspace as it left it. */
async function work(
  context: RunContext,
  call: ToolCall,
  input: unknown,
  signal: AbortSignal,
): Promise<Worked> {
  const { tool } = call;
  let usesSandbox = false;
  const toolContext: ToolContext = {
    runId: context.run.id,
    userId: context.run.user_id,
    tenantId: context.run.tenant_id,
    stepId: call.stepId,
    attempt: context.claim.attempt,
    signal,
    log: context.log,
    sandbox() {
      usesSandbox = true;
      return context.workspace.session();
    },
    sandboxSeconds: context.sandboxSeconds,
    child: (request) => runChild(context, call.stepId, request),
    ask: (question) => ask(context, call.stepId, question),
  };
  const ran = bounded(await tool.run(input, toolContext));
  const kept = ran.failure ? only(ran) : await withFiles(context, call, ran);
  const writes = (tool.effectOf?.(input) ?? tool.effect) !== 'read' || ran.files !== undefined;
  const changes = usesSandbox && writes;
  if (!changes || !call.isFollowed(kept.result.failure !== undefined)) return kept;
  const workspace = await context.workspace.keep();
  if (workspace === null || workspace === 'unkept') return { ...kept, workspace };
  return { ...kept, workspace: workspaceArtifact(context.run.id, workspace) };
}

/**
 * One call within its time. A tool that does not stop by the signal is left behind: what it does afterwards is its own
 * loss, the run goes on.
 */
async function callWithinTime(context: RunContext, call: ToolCall, input: unknown): Promise<Worked> {
  const { tool, signal } = call;
  const timeout = AbortSignal.timeout(tool.timeoutSeconds * 1_000);
  const within = AbortSignal.any([signal, timeout]);
  const { promise: aborted, reject } = Promise.withResolvers<never>();
  const stop = () => reject(within.reason);
  within.addEventListener('abort', stop, { once: true });
  try {
    const mayRepeat = tool.resume !== 'unknown';
    const called = await callInSandbox(context, { signal: within, mayRepeat }, () =>
      Promise.race([work(context, call, input, within), aborted]),
    );
    return 'done' in called ? called.done : only(failed(called.failure.code, called.failure.message));
  } catch (error) {
    signal.throwIfAborted();
    if (!timeout.aborted) throw error;
    return only(failed('tool_timeout', `"${tool.name}" did not end within ${tool.timeoutSeconds} seconds`));
  } finally {
    within.removeEventListener('abort', stop);
  }
}

async function withFiles(context: RunContext, call: ToolCall, result: ToolResult): Promise<Worked> {
  try {
    return { ...only(result), artifacts: await keepFiles(context, call, result.files ?? []) };
  } catch (error) {
    if (!(error instanceof ArtifactFailure)) throw error;
    return only({ ...result, failure: { code: error.code, message: error.message } });
  }
}

async function keepFiles(
  context: RunContext,
  call: ToolCall,
  left: readonly string[],
): Promise<NewArtifact[]> {
  // What tools leave lies under artifacts/.
  const paths = call.keep === 'folder' ? 'folder' : [...new Set([...call.keep, ...left])];
  if (paths !== 'folder' && paths.length === 0) return [];
  const keep = {
    userId: context.run.user_id,
    runId: context.run.id,
    stepId: call.stepId,
    session: await context.workspace.session(),
    objects: context.objects,
    maxBytes: context.settings.artifactMaxBytes,
  };
  if (paths === 'folder') return keepArtifactsFolder(keep);
  const kept: NewArtifact[] = [];
  for (const path of paths) kept.push(await keepFile(path, keep));
  return kept;
}

async function perform(context: RunContext, call: ToolCall): Promise<CallOutcome> {
  const { clock } = context;
  const startedAt = clock.monotonicMs();
  const outcome = (worked: Worked): CallOutcome => ({
    ...worked,
    durationMs: Math.round(clock.monotonicMs() - startedAt),
  });
  const parsed = call.tool.input.safeParse(call.input);
  if (!parsed.success) {
    const detail = parsed.error.issues.map((issue) => `${issue.path.join('.')}: ${issue.message}`).join('; ');
    return outcome(only(failed('bad_input', detail)));
  }
  const refused = await refusal(context, call.stepId, call.tool, parsed.data);
  if (refused) return outcome(only({ output: null, usage: [], failure: refused }));
  if (call.tool.resume === 'unknown' && !(await beginOnce(context.database, context.claim, call.stepId))) {
    return outcome(only(failed(interrupted.code, interrupted.message)));
  }
  return outcome(await callWithinTime(context, call, parsed.data));
}

/**
 * Calls a tool and keeps the files it was to leave. What the author or the model can see to is in the result;
 * thrown is only what stops the run: the abort of `signal`, or a defect.
 */
export async function callTool(context: RunContext, call: ToolCall): Promise<CallOutcome> {
  const { tool, stepId, askedId } = call;
  const attributes = {
    'gen_ai.operation.name': 'execute_tool',
    'gen_ai.tool.name': tool.name,
    'gen_ai.tool.type': 'function',
    ...(askedId === undefined ? {} : { 'gen_ai.tool.call.id': askedId }),
    'gen_ai.conversation.id': context.run.id,
    'swissbrain.step_id': stepId,
  };
  const ended = await inSpan(`execute_tool ${tool.name}`, 'internal', undefined, attributes, async () => {
    try {
      const outcome = await perform(context, call);
      const { failure, usage } = outcome.result;
      annotateSpan(costAttribute(priceUsage(usage, context.budget.prices)));
      if (failure) failSpan(failure.code, failure.code);
      return { outcome };
    } catch (error) {
      // To wait for the user or to hand a run over is no error.
      if (error instanceof RunStopped) return { stopped: error };
      throw error;
    }
  });
  if ('stopped' in ended) throw ended.stopped;
  return ended.outcome;
}
