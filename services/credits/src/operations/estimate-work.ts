import type { Database, Principal } from '@swissbrain/service-kit/database';
import type { Rpc } from '@swissbrain/service-kit/rpc';
import { type MicroCredits, parseCredits } from '@swissbrain/shared-schema/amount';
import type { EstimateBody } from '@swissbrain/shared-schema/http/credits';
import { operations } from '@swissbrain/shared-schema/operations';
import { estimateRun } from '@swissbrain/shared-schema/rpc/agent-runner';
import { type Bounds, boundsOf, holdOf } from '../domain/estimate.ts';
import { errors } from '../errors.ts';
import { findRoom, type RoomRow, selectUsedShare } from '../store/estimates.ts';
import { estimateCost } from '../store/ledger.ts';
import { explainFailure } from './ledger-failures.ts';

interface Line {
  readonly operation: string;
  readonly quantity: string;
}
export interface Estimate {
  readonly bounds: Bounds;
  readonly lines: readonly (Line & { readonly cost: MicroCredits })[];
  readonly hold: MicroCredits | null;
  readonly room: RoomRow;
}

/** Runs fewer than this say nothing about the next one. */
const enoughRuns = 5;

async function linesOf(rpc: Rpc, { playbook, goal, research }: EstimateBody): Promise<readonly Line[]> {
  if (research) return [{ operation: operations.wideResearchItem, quantity: String(research.items) }];
  const { usage } = await rpc.call(estimateRun, { playbook, goal });
  return usage;
}

/**
 * What work would cost at today's prices and whether the caller's account would start it. Nothing is held: it is
 * advice, and the answer may be another a moment later.
 * @throws AppError of agent-runner for a playbook that cannot run; `account_pending`, `operation_unpriced`;
 *   `rpc_unavailable` and `rpc_timeout` when agent-runner cannot be asked
 */
export async function estimateWork(
  { database, rpc, minimum }: { database: Database; rpc: Rpc; minimum: MicroCredits },
  { userId }: Principal,
  body: EstimateBody,
): Promise<Estimate> {
  const asked = await linesOf(rpc, body);
  const budget = body.budget === undefined ? null : parseCredits(body.budget);
  return database.withService(async (tx) => {
    const room = await findRoom(tx, userId);
    if (!room) throw errors.account_pending('the account is being opened');
    const lines = [];
    for (const line of asked)
      lines.push({ ...line, cost: await estimateCost(tx, [line]).catch(explainFailure) });
    const total = lines.reduce((sum, { cost }) => sum + cost, 0n);
    const lately = await selectUsedShare(tx, userId);
    const share = lately.runs >= enoughRuns ? lately : null;
    const bounds = boundsOf(total, { bounded: body.playbook !== undefined, budget, share });
    const account = { minimum, budget, available: room.available };
    return { bounds, lines, room, hold: room.tier_code === null ? null : holdOf(total, account) };
  });
}
