import { setTimeout as delay } from 'node:timers/promises';
import { type LossCode, SandboxError, sandboxLost } from '../sandbox/errors.ts';
import type { RunContext } from './run-context.ts';

/** A failure that the author or the model is told. */
export interface CallFailure {
  readonly code: string;
  readonly message: string;
}

export type SandboxCallOutcome<T> = { readonly done: T } | { readonly failure: CallFailure };

export interface SandboxCall {
  readonly signal: AbortSignal;
  /** Whether the work may be done again in another sandbox: nothing of it has left the lost one. */
  readonly mayRepeat: boolean;
}

const firstPauseMs = 250;
const longestPauseMs = 5_000;
/** A call that loses so many sandboxes is not begun in another. */
const maxLosses = 3;
/** Waiting changes nothing about these. */
const hopeless: ReadonlySet<string> = new Set(['sandbox_image_missing', 'sandbox_refused', 'answer_invalid']);
/** What a program does to its sandbox it would do to the next one, too. */
const ownDoing: Readonly<Partial<Record<LossCode, string>>> = {
  out_of_memory: 'memory',
  disk_full: 'disk',
};

/** Tries again while the sandbox is merely out of reach. @throws SandboxError, of which only a lost one may be repeated */
async function whileOutOfReach<T>(
  { clock, settings }: RunContext,
  signal: AbortSignal,
  work: () => Promise<T>,
): Promise<T> {
  let since: number | undefined;
  for (let pauseMs = firstPauseMs; ; pauseMs = Math.min(pauseMs * 2, longestPauseMs)) {
    const begunAt = clock.monotonicMs();
    try {
      return await work();
    } catch (error) {
      signal.throwIfAborted();
      if (!(error instanceof SandboxError) || error.fault !== 'infrastructure') throw error;
      const unreachable = error.code === 'sandbox_unavailable';
      const now = clock.monotonicMs();
      // It was in reach for a long time in between: another failure, not the same one still.
      if (since === undefined || (unreachable && now - begunAt > settings.sandboxPatienceMs)) since = now;
      const over = now - since >= settings.sandboxPatienceMs || hopeless.has(error.code);
      if (over && unreachable && error.session !== null) {
        const why = 'the machine it ran on does not answer';
        throw sandboxLost(error.session, { code: 'unreachable', why }, { cause: error });
      }
      if (over) throw error;
    }
    await delay(pauseMs * (0.5 + Math.random()), undefined, { signal });
  }
}

/**
 * Does work in the run's sandbox, again while that is out of reach, and in another one with the restored workspace when
 * it is lost. What the sandbox did to itself, and what cannot be had, is a failure.
 */
export async function callInSandbox<T>(
  context: RunContext,
  { signal, mayRepeat }: SandboxCall,
  work: () => Promise<T>,
): Promise<SandboxCallOutcome<T>> {
  for (let losses = 1; ; losses += 1) {
    try {
      return { done: await whileOutOfReach(context, signal, work) };
    } catch (error) {
      signal.throwIfAborted();
      if (!(error instanceof SandboxError)) throw error;
      const { loss, code, message } = error;
      if (error.fault !== 'lost' || loss === null) return { failure: { code, message } };
      await context.workspace.giveUp(error);
      const own = ownDoing[loss.code];
      const put = 'its files are as they were before this step';
      if (own !== undefined)
        return { failure: { code: own, message: `the sandbox was ended: ${loss.why}; ${put}` } };
      if (mayRepeat && losses < maxLosses) continue;
      return { failure: { code, message: `the sandbox was lost: ${loss.why}; ${put}` } };
    }
  }
}
