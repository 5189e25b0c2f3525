import { randomUUID } from 'node:crypto';
import { counter, gauge } from '@swissbrain/service-kit/metrics';
import type { Platform } from '@swissbrain/service-kit/platform';
import type { Config } from '../config.ts';
import {
  beforeAll,
  type Finding,
  findHoldDrift,
  findLedgerDrift,
  type Round,
} from '../operations/find-drift.ts';
import type { Reconciler } from './reconciler.ts';

/** Accounts that one round recomputes; the next round goes on behind them. */
const accountsPerRound = 500;
const part = 100;
const holdsPerPart = 500;

/**
 * Looks for drift and reports it, as a metric and in the log: every open hold beside its run, and a sample of the
 * accounts beside their ledgers, so that all come by in turn. It repairs nothing: what is wrong with money is for people.
 */
export function driftReconciler(platform: Platform, config: Config): Reconciler {
  const { database, log, metrics } = platform;
  const total = counter(metrics, 'credits_drift_found_total', 'Findings of the drift reconciler', ['kind']);
  const last = gauge(metrics, 'credits_drift', 'Findings of its last round', ['kind']);
  for (const kind of ['ledger', 'hold'] as const) {
    total.inc({ kind }, 0);
    last.set({ kind }, 0);
  }
  const report = (kind: Finding['kind'], findings: readonly Finding[]): void => {
    last.set({ kind }, findings.length);
    total.inc({ kind }, findings.length);
    for (const finding of findings) log.error({ drift: finding }, 'drift in the books');
  };
  const graceSeconds = config.DRIFT_GRACE_SECONDS;
  // Replicas begin at different accounts, so that together they come round sooner.
  let account: string = randomUUID();
  return {
    name: 'drift',
    everyMs: config.DRIFT_SWEEP_MS,
    async round() {
      const ledgers: Finding[] = [];
      for (let seen = 0; seen < accountsPerRound; seen += part) {
        const { findings, next } = await findLedgerDrift(database, account, part);
        ledgers.push(...findings);
        account = next ?? beforeAll;
        if (next === null) break;
      }
      report('ledger', ledgers);
      const holds: Finding[] = [];
      for (let after: string | null = beforeAll; after !== null; ) {
        const round: Round = await findHoldDrift(platform, { after, limit: holdsPerPart, graceSeconds });
        holds.push(...round.findings);
        after = round.next;
      }
      report('hold', holds);
      return false;
    },
  };
}
