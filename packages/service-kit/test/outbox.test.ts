import { randomUUID } from 'node:crypto';
import { jetstreamManager } from '@nats-io/jetstream';
import { type ConsumerDefinition, startConsumers } from '@swissbrain/service-kit/consumer';
import type { Database } from '@swissbrain/service-kit/database';
import { AppError } from '@swissbrain/service-kit/errors';
import { appendEvents } from '@swissbrain/service-kit/outbox';
import { openPlatform, type Platform } from '@swissbrain/service-kit/platform';
import { type ReceivedEvent, subjectOf } from '@swissbrain/shared-schema/events/envelope';
import { waitFor } from '@swissbrain/testkit/wait';
import { sql } from 'kysely';
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import { z } from 'zod';
import { type Stack, startStack, ticked } from './stack.ts';

let stack: Stack;
const platforms: Platform[] = [];

beforeAll(async () => {
  stack = await startStack();
  await stack.database.query(
    'CREATE TABLE kit_effects (place bigserial, consumer text, aggregate uuid, number int)',
  );
  await stack.database.query(
    'GRANT SELECT, INSERT ON kit_effects TO sb_credits; GRANT USAGE ON kit_effects_place_seq TO sb_credits',
  );
});
afterAll(async () => stack.stop());
beforeEach(async () => {
  await stack.database.query('TRUNCATE kit_effects, event_outbox, event_inbox');
});
afterEach(async () => {
  for (const platform of platforms.splice(0)) await platform.release.release(8_000);
});

async function open(): Promise<Platform> {
  const platform = await openPlatform('credits', stack.config('credits'));
  platforms.push(platform);
  // A new durable begins at the oldest message, which is another test's.
  await (await jetstreamManager(platform.nats)).streams.purge('EVENTS');
  return platform;
}

type Tick = { number: number };
let durable = '';
beforeEach(() => {
  durable = `effects_${randomUUID().slice(0, 8)}`;
});

function recorder(overrides: Partial<ConsumerDefinition<Tick>> = {}): ConsumerDefinition<Tick> {
  return {
    durable,
    event: ticked,
    concurrency: 20,
    batch: 10,
    ackWaitMs: 30_000,
    backoffMs: [10, 50],
    maxAttempts: 3,
    handle: (tx, events) => record(tx, events),
    ...overrides,
  };
}

async function record(
  tx: Parameters<ConsumerDefinition['handle']>[0],
  events: readonly ReceivedEvent<Tick>[],
) {
  for (const { envelope, data } of events) {
    await sql`INSERT INTO kit_effects (consumer, aggregate, number)
              VALUES (${durable}, ${envelope.aggregate_id}::uuid, ${data.number})`.execute(tx);
  }
}

function append(database: Database, aggregateId: string, numbers: readonly number[]): Promise<void> {
  return database.withService((tx) =>
    appendEvents(
      tx,
      numbers.map((number) => ({
        definition: ticked,
        aggregateId,
        aggregateSeq: BigInt(number),
        userId: aggregateId,
        rootId: aggregateId,
        data: { number },
      })),
    ),
  );
}

interface Effect {
  aggregate: string;
  number: number;
}
const effects = () =>
  stack.database.query<Effect>(
    'SELECT aggregate, number FROM kit_effects WHERE consumer = $1 ORDER BY place',
    [durable],
  );
const numbersOf = (rows: readonly Effect[], aggregate: string) =>
  rows.filter((row) => row.aggregate === aggregate).map((row) => row.number);
const range = (from: number, to: number) => Array.from({ length: to - from + 1 }, (_, index) => from + index);
const unpublished = async () =>
  (
    await stack.database.query<{ n: bigint }>(
      'SELECT count(*) AS n FROM event_outbox WHERE published_at IS NULL',
    )
  )[0]?.n;

