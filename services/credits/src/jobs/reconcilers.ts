import { describeError } from '@swissbrain/service-kit/errors';
import type { Platform } from '@swissbrain/service-kit/platform';
import type { Config } from '../config.ts';
import { askMissingSteps, claimIncomplete } from '../operations/ask-missing-steps.ts';
import { sweepHolds } from '../operations/keep-holds.ts';
import { expireDueGrants, renewPeriods } from '../operations/renew-periods.ts';
import { applyTierVersions } from '../operations/version-catalogue.ts';
import { driftReconciler } from './drift.ts';
import { type Reconciler, startReconciler } from './reconciler.ts';

const batch = 100;

/** Starts what tidies up without being asked: overdue holds, periods that are over, ended runs that lack steps. */
export function startReconcilers(platform: Platform, config: Config): void {
  const { database, log } = platform;
  startReconciler(platform, {
    name: 'overdue holds',
    everyMs: config.HOLD_SWEEP_MS,
    round: async () => (await sweepHolds(database, batch)) >= batch,
  });
  startReconciler(platform, {
    name: 'tier versions',
    everyMs: config.TIER_SWEEP_MS,
    async round() {
      const applied = await applyTierVersions(database);
      if (applied > 0) log.info({ applied }, 'tiers have new terms');
      return false;
    },
  });
  startReconciler(platform, {
    name: 'periods',
    everyMs: config.PERIOD_SWEEP_MS,
    async round() {
      const renewed = await renewPeriods(database, batch);
      for (const { user_id, skipped } of renewed) {
        if (skipped > 0) log.warn({ user_id, skipped }, 'periods passed without a grant');
      }
      return renewed.length === batch;
    },
  });
  startReconciler(platform, {
    name: 'expired grants',
    everyMs: config.PERIOD_SWEEP_MS,
    round: async () => (await expireDueGrants(database, batch)) >= batch,
  });
  startReconciler(platform, closingReconciler(platform, config));
  startReconciler(platform, driftReconciler(platform, config));
}

function closingReconciler({ database, rpc, log }: Platform, config: Config): Reconciler {
  return {
    name: 'incomplete closings',
    everyMs: config.CLOSING_SWEEP_MS,
    async round() {
      const claimed = await claimIncomplete(database, {
        olderThanSeconds: config.CLOSING_ASK_AFTER_SECONDS,
        limit: batch,
      });
      for (const closing of claimed) {
        try {
          const steps = await askMissingSteps(database, rpc, closing);
          log.warn(
            { run_id: closing.run_id, steps },
            'steps of an ended run were missing and have been asked for',
          );
        } catch (thrown) {
          log.warn({ run_id: closing.run_id, reason: describeError(thrown) }, 'steps could not be asked for');
        }
      }
      return claimed.length === batch;
    },
  };
}
