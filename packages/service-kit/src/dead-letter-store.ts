import {
  AckPolicy,
  type Consumer,
  DeliverPolicy,
  JetStreamApiCodes,
  JetStreamApiError,
  type JetStreamManager,
  type JsMsg,
  jetstream,
} from '@nats-io/jetstream';
import { type NatsConnection, nanos } from '@nats-io/transport-node';
import { identifierOf, type ServiceName } from '@swissbrain/shared-schema/ids';
import { AppError, describeError, kitErrors } from './errors.ts';
import { deadLetterStream, streamManager } from './streams.ts';

/** Which letters: from a place in the stream on, of all consumers of the service or of one. */
export interface LetterRange {
  readonly from: number;
  readonly most: number;
  readonly consumer?: string | undefined;
}

/** The dead letters of one service; those of others are out of its reach. */
export interface DeadLetterStore {
  /** Oldest first. */
  list(range: LetterRange): Promise<JsMsg[]>;
  /** @throws AppError 404 `dead_letter_not_found` */
  get(sequence: number): Promise<JsMsg>;
  /** Removes a letter for good. @throws AppError 404 `dead_letter_not_found` */
  drop(sequence: number): Promise<void>;
}

const readMs = 2_000;
/** The server removes a reader whose service died under it. */
const readerLivesMs = 10_000;

/**
 * Reads through consumers that live for one question and whose filter names the service, so that the rights of
 * a service on the server can be confined to its own letters.
 * @throws AppError 503 `events_unavailable` from each function when NATS does not answer
 */
export function createDeadLetterStore(connection: NatsConnection, service: ServiceName): DeadLetterStore {
  const own = `dlq.${identifierOf(service)}`;

  const list: DeadLetterStore['list'] = ({ from, most, consumer }) =>
    reachable(async () => {
      const manager = await streamManager(connection);
      const reader = await openReader(connection, manager, `${own}.${consumer ?? '>'}`, from);
      try {
        return await readWaiting(reader, most);
      } finally {
        await reader?.delete();
      }
    });
  const get: DeadLetterStore['get'] = async (sequence) => {
    const [letter] = await list({ from: sequence, most: 1 });
    if (letter?.seq !== sequence) throw notFound(sequence);
    return letter;
  };
  return {
    list,
    get,
    async drop(sequence) {
      await get(sequence);
      const manager = await reachable(() => streamManager(connection));
      try {
        await manager.streams.deleteMessage(deadLetterStream, sequence);
      } catch (thrown) {
        // Servers say differently that somebody else was faster: looking again tells.
        await get(sequence);
        throw kitErrors.events_unavailable(describeError(thrown));
      }
    },
  };
}

async function openReader(
  connection: NatsConnection,
  manager: JetStreamManager,
  filter: string,
  from: number,
): Promise<Consumer | undefined> {
  try {
    const { name } = await manager.consumers.add(deadLetterStream, {
      name: `reader_${crypto.randomUUID()}`,
      filter_subject: filter,
      ack_policy: AckPolicy.None,
      deliver_policy: DeliverPolicy.StartSequence,
      opt_start_seq: from,
      mem_storage: true,
      num_replicas: 1,
      inactive_threshold: nanos(readerLivesMs),
    });
    return await jetstream(connection).consumers.get(deadLetterStream, name);
  } catch (thrown) {
    if (isApiError(thrown, JetStreamApiCodes.StreamNotFound)) return undefined;
    throw thrown;
  }
}

async function readWaiting(reader: Consumer | undefined, most: number): Promise<JsMsg[]> {
  if (!reader) return [];
  const { num_pending: waiting } = await reader.info();
  const wanted = Math.min(waiting, most);
  const letters: JsMsg[] = [];
  if (wanted === 0) return letters;
  for await (const letter of await reader.fetch({ max_messages: wanted, expires: readMs }))
    letters.push(letter);
  return letters;
}

function notFound(sequence: number) {
  return kitErrors.dead_letter_not_found(`this service has no dead letter ${sequence}`);
}

function isApiError(thrown: unknown, code: number): boolean {
  return thrown instanceof JetStreamApiError && thrown.code === code;
}

async function reachable<T>(work: () => Promise<T>): Promise<T> {
  try {
    return await work();
  } catch (thrown) {
    if (thrown instanceof AppError) throw thrown;
    throw kitErrors.events_unavailable(describeError(thrown));
  }
}
