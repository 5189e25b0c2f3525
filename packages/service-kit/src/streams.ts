import {
  DiscardPolicy,
  JetStreamApiCodes,
  JetStreamApiError,
  type JetStreamManager,
  jetstreamManager,
  RetentionPolicy,
  StorageType,
  type StreamConfig,
  type StreamInfo,
} from '@nats-io/jetstream';
import { type NatsConnection, nanos, PermissionViolationError } from '@nats-io/transport-node';
import type { BaseConfig } from './config.ts';
import { describeError } from './errors.ts';

/** The stream of events, and beside it that of events that could not be consumed. */
export const eventStream = 'EVENTS';
export const deadLetterStream = 'DLQ';

/** First words of event types; a stream never listens on all of `sb.`, so that new ones are a decision. */
const entities = [
  'run',
  'step',
  'artifact',
  'credits',
  'subscription',
  'user',
  'connector',
  'webhook',
  'research',
  'schedule',
  'collab',
] as const;

const hourMs = 3_600_000;
/** Within it a publish with the id of an earlier one is dropped by the server. */
const dedupeWindowMs = 120_000;
const deadLetterDays = 30;
const nameInUse = 10058;

export type StreamSettings = Pick<
  BaseConfig,
  'NATS_STREAM_MAX_AGE_HOURS' | 'NATS_STREAM_MAX_BYTES' | 'NATS_STREAM_REPLICAS'
>;
type Wanted = Pick<
  StreamConfig,
  | 'name'
  | 'subjects'
  | 'retention'
  | 'storage'
  | 'discard'
  | 'max_age'
  | 'max_bytes'
  | 'num_replicas'
  | 'duplicate_window'
>;

/** The JetStream API of a connection. */
export function streamManager(connection: NatsConnection): Promise<JetStreamManager> {
  return jetstreamManager(connection, { timeout: 3_000, checkAPI: false });
}

/**
 * Creates the streams that are missing and brings existing ones to these settings. A user who may not change
 * streams finds them as they should be, but for the limits of size, which are an administrator's to choose.
 * @throws Error when the server kept other settings than it was given: servers ignore what they do not know
 * @throws Error naming what is missing, when it is and this user may not change it
 */
export async function ensureStreams(connection: NatsConnection, settings: StreamSettings): Promise<void> {
  const manager = await streamManager(connection);
  for (const wanted of wantedStreams(settings)) await ensureStream(manager, wanted);
}

function wantedStreams(settings: StreamSettings): Wanted[] {
  const common = {
    retention: RetentionPolicy.Limits,
    storage: StorageType.File,
    max_bytes: settings.NATS_STREAM_MAX_BYTES,
    num_replicas: settings.NATS_STREAM_REPLICAS,
    duplicate_window: nanos(dedupeWindowMs),
  };
  return [
    {
      ...common,
      name: eventStream,
      subjects: entities.map((entity) => `sb.${entity}.>`),
      // A full stream refuses, and the outbox holds the rows; dropping the oldest would lose facts unread.
      discard: DiscardPolicy.New,
      max_age: nanos(settings.NATS_STREAM_MAX_AGE_HOURS * hourMs),
    },
    {
      ...common,
      name: deadLetterStream,
      subjects: ['dlq.>'],
      discard: DiscardPolicy.New,
      max_age: nanos(deadLetterDays * 24 * hourMs),
    },
  ];
}

async function ensureStream(manager: JetStreamManager, wanted: Wanted): Promise<void> {
  const existing = await findStream(manager, wanted.name);
  const change = existing ? bringUp(manager, existing, wanted) : create(manager, wanted);
  const echoed = await change.catch((thrown: unknown) => withoutRights(thrown, existing, wanted));
  if (echoed === 'as it is') return;
  const kept = new Set(echoed.config.subjects);
  const ignored = differences(echoed, wanted);
  if (wanted.subjects.some((subject) => !kept.has(subject))) ignored.push('subjects');
  if (ignored.length > 0) {
    throw new Error(
      `NATS kept other settings of stream ${wanted.name} than it was given: ${ignored.join(', ')}`,
    );
  }
}

/** What of a stream may differ where only an administrator changes it. */
const sizes = new Set(['max_bytes', 'num_replicas']);

/** Accepts a stream that this user may not change and that will do. */
function withoutRights(thrown: unknown, existing: StreamInfo | undefined, wanted: Wanted): 'as it is' {
  if (!isForbidden(thrown)) throw thrown;
  const kept = new Set(existing?.config.subjects);
  const lacking = existing
    ? [
        ...differences(existing, wanted).filter((setting) => !sizes.has(setting)),
        ...wanted.subjects.filter((subject) => !kept.has(subject)),
      ]
    : ['the stream itself'];
  if (lacking.length === 0) return 'as it is';
  throw new Error(
    `stream ${wanted.name} lacks what this version needs (${lacking.join(', ')}) and this NATS user may not ` +
      'change streams: run set-up-streams as an administrator',
    { cause: thrown },
  );
}

/** The server refused the request itself, for want of rights. */
function isForbidden(thrown: unknown): boolean {
  return (
    thrown instanceof PermissionViolationError ||
    (thrown instanceof Error && thrown.cause !== undefined && isForbidden(thrown.cause))
  );
}

async function findStream(manager: JetStreamManager, name: string): Promise<StreamInfo | undefined> {
  try {
    return await manager.streams.info(name);
  } catch (thrown) {
    if (thrown instanceof JetStreamApiError && thrown.code === JetStreamApiCodes.StreamNotFound)
      return undefined;
    throw new Error(`cannot read stream ${name}: ${describeError(thrown)}`, { cause: thrown });
  }
}

async function create(manager: JetStreamManager, wanted: Wanted): Promise<StreamInfo> {
  try {
    return await manager.streams.add(wanted);
  } catch (thrown) {
    // Another service of another version made it in the meantime.
    if (!(thrown instanceof JetStreamApiError) || thrown.code !== nameInUse) throw thrown;
    return bringUp(manager, await manager.streams.info(wanted.name), wanted);
  }
}

/** Subjects are only added: during a roll-out an older version must not take away those of a newer one. */
function bringUp(manager: JetStreamManager, existing: StreamInfo, wanted: Wanted): Promise<StreamInfo> {
  const subjects = [...new Set([...existing.config.subjects, ...wanted.subjects])];
  if (subjects.length === existing.config.subjects.length && differences(existing, wanted).length === 0) {
    return Promise.resolve(existing);
  }
  return manager.streams.update(wanted.name, { ...wanted, subjects });
}

function differences(info: StreamInfo, wanted: Wanted): string[] {
  const { subjects: _subjects, ...scalars } = wanted;
  const config: Readonly<Record<string, unknown>> = { ...info.config };
  return Object.entries(scalars)
    .filter(([name, value]) => config[name] !== value)
    .map(([name]) => name);
}
