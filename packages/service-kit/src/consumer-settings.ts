import {
  AckPolicy,
  type Consumer,
  type ConsumerInfo,
  DeliverPolicy,
  JetStreamApiCodes,
  JetStreamApiError,
  jetstream,
  ReplayPolicy,
} from '@nats-io/jetstream';
import { nanos } from '@nats-io/transport-node';
import type { ConsumerDefinition } from './consumer-definition.ts';
import type { Platform } from './platform.ts';
import { ensureStreams, eventStream, streamManager } from './streams.ts';

/** Unanswered messages of all replicas together; events that wait for their next try count too. */
const maxAckPending = 10_000;

/** The durable on the server is not what the code needs, and cannot be made so without losing its place. */
export class ConsumerDrift extends Error {
  override readonly name = 'ConsumerDrift';
}

/**
 * Creates the durable, or brings the one that is there to these settings.
 * @throws ConsumerDrift when it has settings that no update changes, or the server kept others than it was given
 */
export async function ensureConsumer(
  platform: Platform,
  definition: ConsumerDefinition,
  name: string,
): Promise<Consumer> {
  await ensureStreams(platform.nats, platform.config);
  const manager = await streamManager(platform.nats);
  const changeable = {
    ack_wait: nanos(definition.ackWaitMs),
    max_ack_pending: maxAckPending,
    filter_subject: `sb.${definition.event.type}.>`,
    // Attempts are counted here, where the reason of a failure is known.
    max_deliver: -1,
  };
  const lasting = {
    ack_policy: AckPolicy.Explicit,
    deliver_policy: DeliverPolicy.All,
    replay_policy: ReplayPolicy.Instant,
  };
  const info = await manager.consumers.info(eventStream, name).catch(whenMissing);
  if (info) refuseDrift(name, info, lasting);
  const current =
    info && differences(info, changeable).length === 0
      ? info
      : info
        ? await manager.consumers.update(eventStream, name, changeable)
        : await manager.consumers.add(eventStream, { ...changeable, ...lasting, durable_name: name });
  refuseDrift(name, current, { ...changeable, ...lasting });
  return jetstream(platform.nats).consumers.get(eventStream, name);
}

/** What would make a durable behave otherwise, whoever set it; none of it is ever wanted. */
const unwanted = ['deliver_subject', 'headers_only', 'inactive_threshold', 'backoff', 'sample_freq'] as const;

function refuseDrift(name: string, info: ConsumerInfo, wanted: Readonly<Record<string, unknown>>): void {
  const drifted = [
    ...differences(info, wanted),
    ...unwanted.filter((setting) => {
      const value = info.config[setting];
      return Array.isArray(value) ? value.length > 0 : Boolean(value);
    }),
  ];
  if (drifted.length > 0) {
    throw new ConsumerDrift(
      `consumer ${name} on the server differs from the code in ${drifted.join(', ')}; ` +
        'delete it there and it is made anew, which repeats no effect',
    );
  }
}

function differences(info: ConsumerInfo, wanted: Readonly<Record<string, unknown>>): string[] {
  const config: Readonly<Record<string, unknown>> = { ...info.config };
  return Object.entries(wanted)
    .filter(([setting, value]) => config[setting] !== value)
    .map(([setting]) => setting);
}

function whenMissing(thrown: unknown): undefined {
  if (thrown instanceof JetStreamApiError && thrown.code === JetStreamApiCodes.ConsumerNotFound)
    return undefined;
  throw thrown;
}
