import { formatCredits } from '@swissbrain/shared-schema/amount';
import { formatDuration, formatTable } from '../format.ts';
import type { Style } from '../style.ts';
import type { CreditsProgress, RunProgress, StepProgress } from './run-progress.ts';

const spinner = ['⠋', '⠙', '⠹', '⠸', '⠼', '⠴', '⠦', '⠧', '⠇', '⠏'];
const mostSteps = 12;

/** What the live region depends on beside the run itself. */
export interface Frame {
  readonly style: Style;
  /** Monotonic milliseconds now and when the watch began. */
  readonly nowMs: number;
  readonly startMs: number;
}

/** The lines of the live region: the run, its steps, its credits. */
export function renderProgress(progress: RunProgress, frame: Frame): string[] {
  const { style, nowMs, startMs } = frame;
  const wheel = style.cyan(spinner[Math.floor(nowMs / 80) % spinner.length] ?? '');
  const attempt = progress.attempt > 1 ? `, attempt ${progress.attempt}` : '';
  const head = `${wheel} ${style.bold(progress.title)}  ${progress.state}${attempt}  ${style.dim(formatDuration(nowMs - startMs))}`;
  const { shown, hidden } = mostTelling(progress.steps);
  const rows = shown.map((step) => stepRow(step, frame, wheel));
  return [
    '',
    head,
    ...formatTable(rows, { indent: '  ' }),
    ...(hidden === '' ? [] : [style.dim(`    ${hidden}`)]),
    `  ${style.dim('credits')}  ${renderCredits(progress.credits)}`,
  ];
}

/** All steps while they are few; else those that run or failed, the rest as numbers. */
function mostTelling(steps: readonly StepProgress[]): { shown: readonly StepProgress[]; hidden: string } {
  if (steps.length <= mostSteps) return { shown: steps, hidden: '' };
  const telling = steps
    .filter((step) => step.state === 'running' || step.state === 'failed')
    .slice(0, mostSteps);
  const chosen = new Set(telling);
  const counts = Object.entries(
    Object.groupBy(
      steps.filter((step) => !chosen.has(step)),
      (step) => step.state,
    ),
  );
  return { shown: telling, hidden: counts.map(([state, of]) => `${of?.length ?? 0} ${state}`).join(', ') };
}

function stepRow(step: StepProgress, { style, nowMs }: Frame, wheel: string): string[] {
  const marks: Record<StepProgress['state'], string> = {
    waiting: style.dim('·'),
    running: wheel,
    completed: style.green('✔'),
    failed: style.red('✘'),
    skipped: style.dim('–'),
    cancelled: style.yellow('–'),
  };
  const running = step.state === 'running' && step.since !== null ? nowMs - step.since : null;
  const time = step.durationMs ?? running;
  return [
    `${marks[step.state]} ${step.key}`,
    style.dim(step.tool),
    time === null ? style.dim(step.state) : formatDuration(time),
    step.error === null ? costOf(step) : style.red(step.error),
  ];
}

function costOf(step: StepProgress): string {
  return step.costMicro === null ? '' : `${formatCredits(step.costMicro)} credits`;
}

function renderCredits({ heldMicro, consumedMicro, releasedMicro, denied }: CreditsProgress): string {
  if (denied) {
    return `denied: ${formatCredits(denied.requiredMicro)} needed, ${formatCredits(denied.availableMicro)} available`;
  }
  if (heldMicro === null) return 'asking for a hold';
  const held = `${formatCredits(heldMicro)} held · ${formatCredits(consumedMicro)} consumed`;
  return releasedMicro === null ? held : `${held} · ${formatCredits(releasedMicro)} released`;
}
