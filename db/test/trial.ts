import type { Session } from './acting.ts';

/** Runs `work` in one transaction and takes everything back that it did. */
export async function onTrial<T>(session: Session, work: () => Promise<T>): Promise<T> {
  await session.query('BEGIN');
  try {
    return await work();
  } finally {
    await session.query('ROLLBACK');
  }
}

/** Runs `work` within the transaction that is open and takes back what it did, also after an error. */
export async function onInnerTrial<T>(session: Session, work: () => Promise<T>): Promise<T> {
  await session.query('SAVEPOINT trial');
  try {
    return await work();
  } finally {
    await session.query('ROLLBACK TO trial; RELEASE trial');
  }
}

/** What Postgres says about a statement that failed. */
export interface Refusal {
  readonly code: string;
  readonly message: string;
  readonly detail?: string;
  readonly schema?: string;
  readonly table?: string;
  readonly column?: string;
  readonly constraint?: string;
}

/** The error of a statement on trial, or null when it went through. */
export async function refusalOf(
  session: Session,
  statement: () => Promise<unknown>,
): Promise<Refusal | null> {
  try {
    await onInnerTrial(session, statement);
    return null;
  } catch (error) {
    if (error instanceof Error && 'code' in error && typeof error.code === 'string')
      return error as Error & Refusal;
    throw error;
  }
}
