import { setTimeout as delay } from 'node:timers/promises';
import type { NatsConnection } from '@nats-io/transport-node';
import type { Client } from '@swissbrain/client/client';
import { isClosed, type ReservationView, type RunView, type StepView } from '@swissbrain/client/types';
import type { Clock } from '@swissbrain/service-kit/clock';
import type { Style } from '../style.ts';
import { type CreditEvents, watchCreditEvents } from './credit-events.ts';
import { eventLine } from './describe-event.ts';
import { renderProgress } from './render-progress.ts';
import {
  applyEvent,
  initialProgress,
  type ObservedEvent,
  type RunProgress,
  withSteps,
} from './run-progress.ts';
import type { Screen } from './screen.ts';

export interface WatchOptions {
  readonly client: Client;
  readonly runId: string;
  readonly screen: Screen;
  readonly style: Style;
  readonly clock: Clock;
  /** Where credit events are heard; null shows the run without them until its end. */
  readonly nats: NatsConnection | null;
  readonly signal: AbortSignal;
  /** How long to wait for the settlement of a run that has ended; milliseconds. */
  readonly settleMs?: number;
}

/** A run that has ended, as the API shows it. */
export interface WatchedRun {
  readonly run: RunView;
  readonly steps: readonly StepView[];
  /** Null when nothing was ever held; not settled yet when the wait was over first. */
  readonly reservation: ReservationView | null;
}

/**
 * Shows a run until it has ended and its hold is settled. Run, step and artifact events come from the run's
 * own stream, which resumes where it broke off; credit events from the event stream.
 * @throws the signal's reason, ApiProblem, ConnectionError
 */
export async function watchRun(options: WatchOptions): Promise<WatchedRun> {
  const { client, runId, screen, style, clock, nats, signal } = options;
  const startMs = clock.monotonicMs();
  const run = await client.runs.get(runId, { signal });
  let progress = withSteps(initialProgress(runId, run.title), await listSteps(options));
  const draw = () => screen.show(renderProgress(progress, { style, nowMs: clock.monotonicMs(), startMs }));
  const observe = (event: ObservedEvent) => {
    progress = applyEvent(progress, event, clock.monotonicMs());
    screen.print(eventLine(event, style));
    draw();
  };
  // A run's first event is its request: credit events that are read before it wait for it.
  const early: ObservedEvent[] = [];
  let begun = false;
  const observeCredits = (event: ObservedEvent) => {
    if (begun) observe(event);
    else early.push(event);
  };
  const observeRun = (event: ObservedEvent) => {
    begun = true;
    observe(event);
    for (const waiting of early.splice(0)) observe(waiting);
  };

  const timer = screen.live ? setInterval(draw, 100) : undefined;
  let credits: CreditEvents | null = null;
  try {
    draw();
    credits = nats === null ? null : await watchCreditEvents(nats, runId, observeCredits);
    await followToTheEnd(options, observeRun);
    const reservation = await settlement(options);
    await credits?.catchUp(() => isAccounted(progress, reservation), 3_000);
    return { run: await client.runs.get(runId, { signal }), steps: await listSteps(options), reservation };
  } finally {
    clearInterval(timer);
    await credits?.stop();
    screen.clear();
  }
}

async function followToTheEnd(options: WatchOptions, observe: (event: ObservedEvent) => void): Promise<void> {
  const { client, runId, screen, style, signal } = options;
  const events = client.runs.follow(runId, {
    signal,
    onReconnect: ({ attempt }) =>
      screen.print(style.yellow(`the connection was lost, trying again (${attempt})`)),
  });
  for await (const event of events) observe(event);
}

/** The run's reservation once it is closed: settlement follows the end of a run. */
async function settlement(options: WatchOptions): Promise<ReservationView | null> {
  const { client, runId, clock, signal, settleMs = 90_000 } = options;
  const deadline = clock.monotonicMs() + settleMs;
  for (;;) {
    const reservation = await client.credits.reservationOf(runId, { signal });
    const over = reservation === null || isClosed(reservation);
    if (over || clock.monotonicMs() > deadline) return reservation;
    await delay(100, undefined, { signal });
  }
}

function isAccounted(progress: RunProgress, reservation: ReservationView | null): boolean {
  return reservation === null || progress.credits.releasedMicro !== null || progress.credits.denied !== null;
}

async function listSteps({ client, runId, signal }: WatchOptions): Promise<StepView[]> {
  const steps: StepView[] = [];
  for await (const step of client.runs.steps(runId, { signal })) steps.push(step);
  return steps;
}
