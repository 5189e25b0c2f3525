/** Why work on a run stops before it is done. */
export type StopReason =
  /** The user asked for it. */
  | 'cancelled'
  /** Another worker has the run, or it has ended. */
  | 'lost'
  | 'timed_out'
  /** It waits for input and has been left so. */
  | 'waiting'
  /** A pause was asked for, and nothing runs any more. */
  | 'paused'
  /** This process stops; another goes on with the run. */
  | 'shutdown';

/** The reason of an abort signal of a run. */
export class RunStopped extends Error {
  override readonly name = 'RunStopped';
  readonly reason: StopReason;

  constructor(reason: StopReason) {
    super(`the run was stopped: ${reason}`);
    this.reason = reason;
  }
}

/** The run as a whole cannot go on, for a reason that the user is told. */
export class RunFailed extends Error {
  override readonly name = 'RunFailed';
  readonly code: string;

  constructor(code: string, message: string) {
    super(message);
    this.code = code;
  }
}
