import { setTimeout as delay } from 'node:timers/promises';
import type { Consumer, ConsumerMessages, JsMsg } from '@nats-io/jetstream';
import type { Subscription } from '@nats-io/transport-node';
import type { Clock } from './clock.ts';
import type { BatchProcessor, ConsumerDefinition } from './consumer-definition.ts';
import { createRest } from './consumer-rest.ts';
import { ConsumerDrift, ensureConsumer } from './consumer-settings.ts';
import { describeError } from './errors.ts';
import type { Platform } from './platform.ts';

const pullExpiresMs = 30_000;
/** Two of these missed and the pull is given up: its consumer was deleted, or its server is gone without a word. */
const heartbeatMs = 2_000;
const retryMs = { first: 100, most: 5_000 };

/**
 * Pulls messages of one durable and hands them over in batches until stopped. What is not there on the server
 * (a new installation, an emptied store) is created; a lost server is waited for.
 */
export function runConsumerLoop(
  platform: Platform,
  definition: ConsumerDefinition,
  name: string,
  process: BatchProcessor,
): { stop(): Promise<void> } {
  const stopping = new AbortController();
  const { log } = platform;
  const buffer = createBatchBuffer(definition, platform.clock, process, () => platform.nats.isClosed());
  let pulling: ConsumerMessages | undefined;
  let connection = new AbortController();

  // A pull dies with its connection. The client would ask again by itself, but where the server cannot answer yet it
  // does so only when the whole time of a pull is over.
  const ignoreReconnects = platform.onNatsReconnect(() => {
    // What the server may have sent for it meanwhile is worked on: dropped, it would come again after the ack wait only.
    if (pulling) void endPull(pulling);
    connection.abort();
    connection = new AbortController();
  });
  const pull = async (consumer: Consumer, wanted: number, lost: AbortSignal): Promise<void> => {
    pulling = await consumer.fetch({
      max_messages: wanted,
      expires: pullExpiresMs,
      idle_heartbeat: heartbeatMs,
    });
    if (lost.aborted || stopping.signal.aborted) void endPull(pulling);
    for await (const message of pulling) buffer.push(message);
  };
  const loop = async (): Promise<void> => {
    let retry = retryMs.first;
    let consumer: Consumer | undefined;
    while (!stopping.signal.aborted) {
      const lost = connection.signal;
      try {
        consumer ??= await ensureConsumer(platform, definition, name);
        await buffer.hasRoom();
        if (stopping.signal.aborted) break;
        if (!lost.aborted) await pull(consumer, buffer.room(), lost);
        // The server that is back may know nothing of it.
        if (lost.aborted) consumer = undefined;
        retry = retryMs.first;
      } catch (thrown) {
        if (stopping.signal.aborted) break;
        consumer = undefined;
        if (thrown instanceof ConsumerDrift)
          log.error({ consumer: name, err: thrown }, 'consumer cannot be used');
        else
          log.warn({ consumer: name, reason: describeError(thrown) }, 'consumer interrupted, set up again');
        const restEnds = AbortSignal.any([stopping.signal, lost]);
        await delay(retry, undefined, { signal: restEnds }).catch(() => {});
        retry = Math.min(retry * 2, retryMs.most);
      }
    }
  };
  const running = loop();
  return {
    async stop() {
      stopping.abort();
      ignoreReconnects();
      buffer.beginNone();
      // Before anything goes back: the server would deliver it here again.
      if (pulling && !platform.nats.isClosed()) await endPull(pulling);
      buffer.giveBack();
      await running;
      buffer.giveBack();
      await buffer.idle();
      buffer.close();
    },
  };
}

/** So long a stop waits for what the server has sent already. */
const lastMessagesMs = 1_000;

/**
 * Ends a pull after the last message that was on its way: whoever only stopped to listen would leave it unanswered
 * until its ack wait is over. The subscription is on the class that `fetch` gives, though not in its type.
 */
async function endPull(pulling: ConsumerMessages & { readonly sub?: Subscription }): Promise<void> {
  const inTime = new AbortController();
  await Promise.race([
    Promise.resolve(pulling.sub?.drain()).catch(() => {}),
    delay(lastMessagesMs, undefined, { signal: inTime.signal }).catch(() => {}),
  ]);
  inTime.abort();
  pulling.stop();
}

/**
 * Collects what arrives and keeps at most the allowed number of batches going. Between two of them is a rest, unless the
 * next one is full: events that come one by one at speed share transactions. Else an event is taken as it comes.
 */
function createBatchBuffer(
  definition: ConsumerDefinition,
  clock: Clock,
  process: BatchProcessor,
  isClosed: () => boolean,
) {
  const { batch, concurrency, ackWaitMs } = definition;
  const parallel = Math.max(1, Math.floor(concurrency / batch));
  // One batch more than runs, so that the next is there when one ends.
  const capacity = (parallel + 1) * batch;
  const waiting: JsMsg[] = [];
  const running = new Set<Promise<void>>();
  const held = new Set<JsMsg>();
  // However long a handler takes and the others wait for it, the server hears of each message twice per ack wait
  // and delivers it to nobody else. A message that has been answered keeps silent.
  const keepAlive = setInterval(() => {
    if (isClosed()) return;
    for (const message of held) message.working();
  }, ackWaitMs / 2);
  let scheduled = false;
  let stopped = false;
  let freed = Promise.withResolvers<void>();

  const start = (): void => {
    scheduled = false;
    while (!stopped && running.size < parallel && waiting.length > 0) {
      if (waiting.length < batch && rest.left() > 0) {
        rest.wait();
        return;
      }
      const messages = waiting.splice(0, batch);
      const batchEnds = rest.batchBegins();
      const work: Promise<void> = process(messages).finally(() => {
        running.delete(work);
        batchEnds();
        settle(messages);
        start();
      });
      running.add(work);
    }
  };
  const rest = createRest(definition, clock, start);
  /** After the messages that came in the same read of the socket. */
  const schedule = (): void => {
    if (scheduled) return;
    scheduled = true;
    setImmediate(start);
  };
  const settle = (messages: readonly JsMsg[]): void => {
    for (const message of messages) held.delete(message);
    freed.resolve();
    freed = Promise.withResolvers();
  };
  return {
    push(message: JsMsg): void {
      waiting.push(message);
      rest.note();
      held.add(message);
      schedule();
    },
    room: () => capacity - held.size,
    /** Waits until a whole batch can be taken. */
    async hasRoom(): Promise<void> {
      while (capacity - held.size < batch) await freed.promise;
    },
    /** Lets what runs come to its end; from now on messages only wait to be given back. */
    beginNone(): void {
      stopped = true;
    },
    /** Returns what has not been started to the server, for other replicas. */
    giveBack(): void {
      const returned = waiting.splice(0);
      for (const message of returned) message.nak();
      if (returned.length > 0) settle(returned);
    },
    async idle(): Promise<void> {
      while (running.size > 0) await Promise.all(running);
    },
    close(): void {
      clearInterval(keepAlive);
      rest.close();
    },
  };
}
