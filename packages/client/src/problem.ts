/** The members of an RFC 9457 problem that SwissBrain sends; further members are kept in `extensions`. */
export interface ProblemFields {
  /** A URI that names the kind of problem. */
  readonly type: string;
  readonly title: string;
  readonly status: number;
  readonly detail: string;
  /** A short name a program can branch on, for example `unknown_tool`. */
  readonly code: string;
  /** Whether the same request may succeed when it is repeated later. */
  readonly retry: 'never' | 'later';
  /** The path that was asked. */
  readonly instance: string | null;
  readonly extensions: Readonly<Record<string, unknown>>;
}

const retriableStatus: ReadonlySet<number> = new Set([429, 502, 503, 504]);

/** The API answered, and the answer is a problem. */
export class ApiProblem extends Error implements ProblemFields {
  readonly type: string;
  readonly title: string;
  readonly status: number;
  readonly detail: string;
  readonly code: string;
  readonly retry: 'never' | 'later';
  readonly instance: string | null;
  readonly extensions: Readonly<Record<string, unknown>>;
  /** How long the server asks to wait before the next attempt; milliseconds, null when it does not say. */
  readonly retryAfterMs: number | null;

  constructor(fields: ProblemFields, retryAfterMs: number | null = null) {
    super(fields.detail === '' ? fields.title : `${fields.title}: ${fields.detail}`);
    this.name = 'ApiProblem';
    this.type = fields.type;
    this.title = fields.title;
    this.status = fields.status;
    this.detail = fields.detail;
    this.code = fields.code;
    this.retry = fields.retry;
    this.instance = fields.instance;
    this.extensions = fields.extensions;
    this.retryAfterMs = retryAfterMs;
  }
}

/** No answer came: the connection failed or the time was up. `cause` has what the platform said. */
export class ConnectionError extends Error {
  readonly url: string;
  readonly timedOut: boolean;

  constructor(url: string, timedOut: boolean, cause: unknown) {
    const why = timedOut ? 'did not answer in time' : `cannot be reached (${reasonOf(cause)})`;
    super(`${url} ${why}`, { cause });
    this.name = 'ConnectionError';
    this.url = url;
    this.timedOut = timedOut;
  }
}

function reasonOf(cause: unknown): string {
  if (!(cause instanceof Error)) return String(cause);
  const inner = cause.cause;
  if (inner instanceof Error) return 'code' in inner ? String(inner.code) : inner.message;
  return cause.message;
}

/**
 * Reads a response that is not a success as a problem. A body in another format (a proxy's error page)
 * becomes a problem with code `unexpected_response` and the beginning of the body as detail.
 */
export async function problemOf(response: Response): Promise<ApiProblem> {
  const text = await response.text();
  const retryAfter = response.headers.get('retry-after');
  const retryAfterMs =
    retryAfter !== null && /^\d{1,5}$/.test(retryAfter) ? Number(retryAfter) * 1_000 : null;
  // Retry-After comes with every failure that is the moment's and not the request's.
  const passing = retryAfter !== null || retriableStatus.has(response.status);
  const fields = fieldsOf(parseObject(text), response, text);
  return new ApiProblem({ ...fields, retry: passing ? 'later' : 'never' }, retryAfterMs);
}

function fieldsOf(
  body: Record<string, unknown> | null,
  response: Response,
  text: string,
): Omit<ProblemFields, 'retry'> {
  const fallbackTitle = response.statusText === '' ? `HTTP ${response.status}` : response.statusText;
  const { type, title, status, detail, code, instance, ...extensions } = body ?? {};
  return {
    type: textOr(type, 'about:blank'),
    title: textOr(title, fallbackTitle),
    status: typeof status === 'number' ? status : response.status,
    detail: textOr(detail, body === null ? text.slice(0, 500).trim() : ''),
    code: textOr(code, 'unexpected_response'),
    instance: typeof instance === 'string' ? instance : null,
    extensions,
  };
}

function textOr(value: unknown, fallback: string): string {
  return typeof value === 'string' ? value : fallback;
}

function parseObject(text: string): Record<string, unknown> | null {
  try {
    const value: unknown = JSON.parse(text);
    return typeof value === 'object' && value !== null && !Array.isArray(value) ? { ...value } : null;
  } catch {
    return null;
  }
}
