import { randomUUID } from 'node:crypto';
import { parseConfig } from '@swissbrain/service-kit/config';
import type { ConsumerDefinition } from '@swissbrain/service-kit/consumer';
import { AppError } from '@swissbrain/service-kit/errors';
import {
  runCompleted,
  runRequested,
  stepCompleted,
  stepFailed,
} from '@swissbrain/shared-schema/events/agent-runner';
import { userCreated } from '@swissbrain/shared-schema/events/credits';
import type { EventDefinition } from '@swissbrain/shared-schema/events/envelope';
import { serviceEnvironment } from '@swissbrain/testkit/environment';
import fc from 'fast-check';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { configSchema } from '../src/config.ts';
import { consumers } from '../src/consumers/consumers.ts';
import { credits, expectNoDrift, type Ledger, openLedger } from './ledger-fixture.ts';

let ledger: Ledger;
beforeAll(async () => {
  ledger = await openLedger({ connections: 2 });
});
afterAll(() => ledger?.close());

interface Occurrence {
  readonly definition: EventDefinition;
  readonly data: Record<string, unknown>;
}

/** A new user and a whole run of theirs: three steps that cost 1, 2 and 3 credits, the last of them failed. */
function story(): { user: string; run: string; events: Occurrence[] } {
  const [user, run] = [randomUUID(), randomUUID()];
  const ref = { run_id: run, root_run_id: run };
  const steps = [1, 2, 3].map((quantity, index) => ({
    ...ref,
    ...{
      step_id: randomUUID(),
      step_key: `s${index}`,
      step_index: index,
      tool: 'web',
      attempt: 1,
      duration_ms: 1,
    },
    usage: [{ operation: 'web.search', quantity: String(quantity) }],
  }));
  const [first = {}, second = {}, third = {}] = steps;
  return {
    user,
    run,
    events: [
      { definition: userCreated, data: { user_id: user } },
      {
        definition: runRequested,
        data: {
          ...ref,
          ...{ parent_run_id: null, tenant_id: null, mode: 'standard', title: 'run', budget_micro: null },
          estimate: [{ operation: 'web.search', quantity: '20' }],
        },
      },
      { definition: stepCompleted, data: first },
      { definition: stepCompleted, data: second },
      { definition: stepFailed, data: { ...third, error: { code: 'no', message: 'no' } } },
      {
        definition: runCompleted,
        data: {
          ...ref,
          ...{ attempt: 1, billable_steps: 3, steps: 3, error: null },
          billable_step_ids: steps.map(({ step_id }) => step_id),
        },
      },
    ],
  };
}

function allConsumers(): ConsumerDefinition[] {
  const environment = serviceEnvironment('credits', {
    ...{ database: ledger.clone, nats: { url: 'nats://127.0.0.1:9' }, redis: { url: 'redis://127.0.0.1:9' } },
  });
  return consumers(parseConfig(configSchema, environment));
}

/** Delivers in this order without an inbox; what asks to be tried later comes again behind all others. */
async function deliver(
  user: string,
  run: string,
  events: readonly Occurrence[],
  definitions = allConsumers(),
): Promise<void> {
  const queue = [...events];
  // It grows while it is read.
  for (const { definition, data } of queue) {
    if (queue.length > 200) throw new Error('some events are tried for ever');
    const consumer = definitions.find(({ event }) => event.type === definition.type);
    if (!consumer) throw new Error(`nobody listens to ${definition.type}`);
    const envelope = {
      ...{ id: randomUUID(), type: definition.type, version: 1, source: definition.source },
      ...{ time: '2026-01-13T10:00:00.000Z', aggregate_type: definition.aggregate, aggregate_id: run },
      ...{ aggregate_seq: 1n, user_id: user, root_id: run, run_seq: 1n, traceparent: null },
    };
    try {
      await ledger.database.withService((tx) =>
        consumer.handle(tx, [{ envelope, data: definition.data.parse(data) }]),
      );
    } catch (thrown) {
      if (!(thrown instanceof AppError && thrown.retry === 'later')) throw thrown;
      queue.push({ definition, data });
    }
  }
}

test('in whatever order and however often events are delivered, the account ends the same', async () => {
  const places = fc.array(fc.nat(5), { maxLength: 8 });
  const order = fc.shuffledSubarray([0, 1, 2, 3, 4, 5], { minLength: 6, maxLength: 6 });
  await fc.assert(
    fc.asyncProperty(places, order, places, async (before, once, after) => {
      const { user, run, events } = story();
      await deliver(
        user,
        run,
        [...before, ...once, ...after].flatMap((place) => events[place] ?? []),
      );
      const [reservation, ...more] = await ledger.reservations(user);
      expect(more).toEqual([]);
      expect(reservation).toMatchObject({ run_id: run, state: 'settled', consumed: credits(6), late: 0n });
      expect(await ledger.balance(user)).toMatchObject({
        ...{ credited: credits(100), debited: credits(6), reserved: 0n, debt: 0n, available: credits(94) },
      });
      const types = (await ledger.events(user)).map(({ type }) => type);
      expect(types.filter((type) => type === 'credits.released')).toHaveLength(1);
      expect(types.filter((type) => type === 'credits.reserved')).toHaveLength(1);
      await expectNoDrift(ledger, user);
    }),
    { numRuns: 25 },
  );
});

test('a run that waits for its last charges does not wait until they are gathered', async () => {
  const definitions = allConsumers();
  let ends = 0;
  for (const event of [stepCompleted, stepFailed])
    definitions
      .find((one) => one.event.type === event.type)
      ?.gather?.onEnd(() => {
        ends += 1;
      });
  const { user, run, events } = story();
  // All but the third step, the closing event, then the third step.
  await deliver(user, run, events.slice(0, 4), definitions);
  expect(ends).toBe(0);
  await deliver(user, run, events.slice(5), definitions);
  expect(ends).toBe(2);
  await deliver(user, run, events.slice(4), definitions);
  expect(ends).toBe(2);
  expect(await ledger.reservations(user)).toMatchObject([{ state: 'settled', consumed: credits(6) }]);
});
