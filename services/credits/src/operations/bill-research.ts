import type { Tx } from '@swissbrain/service-kit/database';
import type { MicroCredits } from '@swissbrain/shared-schema/amount';
import type { RunId, UserId } from '@swissbrain/shared-schema/ids';
import { operations } from '@swissbrain/shared-schema/operations';
import { sizeHold } from '../domain/hold.ts';
import { errors } from '../errors.ts';
import * as ledger from '../store/ledger.ts';
import { explainFailure } from './ledger-failures.ts';
import type { HoldPolicy } from './reserve-for-run.ts';

export interface StartedResearch {
  readonly userId: UserId;
  readonly researchId: string;
  /** The root run whose hold it draws on; null when no run has started it. */
  readonly rootRunId: string | null;
  /** Null while they are still being found. */
  readonly items: number | null;
  readonly budget: MicroCredits | null;
}

export interface AnsweredItem {
  readonly researchId: string;
  readonly rootRunId: string | null;
  readonly itemId: string;
  readonly itemRunId: string | null;
  readonly finishedAt: string;
}

/**
 * Holds what the items of a research will be charged. The hold of the run that started it is raised, if all of it is there: else
 * items are charged as they are answered, and the run is told when nothing is left. A research that no run has started
 * gets a hold of its own, without a slot of the tier: its items are runs that take theirs.
 * @throws AppError `reservation_pending` and `account_pending`, worth another try
 */
export async function holdForResearch(tx: Tx, research: StartedResearch, policy: HoldPolicy): Promise<void> {
  const { userId, researchId, rootRunId, items, budget } = research;
  const quantity = String(items ?? 1);
  const cost = await ledger
    .estimateCost(tx, [{ operation: operations.wideResearchItem, quantity }])
    .catch(explainFailure);
  const key = `research:${researchId}`;
  if (rootRunId === null) {
    await ledger
      .reserveCredits(tx, {
        ...sizeHold(cost, policy.minimum),
        ...{ userId, key, budget, ttlSeconds: policy.ttlSeconds, purpose: 'research' },
        runId: researchId,
      })
      .catch(explainFailure);
    return;
  }
  const amount = budget !== null && budget < cost ? budget : cost;
  const reservationId = await ledger.findHold(tx, rootRunId);
  if (reservationId === undefined) throw errors.reservation_pending(`no reservation of run ${rootRunId}`);
  if (amount > 0n) await ledger.extendHold(tx, { reservationId, amount, key }).catch(explainFailure);
}

/**
 * Charges an answered item to the hold of its research, once by its id, and renews that.
 * @throws AppError `reservation_pending`, worth another try
 */
export async function recordItem(tx: Tx, item: AnsweredItem): Promise<void> {
  const { researchId, rootRunId, itemId, itemRunId, finishedAt } = item;
  // Under the hold of a run it is counted as work below it, never as a step of the run itself.
  const of: RunId = rootRunId === null ? researchId : (itemRunId ?? researchId);
  const recorded = await ledger
    .consumeUsage(tx, [
      {
        ...{ root_run_id: rootRunId ?? researchId, run_id: of, step_id: itemId },
        ...{ key: `item:${itemId}`, operation: operations.wideResearchItem, quantity: '1' },
        occurred_at: finishedAt,
      },
    ])
    .catch(explainFailure);
  if (rootRunId !== null) return;
  await ledger.heartbeatHolds(
    tx,
    recorded.map(({ reservation_id: id }) => id),
  );
}

/** Settles the hold of a research that has one of its own, at once or with the last of its answered items. */
export async function closeResearch(
  tx: Tx,
  researchId: string,
  event: string,
  answered: number,
): Promise<void> {
  const closing = { runId: researchId, event, billableSteps: answered, stepIds: null };
  await ledger.recordClosing(tx, closing).catch(explainFailure);
}
