import type { Clock } from '@swissbrain/service-kit/clock';
import type { Claim } from '../operations/claims.ts';
import { RunStopped, type StopReason } from './stops.ts';

/** One run that this process works on. */
export interface LiveRun {
  readonly claim: Claim;
  readonly signal: AbortSignal;
  stop(reason: StopReason): void;
  /** Stops it for something that broke. */
  fail(error: unknown): void;
  /** A pause was asked for: no further step is begun. */
  pausing: boolean;
  /** Calls back whenever the run's row has been looked at, which a nudge brings about; returns how to end that. */
  onLook(listener: () => void): () => void;
}

/** The runs that this process works on, and their leases. */
export interface LiveRuns {
  readonly size: number;
  /** True from the moment the process stops: nothing new is begun. */
  readonly draining: boolean;
  has(runId: string): boolean;
  /** Stops a run if this process has it. */
  stop(runId: string, reason: StopReason): void;
  /** Takes a run in whose lease lasts `grantedMs` from now. */
  add(claim: Claim, grantedMs: number): LiveRun;
  remove(run: LiveRun): void;
  /** Stops every run; resolves when all have been removed. */
  drain(): Promise<void>;
  /** Renews all leases once; runs that are gone or to be cancelled are stopped. */
  renew(): Promise<void>;
}

type Renew = (
  claims: readonly Claim[],
) => Promise<ReadonlyMap<string, { readonly cancelRequested: boolean; readonly pauseRequested: boolean }>>;

/** A run as its worker sees it, and what tells it that its row was looked at. */
function createLiveRun(claim: Claim): { readonly live: LiveRun; readonly look: () => void } {
  const controller = new AbortController();
  const listeners = new Set<() => void>();
  const live: LiveRun = {
    claim,
    signal: controller.signal,
    stop: (reason) => controller.abort(new RunStopped(reason)),
    fail: (error) => controller.abort(error),
    pausing: false,
    onLook(listener) {
      listeners.add(listener);
      return () => listeners.delete(listener);
    },
  };
  const look = () => {
    for (const listener of listeners) listener();
  };
  return { live, look };
}

/**
 * Keeps the leases of this process. Whoever cannot renew in time stops by its own clock, when the database lets
 * another worker have the run.
 */
export function createLiveRuns(options: {
  readonly leaseMs: number;
  readonly clock: Clock;
  readonly renew: Renew;
}): LiveRuns {
  const { leaseMs, clock } = options;
  const runs = new Map<
    string,
    { readonly live: LiveRun; readonly look: () => void; expiry: NodeJS.Timeout }
  >();
  let drained: (() => void) | undefined;
  let draining = false;
  const expireIn = (live: LiveRun, ms: number) => setTimeout(() => live.stop('lost'), Math.max(ms, 0));

  return {
    get size() {
      return runs.size;
    },
    get draining() {
      return draining;
    },
    has: (runId) => runs.has(runId),
    stop: (runId, reason) => runs.get(runId)?.live.stop(reason),
    add(claim, grantedMs) {
      const { live, look } = createLiveRun(claim);
      const before = runs.get(claim.runId);
      if (before) {
        before.live.stop('lost');
        clearTimeout(before.expiry);
      }
      runs.set(claim.runId, { live, look, expiry: expireIn(live, grantedMs) });
      if (draining) live.stop('shutdown');
      return live;
    },
    remove(run) {
      const entry = runs.get(run.claim.runId);
      if (entry?.live !== run) return;
      clearTimeout(entry.expiry);
      runs.delete(run.claim.runId);
      if (runs.size === 0) drained?.();
    },
    drain() {
      draining = true;
      for (const { live } of runs.values()) live.stop('shutdown');
      if (runs.size === 0) return Promise.resolve();
      return new Promise((resolve) => {
        drained = resolve;
      });
    },
    async renew() {
      const asked = [...runs.values()];
      if (asked.length === 0) return;
      const askedAt = clock.monotonicMs();
      const held = await options.renew(asked.map(({ live }) => live.claim));
      for (const entry of asked) {
        const { live } = entry;
        const answer = held.get(live.claim.runId);
        if (!answer) live.stop('lost');
        else if (answer.cancelRequested) live.stop('cancelled');
        else if (runs.get(live.claim.runId) === entry) {
          clearTimeout(entry.expiry);
          entry.expiry = expireIn(live, leaseMs - (clock.monotonicMs() - askedAt));
          live.pausing = answer.pauseRequested;
          entry.look();
        }
      }
    },
  };
}
