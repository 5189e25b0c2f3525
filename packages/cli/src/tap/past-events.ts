import {
  type Consumer,
  DeliverPolicy,
  JetStreamApiCodes,
  JetStreamApiError,
  type JsMsg,
  jetstream,
  jetstreamManager,
  type OrderedConsumerOptions,
  type StreamState,
} from '@nats-io/jetstream';
import type { NatsConnection } from '@nats-io/transport-node';
import { eventStream } from '@swissbrain/service-kit/streams';
import { CliError } from '../cli-error.ts';
import { exitCodes } from '../exit-codes.ts';

/** Where to begin reading; `last` counts the events that match the subject. */
export type PastFrom = { readonly all: true } | { readonly since: Date } | { readonly last: number };

const apiTimeoutMs = 10_000;

/**
 * The stored events of a subject, oldest first, up to the newest at the time of asking. Reads through ordered
 * ephemeral consumers: nothing is left on the server, nobody else's place in the stream moves.
 * @throws CliError when there is no stream
 */
export async function* pastEvents(
  connection: NatsConnection,
  subject: string,
  from: PastFrom,
): AsyncGenerator<JsMsg> {
  try {
    const manager = await jetstreamManager(connection, { timeout: apiTimeoutMs, checkAPI: false });
    const { config, state } = await manager.streams.info(eventStream);
    const filters = filtersFor(subject, config.subjects);
    if ('last' in from) {
      const count = from.last;
      yield* newest(
        filters.map((filter) => lastEvents(connection, filter, count, state)),
        count,
      );
    } else {
      const start = startOf(from);
      const since = 'since' in from ? from.since.getTime() : 0;
      for await (const message of inOrder(filters.map((filter) => readOnce(connection, filter, start)))) {
        // nats-server 2.9 begins with older messages when none is as new as that.
        if (message.time.getTime() >= since) yield message;
      }
    }
  } catch (error) {
    const noStream = error instanceof JetStreamApiError && error.code === JetStreamApiCodes.StreamNotFound;
    if (!noStream) throw error;
    throw new CliError(`NATS has no stream ${eventStream}`, {
      hint: 'The services create it when they start: swissbrain doctor says whether they run.',
      exitCode: exitCodes.unreachable,
      cause: error,
    });
  }
}

/**
 * A consumer's filter has to lie within one subject of the stream, and the stream listens on `sb.<entity>.>` for
 * each entity: a subject that leaves the entity open becomes one filter for each.
 */
export function filtersFor(subject: string, streamSubjects: readonly string[]): string[] {
  const [, entity = '', ...rest] = subject.split('.');
  if (entity !== '*' && entity !== '>') return [subject];
  return streamSubjects
    .filter((listened) => listened.startsWith('sb.'))
    .map((listened) => ['sb', listened.split('.')[1], ...(entity === '>' ? ['>'] : rest)].join('.'));
}

type Start = Partial<OrderedConsumerOptions>;

function startOf(from: Exclude<PastFrom, { readonly last: number }>): Start {
  if ('all' in from) return { deliver_policy: DeliverPolicy.All };
  return { deliver_policy: DeliverPolicy.StartTime, opt_start_time: from.since.toISOString() };
}

/** Merges streams that are each in order of the stream's sequence. */
async function* inOrder(sources: readonly AsyncGenerator<JsMsg>[]): AsyncGenerator<JsMsg> {
  try {
    const heads = await Promise.all(sources.map(async (source) => ({ source, head: await source.next() })));
    for (;;) {
      let first: (typeof heads)[number] | null = null;
      for (const entry of heads) {
        if (entry.head.done) continue;
        if (first === null || entry.head.value.seq < first.head.value.seq) first = entry;
      }
      if (first === null || first.head.done) return;
      yield first.head.value;
      first.head = await first.source.next();
    }
  } finally {
    await Promise.all(sources.map((source) => source.return(undefined)));
  }
}

/** The last `count` of all that the sources give, in order. */
async function* newest(sources: readonly AsyncGenerator<JsMsg>[], count: number): AsyncGenerator<JsMsg> {
  const messages: JsMsg[] = [];
  for (const source of sources) for await (const message of source) messages.push(message);
  yield* messages.sort((a, b) => a.seq - b.seq).slice(-count);
}

async function openConsumer(connection: NatsConnection, filter: string, start: Start): Promise<Consumer> {
  const api = jetstream(connection, { timeout: apiTimeoutMs });
  return api.consumers.get(eventStream, { ...start, filter_subjects: filter });
}

async function* readOnce(connection: NatsConnection, filter: string, start: Start): AsyncGenerator<JsMsg> {
  yield* drain(await openConsumer(connection, filter, start));
}

async function* drain(consumer: Consumer): AsyncGenerator<JsMsg> {
  const { num_pending: waiting } = await consumer.info(true);
  if (waiting === 0) {
    await discard(consumer);
    return;
  }
  const messages = await consumer.consume({ max_messages: 500, expires: 5_000 });
  try {
    for await (const message of messages) {
      yield message;
      if (message.info.pending === 0) return;
    }
  } finally {
    await messages.close();
    await discard(consumer);
  }
}

/**
 * There is no "last N of a subject" in the API. The server does say how many events match from a sequence on,
 * so the window is widened from the end until it holds enough.
 */
async function* lastEvents(
  connection: NatsConnection,
  filter: string,
  count: number,
  state: StreamState,
): AsyncGenerator<JsMsg> {
  for (let width = count * 4; ; width *= 8) {
    const first = Math.max(state.first_seq, state.last_seq - width + 1, 1);
    const consumer = await openConsumer(connection, filter, {
      deliver_policy: DeliverPolicy.StartSequence,
      opt_start_seq: first,
    });
    const { num_pending: matching } = await consumer.info(true);
    if (matching < count && first > state.first_seq) {
      await discard(consumer);
      continue;
    }
    let skip = matching - count;
    for await (const message of drain(consumer)) {
      if (skip <= 0) yield message;
      skip -= 1;
    }
    return;
  }
}

async function discard(consumer: Consumer): Promise<void> {
  try {
    await consumer.delete();
  } catch (error) {
    // The server removes idle ephemeral consumers itself, and may have done so already.
    if (!(error instanceof JetStreamApiError)) throw error;
  }
}
