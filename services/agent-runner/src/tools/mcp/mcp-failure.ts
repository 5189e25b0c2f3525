import { SdkError, SdkErrorCode, SdkHttpError, UnauthorizedError } from '@modelcontextprotocol/client';

/** An error and what caused it, outermost first. */
function chainOf(error: unknown): readonly Error[] {
  const chain: Error[] = [];
  for (let at = error; at instanceof Error && chain.length < 5; at = at.cause) chain.push(at);
  return chain;
}

/** What went wrong in the words of the library, with the causes where those say more. */
export function wordsOf(error: unknown): string {
  if (!(error instanceof Error)) return String(error).slice(0, 300);
  const words = chainOf(error).reduce(
    (sum, { message }) => (sum.includes(message) ? sum : `${sum}: ${message}`),
    '',
  );
  return words.slice(2, 300);
}

const statusOf = (error: unknown) => (SdkHttpError.isInstance(error) ? error.status : undefined);
const codeOf = (error: unknown) => (SdkError.isInstance(error) ? error.code : undefined);

/** The system's own code of a server that `fetch` could not reach. */
const refusedAt = (error: unknown) =>
  chainOf(error).flatMap((each) =>
    'code' in each && /^E[A-Z]+$/.test(String(each.code)) ? [each.code] : [],
  )[0];

/** True when the connection is gone and a new one may work: a program that ended, a session that is forgotten. */
export function isLoss(error: unknown): boolean {
  const code = codeOf(error);
  const gone = code === SdkErrorCode.NotConnected || code === SdkErrorCode.ConnectionClosed;
  return gone || statusOf(error) === 404 || chainOf(error).some((each) => each instanceof TypeError);
}

/** True when the server has certainly not done what it was asked for. */
export function wasNotDone(error: unknown): boolean {
  const refused = [401, 403, 404, 405, 429].includes(statusOf(error) ?? 0);
  const code = refusedAt(error);
  return (
    refused ||
    error instanceof UnauthorizedError ||
    codeOf(error) === SdkErrorCode.NotConnected ||
    code === 'ECONNREFUSED' ||
    code === 'ENOTFOUND'
  );
}

/** True when no answer came in time. */
export function isTimeout(error: unknown): boolean {
  return codeOf(error) === SdkErrorCode.RequestTimeout;
}
