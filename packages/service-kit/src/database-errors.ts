import { DatabaseError } from 'pg';
import { AppError, type ErrorFactory, kitErrors } from './errors.ts';

/** SQLSTATE (https://www.postgresql.org/docs/current/errcodes-appendix.html) to what a caller may see. */
const byState: Readonly<Record<string, ErrorFactory>> = {
  '40001': kitErrors.database_conflict,
  '40P01': kitErrors.database_conflict,
  '55P03': kitErrors.database_conflict,
  // A prepared plan outlived a migration; the connection is closed and the next one plans anew.
  '0A000': kitErrors.database_conflict,
  '57014': kitErrors.database_timeout,
  '25P03': kitErrors.database_timeout,
  '57P01': kitErrors.database_unavailable,
  '57P02': kitErrors.database_unavailable,
  '57P03': kitErrors.database_unavailable,
  '53300': kitErrors.database_unavailable,
};
const networkCodes = new Set([
  'ECONNREFUSED',
  'ECONNRESET',
  'EPIPE',
  'ETIMEDOUT',
  'ENOTFOUND',
  'EAI_AGAIN',
  'ENOENT',
]);
/** pg gives these no code. */
const lostConnection =
  /^(Connection terminated|Client has encountered a connection error|timeout e|Query read timeout)/;

/**
 * Failures of the infrastructure become an `AppError` with retry `later`; everything else, such as a
 * violated constraint, stays the `DatabaseError` it is, for the operation to judge by its SQLSTATE.
 */
export function mapDatabaseError(thrown: unknown): unknown {
  if (thrown instanceof AppError || !(thrown instanceof Error)) return thrown;
  const factory = factoryFor(thrown);
  if (!factory) return thrown;
  const { code, status, title, detail, retry } = factory(thrown.message);
  return new AppError({ code, status, title, detail, retry, cause: thrown });
}

function factoryFor(error: Error): ErrorFactory | undefined {
  if (error instanceof DatabaseError) {
    const state = error.code ?? '';
    if (state === '0A000' && !error.message.includes('cached plan')) return undefined;
    return byState[state] ?? (state.startsWith('08') ? kitErrors.database_unavailable : undefined);
  }
  const code = 'code' in error ? String(error.code) : '';
  return networkCodes.has(code) || lostConnection.test(error.message)
    ? kitErrors.database_unavailable
    : undefined;
}

/** Whether the connection must not be used again after this failure of a statement. */
export function spoilsConnection(thrown: unknown): boolean {
  if (!(thrown instanceof DatabaseError)) return true;
  const state = thrown.code ?? '';
  return state === '0A000' || state === '25P03' || state.startsWith('08') || state.startsWith('57P');
}

/**
 * Whether the transaction of a statement that failed so has left nothing behind. It is not known where the session
 * or the server went down: the commit may have been written and only its answer lost.
 */
export function isRolledBack(thrown: unknown): boolean {
  if (!(thrown instanceof DatabaseError)) return false;
  const state = thrown.code ?? '';
  return state !== '' && !endOfSession.test(state);
}
const endOfSession = /^(08|57P|25P0[34]|58|53100|XX)/;
