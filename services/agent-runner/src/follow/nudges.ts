import type { NatsConnection } from '@nats-io/transport-node';

/** Outside `sb.`: a nudge is no fact, only a reason to look at a row now instead of at the next renewal. */
const subject = 'nudge.agent_runner.run';

/** Word to whichever process works on a run that its row has changed. */
export interface Nudges {
  send(runId: string): void;
  close(): void;
}

/** Sends nudges and takes those for all processes; a lost one costs a third of a lease. */
export function createNudges(nats: NatsConnection, onNudge: (runId: string) => void): Nudges {
  const subscription = nats.subscribe(subject, {
    callback: (error, message) => {
      if (!error) onNudge(message.string());
    },
  });
  return {
    send: (runId) => nats.publish(subject, runId),
    close: () => subscription.unsubscribe(),
  };
}
