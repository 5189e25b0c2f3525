/** A stretch of time, from its first moment to before its last, in milliseconds since 1970. */
export interface TimeRange {
  readonly from: Date;
  readonly to: Date;
}

const dayMs = 86_400_000;
/** Groups are added up anew for each page, so a question has an end. */
const longestDays = 400;
const usualDays = 30;

/**
 * The range that is asked for: until now, and 30 days long, unless said otherwise.
 * @throws RangeError when it is empty, or longer than 400 days
 */
export function usageRange(
  asked: { from?: string | undefined; to?: string | undefined },
  now: Date,
): TimeRange {
  const to = asked.to === undefined ? now : new Date(asked.to);
  const from = asked.from === undefined ? new Date(to.getTime() - usualDays * dayMs) : new Date(asked.from);
  if (from >= to) throw new RangeError('from is before to');
  if (to.getTime() - from.getTime() > longestDays * dayMs) {
    throw new RangeError(`at most ${longestDays} days at a time`);
  }
  return { from, to };
}

/** Whether Postgres and this machine know a time zone by that name. */
export function isTimeZone(name: string): boolean {
  return Intl.supportedValuesOf('timeZone').includes(name) || name === 'UTC';
}
