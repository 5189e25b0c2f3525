import type { Msg, NatsConnection } from '@nats-io/transport-node';

/** Events from now on. They are collected from the moment this returns, also before they are read. */
export interface LiveEvents extends AsyncIterable<Msg> {
  stop(): void;
}

/**
 * Subscribes to a subject on core NATS: no consumer on the server, hence nothing to leave behind. Resolves
 * when the server knows of the subscription.
 */
export async function liveEvents(connection: NatsConnection, subject: string): Promise<LiveEvents> {
  const subscription = connection.subscribe(subject);
  await connection.flush();
  return {
    [Symbol.asyncIterator]: () => subscription[Symbol.asyncIterator](),
    stop: () => subscription.unsubscribe(),
  };
}
