import { systemClock } from './clock.ts';
import { toError } from './errors.ts';
import type { Logger } from './logger.ts';

/**
 * Every acquired resource pushes its undo here. A failed start and a stop unwind the same stack.
 */
export interface ReleaseStack {
  /** Pushes an undo. After release has begun it runs at once: a late resource must not stay behind. */
  add(name: string, release: () => Promise<void> | void): void;
  /**
   * Runs every undo once, last in first out, within `deadlineMs`. A failing or hanging step does not keep
   * the others from running. Repeated calls join the first.
   * @throws AggregateError when steps failed or ran out of time, after all have been run
   */
  release(deadlineMs: number): Promise<void>;
}

/** A service that has been started. */
export interface RunningService {
  readonly url: string;
  stop(): Promise<void>;
}

interface Step {
  readonly name: string;
  readonly release: () => Promise<void> | void;
}

/** Time kept back for each step still to come, so that one that hangs cannot use up the deadline of all. */
const reservePerStepMs = 100;

/** Makes an empty release stack. */
export function createReleaseStack(log: Logger): ReleaseStack {
  const steps: Step[] = [];
  let releasing: Promise<void> | undefined;

  const unwind = async (deadlineMs: number): Promise<void> => {
    const end = systemClock.monotonicMs() + deadlineMs;
    const failures: Error[] = [];
    for (let step = steps.pop(); step !== undefined; step = steps.pop()) {
      const remaining = Math.max(0, end - systemClock.monotonicMs());
      const budget = remaining - Math.min(reservePerStepMs * steps.length, remaining / 2);
      const failure = await runStep(step, budget);
      if (failure) {
        log.error({ step: step.name, err: failure }, 'release step failed');
        failures.push(failure);
      }
    }
    if (failures.length > 0) throw new AggregateError(failures, 'not everything was released');
  };

  return {
    add(name, release) {
      if (!releasing) {
        steps.push({ name, release });
        return;
      }
      log.warn({ step: name }, 'resource acquired during release, released at once');
      void runStep({ name, release }, reservePerStepMs).then((failure) => {
        if (failure) log.error({ step: name, err: failure }, 'release step failed');
      });
    },
    release(deadlineMs) {
      releasing ??= unwind(deadlineMs);
      return releasing;
    },
  };
}

/** Runs one step; returns its failure, or that it did not end within `budgetMs`. */
async function runStep(step: Step, budgetMs: number): Promise<Error | undefined> {
  const { promise: timedOut, resolve } = Promise.withResolvers<Error>();
  const timer = setTimeout(
    () => resolve(new Error(`${step.name} was not released within ${Math.round(budgetMs)} ms`)),
    budgetMs,
  );
  try {
    const released = Promise.resolve(step.release()).then(
      () => undefined,
      (thrown: unknown) => toError(thrown),
    );
    return await Promise.race([released, timedOut]);
  } catch (thrown) {
    return toError(thrown);
  } finally {
    clearTimeout(timer);
  }
}
