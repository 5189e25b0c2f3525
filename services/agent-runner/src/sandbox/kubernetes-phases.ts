import { systemClock } from '@swissbrain/service-kit/clock';
import { durations, type Registry } from '@swissbrain/service-kit/metrics';
import type { SandboxSession } from './driver.ts';

/** What a session goes through until the first byte of a program, in this order; one of the pool is `bound` instead. */
export type StartPhase = 'queued' | 'created' | 'scheduled' | 'started' | 'bound' | 'ready' | 'first_byte';

/** The clock of one session, which runs from the first time that anybody in this process asked for it. */
export interface SessionClock {
  /**
   * Notes that the session is in this phase now, or was at `atMs`. Phases up to `started` may come again: a Job that
   * did not start and its successor are one wait for whoever asked.
   */
  reached(phase: StartPhase, atMs?: number): void;
  /** The session, with the first output of its first execution noted. */
  watched(session: SandboxSession): SandboxSession;
}

/** How long sessions take to each phase, as a histogram. */
export interface SessionPhases {
  /** The clock of the session of this key; it starts with the first call. */
  clockOf(key: string): SessionClock;
  /** Notes that the session has ended, if this process has started it. */
  done(key: string): void;
  /** Forgets sessions that were asked for longer ago: their end is another process's to see. */
  forgetOlderThan(ms: number): void;
}

/** From a bound answer of an idle session to a session that lives as long as it may. */
const buckets = [
  ...[0.005, 0.01, 0.025, 0.05, 0.1, 0.2, 0.3, 0.5, 0.75, 1, 1.5, 2, 3, 5, 10, 30, 60, 120],
  ...[600, 3_600, 14_400],
];

interface Running {
  readonly clock: SessionClock;
  readonly askedAt: number;
  /** The session answered, hence its end counts. */
  isReady(): boolean;
  observe(phase: StartPhase | 'done', ms: number): void;
}

/** @param now milliseconds of a clock that never goes back */
export function createSessionPhases(metrics: Registry, now = systemClock.monotonicMs): SessionPhases {
  const seconds = durations(
    metrics,
    'sandbox_phase_seconds',
    'From asking for a session until it reached each phase; between `ready` and the first execution time stands still',
    ['phase', 'start'],
    buckets,
  );
  const running = new Map<string, Running>();

  const begin = (): Running => {
    const askedAt = now();
    // Nothing is said of a session that another process has started: when it was asked for is not known here.
    let start: 'cold' | 'warm' | undefined;
    let readyAt: number | undefined;
    let executed = false;
    const observe = (phase: StartPhase | 'done', ms: number) => {
      if (start !== undefined) seconds.observe({ phase, start }, ms / 1_000);
    };
    const clock: SessionClock = {
      reached(phase, atMs = now()) {
        if (phase === 'queued') start = 'cold';
        if (phase === 'bound') start = 'warm';
        if (phase === 'ready' && readyAt !== undefined) return;
        if (phase === 'ready') readyAt = atMs;
        observe(phase, atMs - askedAt);
      },
      watched: (session) => ({
        ...session,
        execute(request, onOutput, options) {
          if (executed || readyAt === undefined) return session.execute(request, onOutput, options);
          executed = true;
          const beganAt = now();
          const untilReady = readyAt - askedAt;
          let heard = false;
          return session.execute(
            request,
            (chunk) => {
              if (!heard) observe('first_byte', untilReady + now() - beganAt);
              heard = true;
              return onOutput(chunk);
            },
            options,
          );
        },
      }),
    };
    return { clock, askedAt, isReady: () => readyAt !== undefined, observe };
  };

  return {
    clockOf(key) {
      const known = running.get(key) ?? begin();
      running.set(key, known);
      return known.clock;
    },
    done(key) {
      const known = running.get(key);
      running.delete(key);
      if (known?.isReady()) known.observe('done', now() - known.askedAt);
    },
    forgetOlderThan(ms) {
      for (const [key, { askedAt }] of running) if (now() - askedAt > ms) running.delete(key);
    },
  };
}
