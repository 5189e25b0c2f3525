import { randomUUID } from 'node:crypto';
import { type JetStreamManager, jetstream, jetstreamManager } from '@nats-io/jetstream';
import { type ConsumerDefinition, startConsumers } from '@swissbrain/service-kit/consumer';
import type { Tx } from '@swissbrain/service-kit/database';
import { appendEvents } from '@swissbrain/service-kit/outbox';
import { openPlatform, type Platform } from '@swissbrain/service-kit/platform';
import type { ReceivedEvent } from '@swissbrain/shared-schema/events/envelope';
import { waitFor } from '@swissbrain/testkit/wait';
import { sql } from 'kysely';
import { expect } from 'vitest';
import { type Stack, startStack, ticked } from './stack.ts';

export type Tick = { number: number };
type Handler = ConsumerDefinition<Tick>['handle'];

/** Numbers `from` to `to`, both included. */
export const range = (from: number, to: number) =>
  Array.from({ length: to - from + 1 }, (_, index) => from + index);

/** Notes each event in the table of effects, without any guard of its own against a second time. */
export async function takeEffect(
  tx: Tx,
  consumer: string,
  events: readonly ReceivedEvent<unknown>[],
): Promise<void> {
  const ids = events.map(({ envelope }) => envelope.id);
  await sql`INSERT INTO kit_effects (consumer, event_id) SELECT ${consumer}, unnest(${ids}::uuid[])`.execute(
    tx,
  );
}

/** A consumer that notes each event under the name of its durable. */
export function recorder(
  durable: string,
  overrides: Partial<ConsumerDefinition<Tick>> = {},
): ConsumerDefinition<Tick> {
  const handle: Handler = (tx, events) => takeEffect(tx, durable, events);
  return {
    ...{ durable, event: ticked, concurrency: 100, batch: 100, ackWaitMs: 30_000 },
    ...{ backoffMs: [10], maxAttempts: 100, handle },
    ...overrides,
  };
}

/** Servers on which services of one installation can fail, and what must hold afterwards. */
export interface Backbone {
  readonly stack: Stack;
  open(overrides?: Readonly<Record<string, string>>): Promise<Platform>;
  close(platform: Platform): Promise<void>;
  /** Empties everything, for the next test. */
  reset(): Promise<void>;
  stop(): Promise<void>;
  /** The events that are published, in the order of the stream. */
  streamed(platform: Platform): Promise<{ id: string; aggregate: string; number: bigint }[]>;
  /** Waits for the effects, then sees that each event had one with every consumer, and that nothing else had. */
  everyEventTookEffectOnce(...consumers: string[]): Promise<void>;
  /** Sees that every event is on the stream, each aggregate's in order. */
  everyEventIsStreamedInOrder(platform: Platform): Promise<void>;
}

export const managerOf = (platform: Platform): Promise<JetStreamManager> => jetstreamManager(platform.nats);

/** Appends `count` events to each aggregate in one transaction, from number `from`, as a service does. */
export function append(
  platform: Platform,
  aggregates: readonly string[],
  from: number,
  count: number,
): Promise<void> {
  const events = aggregates.flatMap((aggregateId) =>
    range(from, from + count - 1).map((number) => ({
      ...{ definition: ticked, aggregateId, aggregateSeq: BigInt(number) },
      ...{ userId: aggregateId, rootId: aggregateId, data: { number } },
    })),
  );
  return platform.database.withService((tx) => appendEvents(tx, events));
}

export const newAggregates = (count: number) => range(1, count).map(() => randomUUID());

export async function openBackbone(): Promise<Backbone> {
  const stack = await startStack();
  await stack.database.query(
    `CREATE TABLE kit_effects (place bigserial, consumer text, event_id uuid);
     GRANT SELECT, INSERT ON kit_effects TO sb_credits;
     GRANT USAGE ON kit_effects_place_seq TO sb_credits`,
  );
  const platforms: Platform[] = [];
  const close = async (platform: Platform) => {
    platforms.splice(platforms.indexOf(platform), 1);
    await platform.release.release(8_000);
  };
  return {
    stack,
    close,
    ...proofs(stack),
    async open(overrides = {}) {
      const platform = await openPlatform('credits', stack.config('credits', overrides));
      platforms.push(platform);
      return platform;
    },
    async reset() {
      for (const platform of platforms.toReversed()) await close(platform);
      await stack.nats.restart({ empty: true });
      await stack.database.query('TRUNCATE kit_effects, event_outbox, event_inbox');
    },
    async stop() {
      for (const platform of platforms.toReversed()) await close(platform);
      await stack.stop();
    },
  };
}

function proofs(
  stack: Stack,
): Pick<Backbone, 'streamed' | 'everyEventTookEffectOnce' | 'everyEventIsStreamedInOrder'> {
  const amiss = (consumers: readonly string[], having: string) =>
    stack.database.query(
      `SELECT c.name, o.id, count(e.event_id)::int AS effects
       FROM event_outbox o CROSS JOIN unnest($1::text[]) AS c (name)
       LEFT JOIN kit_effects e ON e.consumer = c.name AND e.event_id = o.id
       GROUP BY 1, 2 HAVING count(e.event_id) ${having} LIMIT 5`,
      [consumers],
    );
  const streamed: Backbone['streamed'] = async (platform) => {
    const { messages } = (await (await managerOf(platform)).streams.info('EVENTS')).state;
    const consumer = await jetstream(platform.nats).consumers.get('EVENTS');
    const seen: { id: string; aggregate: string; number: bigint }[] = [];
    if (messages === 0) return seen;
    for await (const { headers } of await consumer.fetch({ max_messages: messages, expires: 5_000 })) {
      const get = (name: string) => headers?.get(name) ?? '';
      seen.push({
        id: get('ce-id'),
        aggregate: get('ce-aggregateid'),
        number: BigInt(get('ce-aggregateseq')),
      });
    }
    return seen;
  };
  return {
    streamed,
    async everyEventTookEffectOnce(...consumers) {
      await waitFor(async () => (await amiss(consumers, '= 0')).length === 0, {
        describe: 'every event to take effect',
      });
      expect(await amiss(consumers, '<> 1')).toEqual([]);
      const unfounded = await stack.database.query(
        'SELECT * FROM kit_effects WHERE event_id NOT IN (SELECT id FROM event_outbox) LIMIT 5',
      );
      expect(unfounded).toEqual([]);
    },
    async everyEventIsStreamedInOrder(platform) {
      const waiting = () =>
        stack.database.query('SELECT FROM event_outbox WHERE published_at IS NULL LIMIT 1');
      await waitFor(async () => (await waiting()).length === 0, { describe: 'every event to be published' });
      const last = new Map<string, bigint>();
      const once = new Set<string>();
      for (const { id, aggregate, number } of await streamed(platform)) {
        if (once.has(id)) continue;
        once.add(id);
        expect(number).toBeGreaterThan(last.get(aggregate) ?? 0n);
        last.set(aggregate, number);
      }
      const [rows] = await stack.database.query<{ n: number }>('SELECT count(*)::int AS n FROM event_outbox');
      expect(once.size).toBe(rows?.n);
    },
  };
}

/** Starts the two consumers of these tests: one in large batches, one a few at a time. */
export async function startTwoConsumers(platform: Platform): Promise<readonly string[]> {
  await startConsumers(platform, [recorder('large'), recorder('small', { concurrency: 15, batch: 5 })]);
  return ['large', 'small'];
}
