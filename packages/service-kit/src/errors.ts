/** Whether the same call may succeed when it is made again unchanged. */
export type Retry = 'never' | 'later';

export interface AppErrorOptions {
  readonly code: string;
  readonly status: number;
  readonly title: string;
  readonly detail: string;
  readonly retry?: Retry;
  /** Further members of the problem document; never secrets, the client sees them. */
  readonly extensions?: Readonly<Record<string, unknown>>;
  readonly cause?: unknown;
}

/**
 * A failure that a caller may see. The edges map it once: to problem+json (RFC 9457), to ack or nak of an
 * event, to retry or failure of a job, to the error reply of an rpc.
 */
export class AppError extends Error {
  override readonly name = 'AppError';
  readonly code: string;
  readonly status: number;
  readonly title: string;
  readonly detail: string;
  readonly retry: Retry;
  readonly extensions: Readonly<Record<string, unknown>>;

  constructor(options: AppErrorOptions) {
    super(
      `${options.code}: ${options.detail}`,
      options.cause === undefined ? undefined : { cause: options.cause },
    );
    this.code = options.code;
    this.status = options.status;
    this.title = options.title;
    this.detail = options.detail;
    this.retry = options.retry ?? 'never';
    this.extensions = options.extensions ?? {};
  }
}

export interface ErrorRow {
  readonly status: number;
  readonly title: string;
  readonly retry?: Retry;
}
export type ErrorFactory = (detail: string, extensions?: Readonly<Record<string, unknown>>) => AppError;

/**
 * Turns a table of codes into functions that make the errors: `errors.run_not_found('no run …')`.
 * The key is the `code` that clients may rely on.
 */
export function defineErrors<T extends Record<string, ErrorRow>>(table: T): { [K in keyof T]: ErrorFactory } {
  const factories: Partial<Record<keyof T, ErrorFactory>> = {};
  for (const [code, row] of Object.entries(table)) {
    factories[code as keyof T] = (detail, extensions) =>
      new AppError({ code, detail, ...row, ...(extensions ? { extensions } : {}) });
  }
  return Object.freeze(factories) as { [K in keyof T]: ErrorFactory };
}

/** Failures that any service may answer with. */
export const kitErrors = defineErrors({
  invalid_request: { status: 400, title: 'The request is not valid' },
  invalid_cursor: { status: 400, title: 'The cursor is not valid' },
  idempotency_key_required: { status: 400, title: 'An Idempotency-Key header is required' },
  unauthorized: { status: 401, title: 'A valid access token is required' },
  forbidden: { status: 403, title: 'Not allowed' },
  not_found: { status: 404, title: 'Not found' },
  dead_letter_not_found: { status: 404, title: 'No such dead letter' },
  method_not_allowed: { status: 405, title: 'Method not allowed' },
  idempotency_key_reused: { status: 409, title: 'The Idempotency-Key was used for another request' },
  dead_letter_consumer_gone: { status: 409, title: 'Nobody takes this event any more' },
  redrive_failed: { status: 409, title: 'The event failed again' },
  body_too_large: { status: 413, title: 'The request body is too large' },
  unsupported_media_type: { status: 415, title: 'Unsupported media type' },
  too_many_requests: { status: 429, title: 'Too many requests', retry: 'later' },
  internal: { status: 500, title: 'Internal error' },
  event_too_large: { status: 500, title: 'An event is larger than events may be' },
  overloaded: { status: 503, title: 'The service is overloaded', retry: 'later' },
  auth_unavailable: { status: 503, title: 'Tokens cannot be verified at the moment', retry: 'later' },
  database_conflict: { status: 503, title: 'The transaction lost against another one', retry: 'later' },
  database_timeout: { status: 503, title: 'The database took too long', retry: 'later' },
  database_unavailable: { status: 503, title: 'The database cannot be reached', retry: 'later' },
  queue_unavailable: { status: 503, title: 'The job queue cannot be reached', retry: 'later' },
  events_unavailable: { status: 503, title: 'The event stream cannot be reached', retry: 'later' },
  rpc_unavailable: { status: 503, title: 'The service asked does not answer', retry: 'later' },
  rpc_timeout: { status: 504, title: 'The service asked took too long', retry: 'later' },
});

/** An `Error` for whatever was thrown. */
export function toError(thrown: unknown): Error {
  return thrown instanceof Error ? thrown : new Error(String(thrown));
}

/** The message of a failure with those of its causes, for logs and dead letters. */
export function describeError(thrown: unknown): string {
  const error = toError(thrown);
  const own = error.message === '' ? error.name : error.message;
  return error.cause === undefined ? own : `${own}: ${describeError(error.cause)}`;
}
