/** Something that does not hold, for operators. Numbers are micro-credits or steps, as the text says. */
export interface Finding {
  /** `ledger`: an account does not follow from its entries; `hold`: a hold and its run disagree. */
  readonly kind: 'ledger' | 'hold';
  readonly userId: string;
  readonly what: string;
  readonly expected: string | null;
  readonly found: string | null;
  /** The entry of the ledger, or the run. */
  readonly transactionId: string | null;
  readonly runId: string | null;
}

interface Hold {
  readonly user_id: string;
  readonly run_id: string;
  readonly state: 'waiting' | 'active' | 'settled' | 'expired' | 'denied';
  readonly closing: boolean;
  readonly recorded_steps: number;
}
interface Run {
  readonly status: string;
  readonly billable_steps: number;
  readonly ended_seconds_ago: number | null;
}

/**
 * What a hold and its run disagree about. A run that has just ended is given time: its events may be on their way.
 * @param run undefined when agent-runner does not know it
 */
export function compareWithRun(hold: Hold, run: Run | undefined, graceSeconds: number): Finding | undefined {
  const open = hold.state === 'waiting' || hold.state === 'active';
  const differ = (what: string, expected: string | null, found: string | null): Finding => ({
    ...{ kind: 'hold', userId: hold.user_id, runId: hold.run_id, transactionId: null },
    ...{ what, expected, found },
  });
  if (!run) return open ? differ('a hold is open for a run that is not there', null, hold.state) : undefined;
  const { status, ended_seconds_ago: ended, billable_steps: steps } = run;
  if (ended === null) {
    return hold.state === 'settled'
      ? differ('a hold is settled and its run lives', status, hold.state)
      : undefined;
  }
  if (ended < graceSeconds) return undefined;
  if (open && !hold.closing) return differ('a hold is open and its run has ended', status, hold.state);
  if (hold.state !== 'denied' && hold.recorded_steps < steps) {
    return differ(
      'steps of a run that has ended are not recorded',
      String(steps),
      String(hold.recorded_steps),
    );
  }
  return undefined;
}
