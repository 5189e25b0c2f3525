import { AppError } from '@swissbrain/service-kit/errors';
import { createRunBody } from '@swissbrain/shared-schema/http/agent-runner';
import type { PreparedRun } from '../operations/prepare-run.ts';
import { prepareRun } from '../operations/prepare-run.ts';
import { readChild, startChild } from '../operations/start-child.ts';
import { storeGiven } from '../operations/store-given.ts';
import { loadPayload } from '../storage/payloads.ts';
import type { ChildOutcome, ChildRequest } from '../tools/tool.ts';
import { derivedId } from './derived-id.ts';
import type { RunContext } from './run-context.ts';

const final: ReadonlySet<string> = new Set(['completed', 'failed', 'cancelled', 'timed_out']);

const failed = (code: string, message: string): ChildOutcome => ({
  runId: null,
  status: 'failed',
  output: null,
  error: { code, message },
});

async function prepare(
  context: RunContext,
  id: string,
  request: ChildRequest,
): Promise<PreparedRun | ChildOutcome> {
  const { tools, objects, choice, approvals } = context;
  // What a child may do without asking is what its parent may: a model grants nothing.
  const body = createRunBody.safeParse({ ...request, approvals });
  if (!body.success) {
    const issues = body.error.issues.map((issue) => `${issue.path.join('.')}: ${issue.message}`);
    return failed('invalid_run', issues.join('; '));
  }
  try {
    const modelReason = 'reason' in choice ? choice.reason : null;
    const { user_id: userId } = context.run;
    const prepared = await prepareRun(userId, body.data, { tools, objects, modelReason }, { id });
    return await storeGiven(objects, userId, prepared);
  } catch (error) {
    if (!(error instanceof AppError) || error.status >= 500) throw error;
    return failed(error.code, error.message);
  }
}

/**
 * Starts a run below this one in the name of a step, once, and waits for its end without holding a worker. It draws on
 * the hold of the root and takes no place of its own in the tier's concurrency.
 */
export async function runChild(
  context: RunContext,
  stepId: string,
  request: ChildRequest,
): Promise<ChildOutcome> {
  const { database, objects, signal, claim, tools, waits } = context;
  const runId = derivedId('child', stepId);
  if (!(await readChild(database, runId))) {
    const prepared = await prepare(context, runId, request);
    if ('status' in prepared) return prepared;
    const started = await startChild(database, claim, { stepId, prepared, tools });
    if (!started) return failed('too_deep', 'there are too many runs above this one');
  }
  const ended = await waits.until({ for: 'child', runId }, async () => {
    const child = await readChild(database, runId);
    return child && final.has(child.status) ? child : undefined;
  });
  return {
    runId,
    status: ended.status,
    output: await loadPayload(objects, ended.output, ended.output_ref, signal),
    error:
      ended.error_code === null
        ? null
        : { code: ended.error_code, message: ended.error_message ?? ended.error_code },
  };
}
