/**
 * Who is to blame, which decides what the caller does:
 * - `lost`: the session is gone and will not come back; raise `session_no` and restore the workspace elsewhere.
 * - `infrastructure`: ours or passing; the same call may be tried again later and is never billed.
 * - `user`: the request itself is refused; trying again gives the same answer.
 */
export type SandboxFault = 'lost' | 'infrastructure' | 'user';

/**
 * Why a session is gone. `out_of_memory` and `disk_full` are its programs' doing, which would happen again; the others
 * happen to them. `deadline`: its longest time was over. `unreachable`: given up, since nothing answers there.
 */
export type LossCode =
  | 'out_of_memory'
  | 'disk_full'
  | 'evicted'
  | 'node_lost'
  | 'deadline'
  | 'unreachable'
  | 'ended';

/** How a session was lost. */
export interface Loss {
  readonly code: LossCode;
  /** In words for the user, about the sandbox: "the machine it ran on is gone". */
  readonly why: string;
}

interface SandboxErrorOptions extends ErrorOptions {
  readonly session?: string;
  readonly loss?: Loss;
}

/** Every failure of a sandbox session. `code` is stable and in snake_case, `message` can be shown to the user. */
export class SandboxError extends Error {
  readonly fault: SandboxFault;
  readonly code: string;
  /** Name of the session, where it is about one. */
  readonly session: string | null;
  /** Of a `lost` one. */
  readonly loss: Loss | null;

  constructor(fault: SandboxFault, code: string, message: string, options: SandboxErrorOptions = {}) {
    super(message, options);
    this.name = 'SandboxError';
    this.fault = fault;
    this.code = code;
    this.session = options.session ?? null;
    this.loss = options.loss ?? null;
  }
}

/** The session of this name is gone: its process ended, or what answers in its place is not our runtime. */
export function sandboxLost(session: string, loss: Loss, options?: ErrorOptions): SandboxError {
  const message = `sandbox session ${session} is lost: ${loss.why}`;
  return new SandboxError('lost', 'sandbox_lost', message, { ...options, session, loss });
}

/** The session lives, or may live, but cannot be used now. */
export function sandboxUnavailable(session: string, why: string, options?: ErrorOptions): SandboxError {
  const message = `sandbox session ${session} cannot be reached: ${why}`;
  return new SandboxError('infrastructure', 'sandbox_unavailable', message, { ...options, session });
}
