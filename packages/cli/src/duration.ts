import { CliError } from './cli-error.ts';

const unitMs: Readonly<Record<string, number>> = { ms: 1, s: 1_000, m: 60_000, h: 3_600_000, d: 86_400_000 };

/**
 * Reads `90s`, `10m`, `2h`, `1d` as milliseconds.
 * @throws CliError for anything else
 */
export function parseDuration(text: string): number {
  const match = /^(\d{1,9})(ms|s|m|h|d)$/.exec(text.trim());
  const unit = unitMs[match?.[2] ?? ''];
  if (!match || unit === undefined) {
    throw new CliError(`not a duration: ${text}`, { hint: 'Write a number and a unit: 90s, 10m, 2h, 1d.' });
  }
  return Number(match[1]) * unit;
}

const isoTime = /^\d{4}-\d{2}-\d{2}(T\d{2}:\d{2}(:\d{2}(\.\d{1,9})?)?(Z|[+-]\d{2}:\d{2})?)?$/;

/**
 * Reads a duration before `now`, or a time: `10m`, `2026-01-13T14:00:00Z`, `2026-01-13T14:00` (local), `2026-01-13` (UTC).
 * @throws CliError for anything else
 */
export function parseSince(text: string, now: Date): Date {
  const time = text.trim();
  if (!isoTime.test(time)) return new Date(now.getTime() - parseDuration(time));
  const since = new Date(time);
  if (Number.isNaN(since.getTime())) throw new CliError(`not a time: ${text}`);
  return since;
}
