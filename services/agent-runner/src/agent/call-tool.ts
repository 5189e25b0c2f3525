import { setTimeout as delay } from 'node:timers/promises';
import { beginOnce, interrupted } from '../operations/claims.ts';
import { SandboxError } from '../sandbox/errors.ts';
import type { NewArtifact } from '../store/advance.ts';
import type { Tool, ToolContext, ToolResult } from '../tools/tool.ts';
import { ArtifactFailure, keepArtifactsFolder, keepFile } from './artifacts.ts';
import { ask, refusal } from './ask.ts';
import { runChild } from './child.ts';
import type { RunContext } from './run-context.ts';

/** One call of a tool by a step. */
export interface ToolCall {
  readonly stepId: string;
  readonly tool: Tool;
  /** References resolved, not yet checked by the tool. */
  readonly input: unknown;
  /** Workspace paths to keep after success, or `folder` for what lies under `artifacts/`. */
  readonly keep: readonly string[] | 'folder';
  readonly signal: AbortSignal;
}

/** How a call went, with the files that were kept. */
export interface CallOutcome {
  readonly result: ToolResult;
  readonly artifacts: readonly NewArtifact[];
  readonly durationMs: number;
}

/** Waits between tries of a sandbox that cannot be reached; the execution's id makes a repeat harmless. */
const retryWaitsMs = [250, 1_000, 4_000] as const;

const failed = (code: string, message: string): ToolResult => ({
  output: null,
  usage: [],
  failure: { code, message },
});

/** Runs `work`, again when the sandbox is merely out of reach. A lost sandbox and the last failure become results. */
async function withSandboxRetries(signal: AbortSignal, work: () => Promise<ToolResult>): Promise<ToolResult> {
  for (const wait of [...retryWaitsMs, null]) {
    try {
      return await work();
    } catch (error) {
      signal.throwIfAborted();
      if (!(error instanceof SandboxError)) throw error;
      if (error.fault !== 'infrastructure' || wait === null) return failed(error.code, error.message);
      await delay(wait, undefined, { signal });
    }
  }
  return failed('sandbox_unavailable', 'the sandbox cannot be reached');
}

/**
 * One call within its time. A tool that does not stop by the signal is left behind: what it does afterwards is its own
 * loss, the run goes on.
 */
async function callWithinTime(context: RunContext, call: ToolCall, input: unknown): Promise<ToolResult> {
  const { tool, signal } = call;
  const timeout = AbortSignal.timeout(tool.timeoutSeconds * 1_000);
  const within = AbortSignal.any([signal, timeout]);
  const toolContext: ToolContext = {
    runId: context.run.id,
    userId: context.run.user_id,
    tenantId: context.run.tenant_id,
    stepId: call.stepId,
    attempt: context.claim.attempt,
    signal: within,
    log: context.log,
    sandbox: () => context.workspace.session(),
    sandboxSeconds: context.sandboxSeconds,
    child: (request) => runChild(context, call.stepId, request),
    ask: (question) => ask(context, call.stepId, question),
  };
  const { promise: aborted, reject } = Promise.withResolvers<never>();
  const stop = () => reject(within.reason);
  within.addEventListener('abort', stop, { once: true });
  try {
    return await withSandboxRetries(within, () => Promise.race([tool.run(input, toolContext), aborted]));
  } catch (error) {
    signal.throwIfAborted();
    if (!timeout.aborted) throw error;
    return failed('tool_timeout', `"${tool.name}" did not end within ${tool.timeoutSeconds} seconds`);
  } finally {
    within.removeEventListener('abort', stop);
  }
}

async function keepFiles(context: RunContext, call: ToolCall): Promise<NewArtifact[]> {
  if (call.keep !== 'folder' && call.keep.length === 0) return [];
  const keep = {
    userId: context.run.user_id,
    runId: context.run.id,
    stepId: call.stepId,
    session: await context.workspace.session(),
    objects: context.objects,
    maxBytes: context.settings.artifactMaxBytes,
  };
  if (call.keep === 'folder') return keepArtifactsFolder(keep);
  const kept: NewArtifact[] = [];
  for (const path of call.keep) kept.push(await keepFile(path, keep));
  return kept;
}

/**
 * Calls a tool and keeps the files it was to leave. What the author or the model can see to is in the result;
 * thrown is only what stops the run: the abort of `signal`, or a defect.
 */
export async function callTool(context: RunContext, call: ToolCall): Promise<CallOutcome> {
  const { clock } = context;
  const startedAt = clock.monotonicMs();
  const outcome = (result: ToolResult, artifacts: readonly NewArtifact[] = []): CallOutcome => ({
    result,
    artifacts,
    durationMs: Math.round(clock.monotonicMs() - startedAt),
  });
  const parsed = call.tool.input.safeParse(call.input);
  if (!parsed.success) {
    const detail = parsed.error.issues.map((issue) => `${issue.path.join('.')}: ${issue.message}`).join('; ');
    return outcome(failed('bad_input', detail));
  }
  const refused = await refusal(context, call.stepId, call.tool, parsed.data);
  if (refused) return outcome({ output: null, usage: [], failure: refused });
  if (call.tool.resume === 'unknown' && !(await beginOnce(context.database, context.claim, call.stepId))) {
    return outcome(failed(interrupted.code, interrupted.message));
  }
  const result = await callWithinTime(context, call, parsed.data);
  if (result.failure) return outcome(result);
  try {
    return outcome(result, await keepFiles(context, call));
  } catch (error) {
    call.signal.throwIfAborted();
    if (!(error instanceof ArtifactFailure) && !(error instanceof SandboxError)) throw error;
    return outcome({ ...result, failure: { code: error.code, message: error.message } });
  }
}
