import { randomUUID } from 'node:crypto';
import { jetstream, jetstreamManager } from '@nats-io/jetstream';
import { headers } from '@nats-io/nats-core';
import { type ConsumerDefinition, startConsumers } from '@swissbrain/service-kit/consumer';
import { serveDeadLetters } from '@swissbrain/service-kit/dead-letter-routes';
import { envelopeToHeaders } from '@swissbrain/service-kit/event-headers';
import type { RunningService } from '@swissbrain/service-kit/lifecycle';
import { appendEvents } from '@swissbrain/service-kit/outbox';
import { openPlatform, type Platform, serve } from '@swissbrain/service-kit/platform';
import { deadLetterDetail, deadLetterPage } from '@swissbrain/shared-schema/http/dead-letters';
import type { ServiceName } from '@swissbrain/shared-schema/ids';
import { mintToken } from '@swissbrain/testkit/tokens';
import { waitFor } from '@swissbrain/testkit/wait';
import { sql } from 'kysely';
import { afterAll, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import { type Stack, startStack, ticked } from './stack.ts';

let stack: Stack;
let credits: Platform;
let creditsService: RunningService;
let collabService: RunningService;
let operator = '';
let user = '';
/** The numbers that `strict` cannot take. */
const refused = new Set<number>();

/** Lines of requests in the log. */
const audited: unknown[] = [];

type Tick = { number: number };
const consumer = (durable: string, refuses: ReadonlySet<number>): ConsumerDefinition<Tick> => ({
  ...{ durable, event: ticked, concurrency: 10, batch: 5, ackWaitMs: 30_000, backoffMs: [1], maxAttempts: 1 },
  async handle(tx, events) {
    for (const { data } of events) {
      if (refuses.has(data.number)) throw new Error(`cannot take ${data.number}`);
      await sql`INSERT INTO kit_ticks (consumer, number) VALUES (${durable}, ${data.number})`.execute(tx);
    }
  },
});

beforeAll(async () => {
  stack = await startStack();
  await stack.database.query('CREATE TABLE kit_ticks (consumer text, number int)');
  await stack.database.query('GRANT SELECT, INSERT ON kit_ticks TO sb_credits');
  const open = async (service: ServiceName, definitions: readonly ConsumerDefinition[]) => {
    const platform = await openPlatform(service, stack.config(service));
    platform.http.addHook('onRequest', async (request) => {
      const note = (line: unknown) => void audited.push(line);
      request.log = Object.assign(request.log.child({}), { info: note, warn: note });
    });
    serveDeadLetters(platform, definitions);
    await startConsumers(platform, definitions);
    return [platform, await serve(platform)] as const;
  };
  [credits, creditsService] = await open('credits', [
    consumer('strict', refused),
    consumer('easy', new Set()),
  ]);
  [, collabService] = await open('collab', []);
  operator = await mintToken({ claims: { scope: 'profile operator' } });
  user = await mintToken({ claims: { scope: 'profile' } });
});
afterAll(async () => {
  await Promise.all([creditsService.stop(), collabService.stop()]);
  await stack.stop();
});
beforeEach(async () => {
  await (await jetstreamManager(credits.nats)).streams.purge('DLQ');
});

const base = '/v1/admin/dead-letters';
interface CallOptions {
  readonly method?: string;
  readonly token?: string | null;
  readonly key?: string;
  readonly at?: RunningService;
}

async function call(path: string, { method = 'GET', token = operator, key, at }: CallOptions = {}) {
  const response = await fetch(`${(at ?? creditsService).url}${path}`, {
    method,
    headers: {
      ...(token === null ? {} : { authorization: `Bearer ${token}` }),
      ...(key === undefined ? {} : { 'idempotency-key': key }),
    },
  });
  const text = await response.text();
  return { status: response.status, body: text === '' ? null : JSON.parse(text), headers: response.headers };
}

const list = async (query = '') => deadLetterPage.parse((await call(`${base}${query}`)).body);
const redrive = (sequence: number, key: string = randomUUID()) =>
  call(`${base}/${sequence}/redrive`, { method: 'POST', key });
const ticksOf = async (number: number) =>
  (
    await stack.database.query<{ consumer: string }>(
      'SELECT consumer FROM kit_ticks WHERE number = $1 ORDER BY consumer',
      [number],
    )
  ).map((row) => row.consumer);

let numbers = 0;
/** Lets `strict` fail on an event; resolves to its number and its letter's place once `easy` has taken it. */
async function die(): Promise<{ number: number; sequence: number; aggregate: string }> {
  numbers += 1;
  const number = numbers;
  refused.add(number);
  const aggregate = randomUUID();
  await credits.database.withService((tx) =>
    appendEvents(tx, [
      {
        ...{ definition: ticked, aggregateId: aggregate, aggregateSeq: 1n, userId: aggregate },
        ...{ rootId: aggregate, data: { number } },
      },
    ]),
  );
  const letter = await waitFor(
    async () => (await list()).items.find((item) => item.event.root_id === aggregate),
    { describe: 'the dead letter' },
  );
  await waitFor(async () => (await ticksOf(number)).includes('easy'), { describe: 'the other consumer' });
  return { number, sequence: letter?.sequence ?? 0, aggregate };
}

/** Puts a letter into the stream as the consumer `durable` of `service` would. */
async function bury(service: string, durable: string, options: { version?: number; body?: string } = {}) {
  const id = randomUUID();
  const meta = envelopeToHeaders({
    ...{ id, type: ticked.type, version: options.version ?? 1, source: 'credits', aggregate_type: 'ticker' },
    ...{ aggregate_id: id, aggregate_seq: 1n, user_id: id, root_id: id, run_seq: null, traceparent: null },
    time: credits.clock.now().toISOString(),
  });
  meta.set('sb-dlq-error', 'told by the test');
  const body = options.body ?? JSON.stringify({ number: 0 });
  const ack = await jetstream(credits.nats).publish(`dlq.${service}.${durable}`, body, { headers: meta });
  return ack.seq;
}

describe('the dead letters of a service', () => {
  it('are listed and shown with what they carry', async () => {
    const { number, sequence, aggregate } = await die();
    const [letter] = (await list()).items;
    expect(letter).toMatchObject({
      ...{ sequence, consumer: 'credits_strict', error: `cannot take ${number}`, attempts: 1 },
      subject: `sb.credits.ticked.${aggregate}.${aggregate}`,
      event: { type: 'credits.ticked', version: '1', source: 'credits', user_id: aggregate },
    });
    const shown = deadLetterDetail.parse((await call(`${base}/${sequence}`)).body);
    expect(JSON.parse(shown.body)).toEqual({ number });
    expect(shown.headers['ce-id']).toEqual([letter?.event.id]);
  });

  it('come in pages, oldest first, of all consumers or of one', async () => {
    const places: number[] = [];
    for (const durable of ['credits_a', 'credits_b', 'credits_a', 'credits_b', 'credits_a']) {
      places.push(await bury('credits', durable));
    }
    await bury('collab', 'collab_a');
    const first = await list('?limit=3');
    expect(first.items.map((item) => item.sequence)).toEqual(places.slice(0, 3));
    const second = await list(`?limit=3&cursor=${first.next_cursor}`);
    expect(second.items.map((item) => item.sequence)).toEqual(places.slice(3));
    expect(second.next_cursor).toBeNull();
    const ofB = await list('?consumer=credits_b');
    expect(ofB.items.map((item) => item.consumer)).toEqual(['credits_b', 'credits_b']);
    expect((await call(`${base}?cursor=noise`)).body).toMatchObject({ code: 'invalid_cursor' });
    expect((await call(`${base}?consumer=credits.*`)).body).toMatchObject({ code: 'invalid_request' });
  });

  it('are out of the reach of other services', async () => {
    const sequence = await bury('credits', 'credits_strict');
    const at = collabService;
    expect((await call(base, { at })).body).toEqual({ items: [], next_cursor: null });
    for (const [path, method] of [
      ['', 'GET'],
      ['', 'DELETE'],
      ['/redrive', 'POST'],
    ] as const) {
      const answer = await call(`${base}/${sequence}${path}`, { method, at, key: randomUUID() });
      expect([answer.status, answer.body.code]).toEqual([404, 'dead_letter_not_found']);
    }
    expect((await list()).items).toHaveLength(1);
  });

  it('are for operators alone', async () => {
    const sequence = await bury('credits', 'credits_strict');
    for (const [path, method] of [
      ['', 'GET'],
      [`/${sequence}`, 'GET'],
      ['/noise', 'GET'],
      [`/${sequence}`, 'DELETE'],
      [`/${sequence}/redrive`, 'POST'],
    ] as const) {
      const answer = await call(`${base}${path}`, { method, token: user, key: randomUUID() });
      expect([answer.status, answer.body.code]).toEqual([403, 'forbidden']);
      expect(answer.headers.get('content-type')).toMatch(/^application\/problem\+json/);
      expect((await call(`${base}${path}`, { method, token: null })).status).toBe(401);
    }
    const inMetadata = await mintToken({ claims: { app_metadata: { scopes: ['operator'] } } });
    expect((await call(base, { token: inMetadata })).body.items).toHaveLength(1);
    const byUser = await mintToken({ claims: { user_metadata: { scopes: ['operator'] } } });
    expect((await call(base, { token: byUser })).status).toBe(403);
  });
});

describe('a redrive', () => {
  it('gives the event to its consumer alone, once its fault is mended, and removes the letter', async () => {
    const { number, sequence } = await die();
    const failed = await redrive(sequence);
    expect([failed.status, failed.body.code]).toEqual([409, 'redrive_failed']);
    expect(failed.body.detail).toContain(`cannot take ${number}`);
    expect(await ticksOf(number)).toEqual(['easy']);
    expect((await list()).items).toHaveLength(1);

    refused.delete(number);
    const key = randomUUID();
    const done = await redrive(sequence, key);
    expect([done.status, done.body]).toMatchObject([
      200,
      { sequence, consumer: 'credits_strict', outcome: 'done' },
    ]);
    expect(await ticksOf(number)).toEqual(['easy', 'strict']);
    expect((await list()).items).toEqual([]);

    const repeated = await redrive(sequence, key);
    expect(repeated.body).toEqual(done.body);
    expect(repeated.headers.get('idempotency-replayed')).toBe('true');
    expect((await redrive(sequence)).body.code).toBe('dead_letter_not_found');
    expect(await ticksOf(number)).toEqual(['easy', 'strict']);
  });

  it('does nothing twice when a letter is there twice, or driven by two at once', async () => {
    const { number, sequence } = await die();
    const { headers: original, body } = deadLetterDetail.parse((await call(`${base}/${sequence}`)).body);
    const copy = headers();
    for (const [name, values] of Object.entries(original)) {
      if (!name.startsWith('Nats-')) copy.set(name, values[0] ?? '');
    }
    const { seq } = await jetstream(credits.nats).publish('dlq.credits.credits_strict', body, {
      headers: copy,
    });
    refused.delete(number);
    const answers = await Promise.all([redrive(sequence), redrive(seq), redrive(seq)]);
    const outcomes = answers.map((answer) => answer.body.outcome ?? answer.body.code);
    expect(outcomes.filter((outcome) => outcome === 'done')).toHaveLength(1);
    for (const outcome of outcomes) expect(['done', 'duplicate', 'dead_letter_not_found']).toContain(outcome);
    expect(await ticksOf(number)).toEqual(['easy', 'strict']);
    expect((await list()).items).toEqual([]);
  });

  it('leaves what cannot be driven, and says why', async () => {
    const gone = await redrive(await bury('credits', 'credits_retired'));
    expect([gone.status, gone.body.code]).toEqual([409, 'dead_letter_consumer_gone']);
    const newer = await redrive(await bury('credits', 'credits_strict', { version: 2 }));
    expect([newer.status, newer.body.code]).toEqual([409, 'redrive_failed']);
    expect(newer.body.detail).toContain('expected credits.ticked version 1, got credits.ticked version 2');
    const noise = await redrive(await bury('credits', 'credits_strict', { body: 'not json' }));
    expect(noise.body.code).toBe('redrive_failed');
    const keyless = await call(`${base}/1/redrive`, { method: 'POST' });
    expect(keyless.body.code).toBe('idempotency_key_required');
    expect((await list()).items).toHaveLength(3);
  });
});

describe('a drop', () => {
  it('removes one letter for good', async () => {
    const [first, second] = [
      await bury('credits', 'credits_strict'),
      await bury('credits', 'credits_strict'),
    ];
    expect((await call(`${base}/${first}`, { method: 'DELETE' })).status).toBe(204);
    expect((await list()).items.map((item) => item.sequence)).toEqual([second]);
    expect((await call(`${base}/${first}`, { method: 'DELETE' })).body.code).toBe('dead_letter_not_found');
  });
});

it('leaves a trace of everything in the log', async () => {
  const [operatorId, userId] = [randomUUID(), randomUUID()];
  const token = await mintToken({ sub: operatorId, claims: { scope: 'operator' } });
  const other = await mintToken({ sub: userId });
  const sequence = await bury('credits', 'credits_easy');
  const dropped = await bury('credits', 'credits_easy');
  audited.splice(0);
  await call(base, { token });
  await call(`${base}/${sequence}`, { token });
  await call(`${base}/${sequence}/redrive`, { token, method: 'POST', key: randomUUID() });
  await call(`${base}/${dropped}`, { token, method: 'DELETE' });
  await call(`${base}/${dropped}`, { token: other, method: 'DELETE' });
  expect(audited).toMatchObject([
    { audit: 'dead_letters.list', user: operatorId, found: 2 },
    { audit: 'dead_letters.show', user: operatorId, sequence },
    { audit: 'dead_letters.redrive', user: operatorId, sequence, outcome: 'done' },
    { audit: 'dead_letters.drop', user: operatorId, sequence: dropped },
    { audit: 'refused', user: userId },
  ]);
});

it('leaves no reader on the server', async () => {
  await list();
  const manager = await jetstreamManager(credits.nats);
  expect(await manager.consumers.list('DLQ').next()).toEqual([]);
});
