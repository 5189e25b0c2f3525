import { randomUUID } from 'node:crypto';
import type { Database } from '@swissbrain/service-kit/database';
import { AppError } from '@swissbrain/service-kit/errors';
import { eventConsumers } from '@swissbrain/shared-schema/events/consumers';
import { createTestDatabase, type TestDatabase } from '@swissbrain/testkit/database';
import { openServiceDatabase, principalFor } from '@swissbrain/testkit/service-database';
import fc from 'fast-check';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { creditsConsumers } from '../src/consumers/credits.ts';
import { insertRun } from '../src/store/runs.ts';

let clone: TestDatabase;
let database: Database;
beforeAll(async () => {
  clone = await createTestDatabase();
  database = openServiceDatabase('agent-runner', clone, { connections: 2 });
});
afterAll(async () => {
  await database?.close();
  await clone?.drop();
});

const consumers = creditsConsumers({
  dispatcher: () => undefined,
  worker: () => undefined,
  sweep: () => undefined,
});
type Durable = keyof typeof samples;

/** What each consumer hears of a run. A new consumer has its line here, and its place in a story below. */
const samples = {
  'admit-run': {
    ...{ held_micro: '5000000', available_micro: '0', ttl_seconds: 60, prices: [] },
    ...{ price_as_of: '2026-01-13T10:00:00.000Z', expires_at: '2026-01-13T10:10:00.000Z' },
    limits: {
      ...{ tier: 'free', max_concurrent_runs: 1, max_parallel_items: 5, sandbox_cpu_millis: 1_000 },
      ...{ sandbox_memory_mb: 512, sandbox_disk_mb: 256, sandbox_seconds: 60 },
      ...{ retention_days: 7, requests_per_minute: 60 },
    },
  },
  'deny-run': { reason: 'insufficient', required_micro: '7000000', available_micro: '1500000' },
  'stop-exhausted-run': { debt_micro: '1000', reason: 'balance' },
  'resume-granted-run': {
    ...{ grant_id: randomUUID(), grant_source: 'adjustment', amount_micro: '1000', available_micro: '1000' },
  },
  'stop-expired-run': { consumed_micro: '0', released_micro: '5000000' },
} as const;

/** What may be told of one run, and how the run must end whatever the order and however often it is told. */
const stories: readonly {
  readonly of: string;
  readonly told: readonly Durable[];
  readonly ends: { readonly status: string; readonly error_code: string | null; readonly closings: number };
}[] = [
  { of: 'admitted', told: ['admit-run'], ends: { status: 'queued', error_code: null, closings: 0 } },
  {
    of: 'denied',
    told: ['deny-run'],
    ends: { status: 'failed', error_code: 'insufficient_credits', closings: 1 },
  },
  {
    of: 'whose credits are used up',
    told: ['admit-run', 'stop-exhausted-run'],
    ends: { status: 'paused', error_code: null, closings: 0 },
  },
  {
    of: 'that got more of them',
    told: ['admit-run', 'stop-exhausted-run', 'resume-granted-run'],
    ends: { status: 'queued', error_code: null, closings: 0 },
  },
  {
    of: 'whose hold has expired',
    told: ['admit-run', 'stop-expired-run'],
    ends: { status: 'failed', error_code: 'reservation_expired', closings: 1 },
  },
];

async function pendingRun(): Promise<{ id: string; user: string }> {
  const [id, user] = [randomUUID(), randomUUID()];
  await clone.query('INSERT INTO auth.users (id) VALUES ($1)', [user]);
  await database.withUser(principalFor(user), (tx) =>
    insertRun(tx, {
      ...{ id, userId: user, tenantId: null, kind: 'goal', mode: 'general', title: 'run', goal: 'go' },
      ...{ playbook: null, inputs: {}, options: {}, budgetMicro: null, planningDone: false },
    }),
  );
  return { id, user };
}

/** Delivers in this order without an inbox; what asks to be tried later comes again behind all others. */
async function deliver(run: { id: string; user: string }, told: readonly Durable[]): Promise<void> {
  const reservation = randomUUID();
  const queue = [...told];
  // It grows while it is read.
  for (const durable of queue) {
    if (queue.length > 100) throw new Error('some events are tried for ever');
    const consumer = consumers.find((candidate) => candidate.durable === durable);
    if (!consumer) throw new Error(`there is no consumer ${durable}`);
    const { type, version, source, aggregate, data } = consumer.event;
    const envelope = {
      ...{ id: randomUUID(), type, version, source, time: '2026-01-13T10:00:00.000Z' },
      ...{ aggregate_type: aggregate, aggregate_id: reservation, aggregate_seq: 1n },
      ...{ user_id: run.user, root_id: run.id, run_seq: null, traceparent: null },
    };
    const read: never = data.parse({
      ...{ reservation_id: reservation, run_id: run.id },
      ...samples[durable],
    }) as never;
    try {
      await database.withService((tx) => consumer.handle(tx, [{ envelope, data: read }]));
    } catch (thrown) {
      if (!(thrown instanceof AppError && thrown.retry === 'later')) throw thrown;
      queue.push(durable);
    }
  }
}

const closing = new Set(['run.failed', 'run.completed', 'run.cancelled', 'run.timed_out']);

describe('in whatever order and however often it is told, it ends the same: a run', () => {
  it.each(stories)('$of', async ({ told, ends }) => {
    const places = fc.array(fc.nat(told.length - 1), { maxLength: 4 });
    const order = fc.shuffledSubarray([...told], { minLength: told.length, maxLength: told.length });
    await fc.assert(
      fc.asyncProperty(places, order, places, async (before, once, after) => {
        const run = await pendingRun();
        const again = (at: readonly number[]) => at.flatMap((place) => told[place] ?? []);
        await deliver(run, [...again(before), ...once, ...again(after)]);
        const [row] = await clone.query('SELECT status, error_code FROM agent_runs WHERE id = $1', [run.id]);
        const types = await clone.query<{ type: string }>('SELECT type FROM event_outbox WHERE run_id = $1', [
          run.id,
        ]);
        const closings = types.filter(({ type }) => closing.has(type)).length;
        expect({ ...row, closings }).toEqual(ends);
        expect(types.filter(({ type }) => type === 'run.queued').length).toBeLessThanOrEqual(1);
      }),
      { numRuns: 15 },
    );
  });

  it('of whose consumers none is missing here', () => {
    const declared = Object.entries(eventConsumers['agent-runner'])
      .filter(([, event]) => event.type.startsWith('credits.'))
      .map(([durable]) => durable)
      .sort();
    expect(consumers.map(({ durable }) => durable).sort()).toEqual(declared);
    expect(Object.keys(samples).sort()).toEqual(declared);
    expect([...new Set(stories.flatMap(({ told }) => told))].sort()).toEqual(declared);
  });
});
