import type { StepRetry } from './playbook.ts';
import type { Usage } from './usage.ts';

/** A call that failed and was made again. */
export interface FailedTry {
  readonly code: string;
  readonly message: string;
  readonly usage: readonly Usage[];
}

const longestSeconds = 60;

/** Failures that would be the same the next time, or that a person has decided. */
const lasting: ReadonlySet<string> = new Set([
  ...['bad_input', 'unresolved_reference', 'output_unreadable', 'output_too_large', 'artifact_too_large'],
  ...['approval_denied', 'approval_mismatch', 'question_timed_out', 'interrupted', 'tool_unavailable'],
]);

/** How long to wait before the call is made again, in milliseconds; null when it is not. `failed` calls have failed. */
export function pauseBefore(retry: StepRetry | undefined, code: string, failed: number): number | null {
  if (!retry || failed >= retry.attempts || lasting.has(code)) return null;
  return Math.min(retry.backoff_seconds * 2 ** (failed - 1), longestSeconds) * 1_000;
}
