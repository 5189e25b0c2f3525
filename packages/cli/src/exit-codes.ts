/** What the exit status of `swissbrain` means. Documented in the README. */
export const exitCodes = {
  success: 0,
  /** The run failed, was cancelled or timed out, or would be denied; an account does not add up; something needed is down. */
  unsuccessful: 1,
  /** A wrong option, argument, file or input. */
  usage: 2,
  /** SwissBrain, or a part of it, cannot be reached. */
  unreachable: 3,
  /** The API refused the request: its problem says why. */
  refused: 4,
  /** The API, or this program, failed. */
  failure: 5,
  /** Stopped by Ctrl-C. */
  interrupted: 130,
} as const;
