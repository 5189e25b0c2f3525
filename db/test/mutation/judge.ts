import { DatabaseError } from 'pg';
import { openSession, type Session } from '../acting.ts';
import { checkCallers } from '../callers.ts';
import { constrainedTables } from '../constraints/all.ts';
import { checkConstraints } from '../constraints/check.ts';
import { checkPoliciesAlone } from '../policies-alone.ts';
import { checkColumnRights, checkPrivileges } from '../privileges.ts';
import { readMatrix } from '../rls/matrix.ts';
import { serviceRoles } from '../rls/people.ts';
import { createRows } from '../rls/targets.ts';
import { trySection } from '../rls/try-cells.ts';
import { onInnerTrial, onTrial } from '../trial.ts';
import type { Mutant } from './mutant.ts';

/** Two databases in which mutants are made and taken back: one without rows, and one with rows of several people. */
export interface Bench {
  readonly empty: Session;
  readonly filled: Session;
  close(): Promise<void>;
}

/** @param urls of two clones of the migrated template, which are written to */
export async function openBench(urls: { readonly empty: string; readonly filled: string }): Promise<Bench> {
  const empty = await openSession(urls.empty);
  const filled = await openSession(urls.filled);
  await createRows(filled);
  return {
    empty,
    filled,
    close: async () => {
      await empty.end();
      await filled.end();
    },
  };
}

/**
 * Looks at the schema as it is.
 * @throws Error when a check fails: it would catch every mutant, for nothing
 */
export async function judgeSound(bench: Bench): Promise<void> {
  for (const kind of ['constraints', 'policies'] as const) {
    const failure = await judge(bench, { kind, name: 'none', object: '', sql: 'SELECT 1' });
    if (failure !== null) throw new Error(`the schema fails without a mutant: ${failure}`);
  }
}

/**
 * Makes a mutant in a transaction, runs the checks of the schema until one fails, and takes the mutant back.
 * @returns what the first check that fails says; null when none does
 */
export async function judge(bench: Bench, mutant: Mutant): Promise<string | null> {
  if (mutant.kind === 'constraints') return judgeConstraint(bench.empty, mutant);
  return onTrial(bench.filled, async () => {
    await bench.filled.query(mutant.sql);
    return noticed(
      async () =>
        (await firstDifference(bench.filled, mutant.object)) ?? (await firstDifference(bench.filled)),
    );
  });
}

async function judgeConstraint(session: Session, mutant: Mutant): Promise<string | null> {
  return onTrial(session, async () => {
    await session.query(mutant.sql);
    const others = Object.keys(constrainedTables).filter((table) => table !== mutant.object);
    return noticed(async () => {
      for (const table of [mutant.object, ...others].filter((name) => name in constrainedTables)) {
        const [failure] = await checkConstraints(session, [table]);
        if (failure !== undefined) return failure;
      }
      return null;
    });
  });
}

/** A check that cannot go on because of the mutant has noticed it, as a test that throws has failed. */
async function noticed(check: () => Promise<string | null>): Promise<string | null> {
  try {
    return await check();
  } catch (error) {
    if (error instanceof DatabaseError) return error.message;
    throw error;
  }
}

/** @param object a table to look at alone, or a function; everything when left out */
async function firstDifference(session: Session, object?: string): Promise<string | null> {
  const [caller] = await checkCallers(session);
  if (caller !== undefined) return caller;
  const [right] = [...(await checkPrivileges(session)), ...(await checkColumnRights(session))];
  if (right !== undefined) return right;
  const [open] = await checkPoliciesAlone(session, object === undefined ? undefined : [object]);
  if (open !== undefined) return open;
  for (const section of readMatrix()) {
    const lines = section.lines.filter(
      ({ row }) => object === undefined || `public.${row.replace(/ \(.*$/, '')}` === object,
    );
    for (const service of section.service === null ? serviceRoles : [section.service]) {
      const [difference] = await onInnerTrial(session, () =>
        trySection(session, { ...section, lines }, service),
      );
      if (difference !== undefined) return difference;
    }
  }
  return null;
}
