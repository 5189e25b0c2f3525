import type { Tx } from '@swissbrain/service-kit/database';
import type { MicroCredits } from '@swissbrain/shared-schema/amount';
import type { RunId, UserId } from '@swissbrain/shared-schema/ids';
import { sizeHold } from '../domain/hold.ts';
import { estimateCost, type ReserveStatus, reserveCredits } from '../store/ledger.ts';
import { explainFailure } from './ledger-failures.ts';

export interface RunToReserve {
  readonly userId: UserId;
  readonly runId: RunId;
  readonly estimate: readonly { readonly operation: string; readonly quantity: string }[];
  readonly budget: MicroCredits | null;
}

export interface HoldPolicy {
  readonly minimum: MicroCredits;
  readonly ttlSeconds: number;
}

/**
 * Holds credits for a root run: its estimate at today's prices, less where budget or account have less, never
 * less than the minimum. Over the tier's concurrency the run waits in line; without the minimum it is denied for good.
 * @throws AppError `account_pending` while the account is still being opened; `operation_unpriced`
 */
export async function reserveForRun(tx: Tx, run: RunToReserve, policy: HoldPolicy): Promise<ReserveStatus> {
  const cost = await estimateCost(tx, run.estimate).catch(explainFailure);
  return reserveCredits(tx, {
    ...sizeHold(cost, policy.minimum),
    userId: run.userId,
    runId: run.runId,
    key: `run:${run.runId}`,
    budget: run.budget,
    ttlSeconds: policy.ttlSeconds,
    purpose: 'run',
  }).catch(explainFailure);
}
