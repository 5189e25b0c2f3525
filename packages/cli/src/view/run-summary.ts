import { type BalanceView, isClosed, type ReservationView } from '@swissbrain/client/types';
import { alignDecimals, formatDuration, formatTable } from '../format.ts';
import type { Style } from '../style.ts';
import type { WatchedRun } from './watch-run.ts';

/** An artifact that was brought onto this machine. */
export interface SavedArtifact {
  readonly name: string;
  readonly sizeBytes: number;
  readonly path: string;
}

export interface SummaryParts {
  readonly watched: WatchedRun;
  readonly saved: readonly SavedArtifact[];
  /** Null when the view came to a run that others had started. */
  readonly before: BalanceView | null;
  readonly after: BalanceView;
}

/** The end of a run for people: outcome, steps, artifacts, and where the credits went. */
export function renderSummary({ watched, saved, before, after }: SummaryParts, style: Style): string[] {
  return [
    '',
    headline(watched, style),
    ...stepTable(watched, style),
    ...artifactList(saved, style),
    ...creditTable(watched, before, after, style),
  ];
}

function headline({ run }: WatchedRun, style: Style): string {
  const took =
    run.started_at === null || run.finished_at === null
      ? ''
      : ` in ${formatDuration(Date.parse(run.finished_at) - Date.parse(run.started_at))}`;
  const outcome =
    run.status === 'completed'
      ? style.green(`✔ ${run.title} completed${took}`)
      : style.red(`✘ ${run.title} ${run.status.replace('_', ' ')}${took}`);
  const why =
    run.error === null ? '' : `\n  ${style.red(run.error.message)} ${style.dim(`(${run.error.code})`)}`;
  return `${outcome}  ${style.dim(run.id)}${why}`;
}

function stepTable({ steps }: WatchedRun, style: Style): string[] {
  if (steps.length === 0) return [];
  const rows = steps.map((step) => [
    step.key,
    style.dim(step.tool),
    step.status === 'failed' ? style.red(step.status) : step.status,
    step.duration_ms === null ? '' : formatDuration(step.duration_ms),
    step.cost === '0' ? '' : `${step.cost} credits`,
    step.error === null ? '' : style.red(step.error.message),
  ]);
  return formatTable(rows, { indent: '  ', right: [3] });
}

function artifactList(saved: readonly SavedArtifact[], style: Style): string[] {
  if (saved.length === 0) return [];
  return ['', style.bold('artifacts'), ...saved.map((artifact) => `  ${artifact.path}`)];
}

function creditTable(
  { reservation }: WatchedRun,
  before: BalanceView | null,
  after: BalanceView,
  style: Style,
): string[] {
  const rows = [
    ...(before === null ? [] : [['  before', shown(before)]]),
    ...(reservation === null ? [] : reservationRows(reservation)),
    [before === null ? '  available now' : '  after', shown(after)],
  ];
  const open = reservation !== null && !isClosed(reservation);
  const pending = open ? [style.yellow('  the settlement is still under way')] : [];
  const amounts = alignDecimals(rows.map(([, amount = '']) => amount));
  const lines = formatTable(rows.map(([name = ''], i) => [name, amounts[i] ?? '']));
  return ['', style.bold('credits'), ...lines, ...pending];
}

/** Late and written-off charges exist only when a hold did not last; they are not shown as zeros. */
function reservationRows(reservation: ReservationView): string[][] {
  const rows = [
    ['  held', reservation.held],
    ['  consumed', reservation.consumed],
    ['  released', reservation.released],
  ];
  if (reservation.late !== '0') rows.push(['  charged late', reservation.late]);
  if (reservation.written_off !== '0') rows.push(['  written off', reservation.written_off]);
  return rows;
}

function shown(balance: BalanceView): string {
  return balance.available ?? 'unlimited';
}