describe('outbox to inbox', () => {
  it('carries many events of many aggregates, each once and in order', async () => {
    const platform = await open();
    await startConsumers(platform, [recorder({ concurrency: 100, batch: 100 })]);
    const aggregates = range(1, 40).map(() => randomUUID());
    for (const part of [range(1, 10), range(11, 25)]) {
      await Promise.all(aggregates.map((aggregate) => append(platform.database, aggregate, part)));
    }
    await waitFor(async () => (await effects()).length >= 1_000);
    const rows = await effects();
    expect(rows).toHaveLength(1_000);
    for (const aggregate of aggregates) expect(numbersOf(rows, aggregate)).toEqual(range(1, 25));
    await waitFor(async () => (await unpublished()) === 0n, { describe: 'all rows marked' });
    const marked = await stack.database.query(
      'SELECT DISTINCT stream_seq IS NOT NULL AS has_seq FROM event_outbox',
    );
    expect(marked).toEqual([{ has_seq: true }]);
  });

  it('publishes nothing of a transaction that fails', async () => {
    const platform = await open();
    await startConsumers(platform, [recorder()]);
    const [lost, kept] = [randomUUID(), randomUUID()];
    const failing = platform.database.withService(async (tx) => {
      await appendEvents(tx, [
        {
          definition: ticked,
          aggregateId: lost,
          aggregateSeq: 1n,
          userId: lost,
          rootId: lost,
          data: { number: 1 },
        },
      ]);
      throw new Error('no');
    });
    await expect(failing).rejects.toThrow('no');
    await append(platform.database, kept, [1]);
    await waitFor(async () => (await effects()).length > 0);
    expect(await effects()).toEqual([{ aggregate: kept, number: 1 }]);
  });

  it('refuses data that does not fit its definition or is too large', async () => {
    const platform = await open();
    const id = randomUUID();
    const event = { definition: ticked, aggregateId: id, aggregateSeq: 1n, userId: id, rootId: id };
    const wrong = platform.database.withService((tx) =>
      appendEvents(tx, [{ ...event, data: { number: 'one' } }]),
    );
    await expect(wrong).rejects.toThrow(/number/);
    const bulky = { ...ticked, data: z.object({ text: z.string() }) };
    const large = platform.database.withService((tx) =>
      appendEvents(tx, [{ ...event, definition: bulky, data: { text: 'x'.repeat(70_000) } }]),
    );
    await expect(large).rejects.toMatchObject({ code: 'event_too_large' });
    expect(await stack.database.query('SELECT id FROM event_outbox')).toEqual([]);
  });

  it('takes an event that is delivered again only once', async () => {
    const platform = await open();
    const aggregate = randomUUID();
    await append(platform.database, aggregate, range(1, 5));
    await waitFor(async () => (await unpublished()) === 0n);
    // Two durables of the same service share the stream but not the inbox.
    const other = recorder({ durable: `${durable}_other`, handle: async () => {} });
    await startConsumers(platform, [recorder(), other]);
    await waitFor(async () => (await effects()).length === 5);
    const name = `credits_${durable}`;
    const manager = await jetstreamManager(platform.nats);
    // A new durable of the same name begins at the oldest message: everything is delivered again.
    await waitFor(async () => (await manager.consumers.info('EVENTS', name)).num_ack_pending === 0);
    await manager.consumers.delete('EVENTS', name);
    await append(platform.database, aggregate, [6]);
    await waitFor(async () => (await effects()).length === 6);
    await waitFor(async () => (await manager.consumers.info('EVENTS', name)).num_ack_pending === 0);
    expect(numbersOf(await effects(), aggregate)).toEqual(range(1, 6));
    const inbox = () =>
      stack.database.query<{ consumer: string; n: number }>(
        'SELECT consumer, count(*)::int AS n FROM event_inbox GROUP BY 1 ORDER BY 1',
      );
    await waitFor(async () => (await inbox()).every(({ n }) => n >= 6), {
      describe: 'both consumers to be done',
    });
    expect(await inbox()).toEqual([
      { consumer: name, n: 6 },
      { consumer: `${name}_other`, n: 6 },
    ]);
  });
});

