import type { Database } from '@swissbrain/service-kit/database';
import type { Rpc } from '@swissbrain/service-kit/rpc';
import { readRunStates } from '@swissbrain/shared-schema/rpc/agent-runner';
import { compareWithRun, type Finding } from '../domain/drift.ts';
import { selectHoldsToCompare, verifyAccounts } from '../store/drift.ts';

export type { Finding };

/** The place before the first account and the first hold. */
export const beforeAll = '00000000-0000-0000-0000-000000000000';

/** A part of what there is to look at. */
export interface Round {
  readonly findings: readonly Finding[];
  /** Where the next part begins; null after the last. */
  readonly next: string | null;
}

/** Recomputes up to `limit` accounts from their ledgers. */
export async function findLedgerDrift(database: Database, after: string, limit: number): Promise<Round> {
  const rows = await database.withService((tx) => verifyAccounts(tx, { after, limit }));
  const findings = rows.flatMap(
    ({ user_id: userId, invariant, expected, found, transaction_id }): Finding[] =>
      invariant === null
        ? []
        : [
            {
              kind: 'ledger',
              userId,
              what: invariant,
              expected,
              found,
              transactionId: transaction_id,
              runId: null,
            },
          ],
  );
  const accounts = new Set(rows.map(({ user_id }) => user_id)).size;
  return { findings, next: accounts < limit ? null : (rows.at(-1)?.user_id ?? null) };
}

/**
 * Compares up to `limit` holds (at most 500) with their runs as agent-runner knows them.
 * @throws AppError when agent-runner cannot be asked
 */
export async function findHoldDrift(
  { database, rpc }: { readonly database: Database; readonly rpc: Rpc },
  {
    after,
    limit,
    graceSeconds,
  }: { readonly after: string; readonly limit: number; readonly graceSeconds: number },
): Promise<Round> {
  const holds = await database.withService((tx) =>
    selectHoldsToCompare(tx, { after, limit, graceSeconds, recentSeconds: 15 * 60 + graceSeconds }),
  );
  if (holds.length === 0) return { findings: [], next: null };
  const { runs } = await rpc.call(readRunStates, { run_ids: holds.map(({ run_id }) => run_id) });
  const states = new Map<string, (typeof runs)[number]>(runs.map((run) => [run.run_id, run]));
  const findings = holds.flatMap((hold) => compareWithRun(hold, states.get(hold.run_id), graceSeconds) ?? []);
  return { findings, next: holds.length < limit ? null : (holds.at(-1)?.id ?? null) };
}
