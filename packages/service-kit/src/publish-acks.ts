import { JetStreamApiError, PubHeaders } from '@nats-io/jetstream';
import { createInbox, type Msg, type MsgHdrs, type NatsConnection } from '@nats-io/nats-core';
import { z } from 'zod';
import { toError } from './errors.ts';

/** Nobody took the publish: the stream is not there. */
export class StreamMissing extends Error {
  override readonly name = 'StreamMissing';
}

/** Where the stream has stored a message. */
export interface StoredAt {
  readonly seq: number;
  /** It had one under the same id already; `seq` is where that one lies. */
  readonly duplicate: boolean;
}

export interface StreamMessage {
  readonly subject: string;
  readonly data: string;
  readonly headers: MsgHdrs;
  /** The stream drops a second message under the same id within its window. */
  readonly id: string;
}

/**
 * Publishes and resolves once the stream has stored the message.
 * @throws StreamMissing; JetStreamApiError when the stream refuses; Error when no answer came in time
 */
export type PublishAndWait = (message: StreamMessage) => Promise<StoredAt>;

interface Waiting {
  readonly resolve: (stored: StoredAt) => void;
  readonly reject: (error: Error) => void;
  readonly until: number;
}

/** The answer to a publish (https://docs.nats.io/reference/reference-protocols/nats_api_reference, PubAck). */
const answerSchema = z.union([
  z.object({
    error: z.object({
      code: z.number(),
      err_code: z.number().default(0),
      description: z.string().default(''),
    }),
  }),
  z.object({ stream: z.string(), seq: z.number().int().positive(), duplicate: z.boolean().default(false) }),
]);
const noResponders = 503;

export interface PublishOptions {
  readonly connection: NatsConnection;
  /** Answers come below it. */
  readonly inboxPrefix: string;
  /** The message is refused where another stream has the subject. */
  readonly stream: string;
  readonly timeoutMs: number;
  readonly monotonicMs: () => number;
}

/**
 * JetStream's publish with one subscription and one timer for all that wait. The client's own makes a timer and an
 * error with its stack for every message, the dearest part of a publish.
 */
export function createPublishAndWait(options: PublishOptions): PublishAndWait {
  const { connection, timeoutMs, monotonicMs } = options;
  const inbox = createInbox(options.inboxPrefix);
  const waiting = new Map<string, Waiting>();
  let next = 0;
  let timed = false;

  /** They wait equally long, so the first is always the oldest. */
  const giveUpOnOld = (): void => {
    timed = false;
    for (const [token, { until, reject }] of waiting) {
      const leftMs = until - monotonicMs();
      if (leftMs > 0) {
        giveUpIn(leftMs);
        return;
      }
      waiting.delete(token);
      reject(new Error(`the stream did not acknowledge within ${timeoutMs} ms`));
    }
  };
  const giveUpIn = (ms: number): void => {
    timed = true;
    // The connection keeps the process alive, not this.
    setTimeout(giveUpOnOld, ms).unref();
  };
  connection.subscribe(`${inbox}.*`, {
    callback(error, message) {
      const token = message.subject.slice(inbox.length + 1);
      const publish = waiting.get(token);
      // What comes too late has been given up.
      if (!publish) return;
      waiting.delete(token);
      try {
        if (error) throw error;
        publish.resolve(readAnswer(message));
      } catch (thrown) {
        publish.reject(toError(thrown));
      }
    },
  });
  return ({ subject, data, headers, id }) =>
    new Promise((resolve, reject) => {
      headers.set(PubHeaders.MsgIdHdr, id);
      headers.set(PubHeaders.ExpectedStreamHdr, options.stream);
      next += 1;
      const token = String(next);
      connection.publish(subject, data, { headers, reply: `${inbox}.${token}` });
      waiting.set(token, { resolve, reject, until: monotonicMs() + timeoutMs });
      if (!timed) giveUpIn(timeoutMs);
    });
}

function readAnswer(message: Msg): StoredAt {
  if (message.data.length === 0 && message.headers?.code === noResponders)
    throw new StreamMissing('no stream takes the event');
  const answer = answerSchema.parse(message.json());
  if ('error' in answer) throw new JetStreamApiError(answer.error);
  return { seq: answer.seq, duplicate: answer.duplicate };
}