describe('failing events', () => {
  it('are tried again and do not hold up the others of their batch', async () => {
    const platform = await open();
    const attempts = new Map<number, number>();
    const flaky = recorder({
      handle: async (tx, events) => {
        for (const { data } of events) attempts.set(data.number, (attempts.get(data.number) ?? 0) + 1);
        await record(tx, events);
        if (events.some(({ data }) => data.number === 3 && (attempts.get(3) ?? 0) < 4))
          throw new Error('not yet');
      },
      maxAttempts: 10,
    });
    const aggregate = randomUUID();
    await append(platform.database, aggregate, range(1, 5));
    await startConsumers(platform, [flaky]);
    await waitFor(async () => (await effects()).length === 5);
    expect(numbersOf(await effects(), aggregate).toSorted()).toEqual(range(1, 5));
  });

  it('go to the dead letters after their attempts, at once when hopeless, never when told later', async () => {
    const platform = await open();
    let later = 0;
    const failing = recorder({
      handle: async (tx, events) => {
        for (const { data } of events) {
          const retry = data.number === 2 ? 'never' : 'later';
          if (data.number === 1) throw new Error('always');
          if (data.number === 2 || (data.number === 3 && ++later <= 6)) {
            throw new AppError({ code: 'no', status: 503, title: 'No', detail: 'no', retry });
          }
        }
        await record(tx, events);
      },
    });
    const aggregate = randomUUID();
    const letters = deadLetters(platform, 2);
    await append(platform.database, aggregate, range(1, 4));
    await startConsumers(platform, [failing]);
    const received = await letters;
    expect(
      received
        .map(({ data, attempts }) => ({ number: data.number, attempts }))
        .toSorted((a, b) => a.number - b.number),
    ).toEqual([
      { number: 1, attempts: 3 },
      { number: 2, attempts: 1 },
    ]);
    for (const letter of received) {
      expect(letter.subject).toBe(subjectOf(ticked.type, aggregate, aggregate));
      expect(letter.type).toBe('credits.ticked');
      expect(letter.error).not.toBe('');
    }
    await waitFor(async () => (await effects()).length === 2);
    expect(numbersOf(await effects(), aggregate).toSorted()).toEqual([3, 4]);
  });

  it('go to the dead letters when nobody can read them', async () => {
    const platform = await open();
    const letters = deadLetters(platform, 2);
    await startConsumers(platform, [recorder()]);
    const subject = subjectOf(ticked.type, randomUUID(), randomUUID());
    platform.nats.publish(subject, 'not json');
    const aggregate = randomUUID();
    await stack.database.query(
      `INSERT INTO event_outbox (source, aggregate_type, aggregate_id, aggregate_seq, type, version, user_id, root_id, data)
       VALUES ('credits', 'ticker', $1, 1, 'credits.ticked', 2, $1, $1, '{"number": 1}')`,
      [aggregate],
    );
    const received = await letters;
    expect(received.map(({ error }) => error).toSorted()).toEqual([
      expect.stringContaining('got credits.ticked version 2'),
      expect.stringContaining('Invalid input'),
    ]);
    expect(await effects()).toEqual([]);
  });
});

interface Letter {
  readonly data: Tick;
  readonly attempts: number;
  readonly error: string;
  readonly subject: string;
  readonly type: string;
}

/** The next dead letters of this test's durable, seen as they are stored. */
async function deadLetters(platform: Platform, count: number): Promise<Letter[]> {
  const subscription = platform.nats.subscribe(`dlq.credits.credits_${durable}`, { max: count });
  const letters: Letter[] = [];
  for await (const message of subscription) {
    const get = (name: string) => message.headers?.get(name) ?? '';
    const text = message.string();
    letters.push({
      data: text.startsWith('{') ? (JSON.parse(text) as Tick) : { number: -1 },
      attempts: Number(get('sb-dlq-attempts')),
      error: get('sb-dlq-error'),
      subject: get('sb-dlq-subject'),
      type: get('ce-type'),
    });
  }
  return letters;
}
