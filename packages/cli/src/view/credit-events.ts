import { setTimeout as delay } from 'node:timers/promises';
import type { NatsConnection } from '@nats-io/transport-node';
import { decodeEvent, isEvent } from '../tap/decode-event.ts';
import { liveEvents } from '../tap/live-events.ts';
import { pastEvents } from '../tap/past-events.ts';
import type { ObservedEvent } from './run-progress.ts';

/** The credit events of one run, each reported once. */
export interface CreditEvents {
  /** Reads what a lost connection may have swallowed, until `complete` holds or the time is up. */
  catchUp(complete: () => boolean, timeoutMs: number): Promise<void>;
  stop(): Promise<void>;
}

/**
 * Reports a run's credit events: those already stored, then live. Different from the run's own events they
 * carry no number of the run, so they come from the event stream itself.
 */
export async function watchCreditEvents(
  connection: NatsConnection,
  runId: string,
  report: (event: ObservedEvent) => void,
): Promise<CreditEvents> {
  const subject = `sb.credits.*.*.${runId}`;
  const seen = new Set<string>();
  const take = (message: Parameters<typeof decodeEvent>[0]) => {
    const decoded = decodeEvent(message);
    if (!isEvent(decoded) || seen.has(decoded.envelope.id)) return;
    seen.add(decoded.envelope.id);
    report({ ...decoded.envelope, data: decoded.data });
  };
  const readStored = async () => {
    for await (const message of pastEvents(connection, subject, { all: true })) take(message);
  };

  // Subscribed before the past is read: what happens between the two is seen twice and reported once.
  const live = await liveEvents(connection, subject);
  await readStored();
  const listening = (async () => {
    for await (const message of live) take(message);
  })();
  return {
    async catchUp(complete, timeoutMs) {
      const timeUp = AbortSignal.timeout(timeoutMs);
      while (!complete() && !timeUp.aborted) {
        await readStored();
        if (!complete()) await delay(100);
      }
    },
    async stop() {
      live.stop();
      await listening;
    },
  };
}
