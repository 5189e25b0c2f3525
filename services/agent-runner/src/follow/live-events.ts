import type { Msg, NatsConnection, Subscription } from '@nats-io/transport-node';
import { headersToEnvelope } from '@swissbrain/service-kit/event-headers';
import type { Logger } from '@swissbrain/service-kit/logger';
import { type RunEventView, runEventView } from '@swissbrain/shared-schema/http/agent-runner';
import { followedSubjects } from '@swissbrain/shared-schema/nats-permissions';

/** Takes events of one run as they are published; in order as long as none is missing. */
export type LiveListener = (event: RunEventView) => void;

/** Events of runs as they happen, for all clients of this process together. */
export interface LiveEvents {
  /**
   * Listens to one run, named by itself and by its root. Resolves once nothing published from now on is missed;
   * the undo ends it.
   */
  listen(run: { readonly id: string; readonly rootId: string }, listener: LiveListener): Promise<() => void>;
  close(): void;
}

/** The event in a message, or null when it has no place in the run's order. */
function readEvent(message: Msg, runId: string): RunEventView | null {
  const envelope = headersToEnvelope(message.headers);
  if (envelope.aggregate_id !== runId || envelope.run_seq === null) return null;
  // Rows hold a fact in its latest version alone.
  if (envelope.also_versions?.some((version) => version > envelope.version)) return null;
  return runEventView.parse({
    id: envelope.id,
    type: envelope.type,
    version: envelope.version,
    run_seq: Number(envelope.run_seq),
    time: envelope.time,
    data: message.json(),
  });
}

/**
 * Reads the subjects of runs as plain NATS messages: the same few subscriptions however many clients follow, and none
 * when nobody does. Only messages of followed runs are read beyond their subject.
 */
export function createLiveEvents(nats: NatsConnection, log: Logger): LiveEvents {
  const listeners = new Map<string, Map<LiveListener, string>>();
  let subscriptions: readonly Subscription[] = [];

  const deliver = (message: Msg) => {
    const root = message.subject.slice(message.subject.lastIndexOf('.') + 1);
    const here = listeners.get(root);
    if (!here) return;
    for (const [listener, runId] of here) {
      try {
        const event = readEvent(message, runId);
        if (event) listener(event);
      } catch (error) {
        log.warn({ err: error, subject: message.subject }, 'an event on its way to clients cannot be read');
      }
    }
  };
  const subscribe = () => {
    if (subscriptions.length > 0) return;
    subscriptions = followedSubjects.map((subject) =>
      nats.subscribe(subject, {
        callback: (error, message) => {
          if (error) log.warn({ err: error }, 'the live view of events has failed');
          else deliver(message);
        },
      }),
    );
  };
  const unsubscribe = () => {
    for (const subscription of subscriptions) subscription.unsubscribe();
    subscriptions = [];
  };

  return {
    async listen({ id, rootId }, listener) {
      const here = listeners.get(rootId) ?? new Map<LiveListener, string>();
      here.set(listener, id);
      listeners.set(rootId, here);
      subscribe();
      // While the server is away the clients live on rows alone.
      await nats.flush().catch((error: unknown) => log.debug({ err: error }, 'NATS is away'));
      return () => {
        here.delete(listener);
        if (here.size === 0) listeners.delete(rootId);
        if (listeners.size === 0) unsubscribe();
      };
    },
    close: unsubscribe,
  };
}
