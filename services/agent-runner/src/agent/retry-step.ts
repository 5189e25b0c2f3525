import { setTimeout as delay } from 'node:timers/promises';
import { type FailedTry, pauseBefore } from '../domain/retry.ts';
import { sumUsage } from '../domain/usage.ts';
import { noteTry } from '../operations/claims.ts';
import type { CallOutcome } from './call-tool.ts';
import type { Step } from './playbook-steps.ts';
import type { RunContext } from './run-context.ts';
import { boundError } from './step-events.ts';

/**
 * Makes the call of a step, and makes it again as often as the step allows while it fails. Each failure is noted before
 * the pause, so a successor goes on counting. What all the calls have used is charged with the last one's end.
 * @throws the reason of `signal`; ClaimLost
 */
export async function callWithRetries(
  context: RunContext,
  step: Step,
  signal: AbortSignal,
  call: () => Promise<CallOutcome>,
): Promise<CallOutcome> {
  const { database, claim, log } = context;
  const tries: FailedTry[] = [...step.tries];
  let durationMs = 0;
  for (;;) {
    const outcome = await call();
    durationMs += outcome.durationMs;
    const { failure, usage } = outcome.result;
    const pauseMs = failure ? pauseBefore(step.source.retry, failure.code, tries.length + 1) : null;
    if (!failure || pauseMs === null) {
      const all = tries.length === 0 ? usage : sumUsage([...tries.flatMap((each) => each.usage), ...usage]);
      return { ...outcome, durationMs, result: { ...outcome.result, usage: all } };
    }
    const { code, message } = boundError(failure) ?? failure;
    const failed = { code, message, usage };
    await noteTry(database, claim, step.stepId, failed);
    tries.push(failed);
    log.info({ step_id: step.stepId, code, tries: tries.length, pause_ms: pauseMs }, 'a call is made again');
    await delay(pauseMs, undefined, { signal });
  }
}
