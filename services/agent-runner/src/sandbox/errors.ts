/**
 * Who is to blame, which decides what the caller does:
 * - `lost`: the session is gone and will not come back; raise `session_no` and restore the workspace elsewhere.
 * - `infrastructure`: ours or passing; the same call may be tried again later and is never billed.
 * - `user`: the request itself is refused; trying again gives the same answer.
 */
export type SandboxFault = 'lost' | 'infrastructure' | 'user';

/** Every failure of a sandbox session. `code` is stable and in snake_case, `message` can be shown to the user. */
export class SandboxError extends Error {
  readonly fault: SandboxFault;
  readonly code: string;

  constructor(fault: SandboxFault, code: string, message: string, options?: ErrorOptions) {
    super(message, options);
    this.name = 'SandboxError';
    this.fault = fault;
    this.code = code;
  }
}

/** The session of this name is gone: its process ended, or what answers in its place is not our runtime. */
export function sandboxLost(session: string, why: string, options?: ErrorOptions): SandboxError {
  return new SandboxError('lost', 'sandbox_lost', `sandbox session ${session} is lost: ${why}`, options);
}

/** The session lives, or may live, but cannot be used now. */
export function sandboxUnavailable(session: string, why: string, options?: ErrorOptions): SandboxError {
  return new SandboxError(
    'infrastructure',
    'sandbox_unavailable',
    `sandbox session ${session} cannot be reached: ${why}`,
    options,
  );
}
