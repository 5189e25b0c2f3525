import type { NatsConnection, Subscription } from '@nats-io/transport-node';
import type { Logger } from '@swissbrain/service-kit/logger';
import { type RunDelta, runDelta } from '@swissbrain/shared-schema/http/agent-runner';

type Listener = (delta: RunDelta) => void;

/** What a model says while it says it: live, to whoever listens at this moment, kept nowhere. */
export interface Deltas {
  /** Opens the stream of one answer. */
  open(answer: { readonly runId: string; readonly stepId: string; readonly attempt: number }): DeltaStream;
  /** Listens to one run; returns the undo. What cannot be read is left out. */
  listen(runId: string, listener: Listener): () => void;
}

/** The text of one answer on its way out. */
export interface DeltaStream {
  /** Adds text; `restart` begins the answer anew, after a try that failed. */
  add(text: string, restart: boolean): void;
  /** Sends what is left. */
  close(): void;
}

/** Outside `sb.`: no fact. One run, one subject. */
const subjectOf = (runId: string) => `delta.${runId}`;
/** Text waits so long for more, or until it is so much: a message for each token would cost more than the token. */
const gatherMs = 50;
const gatherCharacters = 2_000;

/**
 * Publishes on core NATS. While the server is away nothing is sent, so nothing gathers; a listener sees from `offset`
 * that it has missed something, and finds the whole in the messages of the run.
 */
export function createDeltas(nats: NatsConnection, isConnected: () => boolean, log: Logger): Deltas {
  const listeners = new Map<string, { readonly all: Set<Listener>; readonly subscription: Subscription }>();
  const subscribe = (runId: string) =>
    nats.subscribe(subjectOf(runId), {
      callback: (error, message) => {
        if (error) return;
        try {
          const delta = runDelta.parse(message.json());
          for (const listener of listeners.get(runId)?.all ?? []) listener(delta);
        } catch (thrown) {
          log.warn({ err: thrown, run_id: runId }, 'text of a model on its way to clients cannot be read');
        }
      },
    });

  return {
    open({ runId, stepId, attempt }) {
      let offset = 0;
      let waiting = '';
      let timer: NodeJS.Timeout | undefined;
      const send = () => {
        clearTimeout(timer);
        timer = undefined;
        if (waiting === '') return;
        const delta: RunDelta = { run_id: runId, step_id: stepId, attempt, offset, text: waiting };
        offset += waiting.length;
        waiting = '';
        if (isConnected()) nats.publish(subjectOf(runId), JSON.stringify(delta));
      };
      return {
        add(text, restart) {
          if (restart) {
            send();
            offset = 0;
          }
          waiting += text;
          if (waiting.length >= gatherCharacters) send();
          else timer ??= setTimeout(send, gatherMs);
        },
        close: send,
      };
    },
    listen(runId, listener) {
      const here = listeners.get(runId) ?? { all: new Set(), subscription: subscribe(runId) };
      listeners.set(runId, here);
      here.all.add(listener);
      return () => {
        here.all.delete(listener);
        if (here.all.size > 0 || listeners.get(runId) !== here) return;
        listeners.delete(runId);
        here.subscription.unsubscribe();
      };
    },
  };
}
