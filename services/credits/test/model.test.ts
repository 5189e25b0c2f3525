import { randomUUID } from 'node:crypto';
import { operations } from '@swissbrain/shared-schema/operations';
import fc from 'fast-check';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { createModel, type Model, type ModelHold } from './account-model.ts';
import { type AccountState, credits, type Ledger, openLedger } from './ledger-fixture.ts';

let ledger: Ledger;
beforeAll(async () => {
  ledger = await openLedger();
});
afterAll(() => ledger?.close());

const full = process.env.SWISSBRAIN_FULL === '1';
const commandsPerRun = 40;
const runs = full ? 500 : 25;
const limits = { concurrent: 3, overdraft: credits(8) };

const small = fc.integer({ min: 1, max: 12 }).map((amount) => credits(amount));
/** Few values, so that commands meet: the same run, step or key comes again. */
const slot = fc.nat({ max: 4 });
const commands = fc.oneof(
  {
    weight: 8,
    arbitrary: fc.record({
      name: fc.constant('reserve'),
      slot,
      amount: small,
      minimum: fc.nat({ max: 6 }).map((amount) => credits(amount)),
      budget: fc.option(small),
    }),
  },
  {
    weight: 8,
    arbitrary: fc.record({
      name: fc.constant('consume'),
      slot,
      step: fc.nat({ max: 4 }),
      operation: fc.constantFrom(operations.webSearch, operations.imageGeneration, operations.fileOperation),
      quantity: fc.integer({ min: 1, max: 5 }),
    }),
  },
  { weight: 2, arbitrary: fc.record({ name: fc.constant('extend'), slot, amount: small, key: slot }) },
  { weight: 2, arbitrary: fc.record({ name: fc.constant('release'), slot, key: slot }) },
  {
    weight: 3,
    arbitrary: fc.record({
      name: fc.constant('close'),
      slot,
      steps: fc.nat({ max: 3 }),
      named: fc.boolean(),
    }),
  },
  { weight: 2, arbitrary: fc.record({ name: fc.constant('lapse'), slot }) },
  { weight: 1, arbitrary: fc.record({ name: fc.constant('sweep') }) },
  { weight: 1, arbitrary: fc.record({ name: fc.constant('heartbeat'), slot }) },
  {
    weight: 2,
    arbitrary: fc.record({
      name: fc.constant('adjust'),
      amount: fc.integer({ min: -15, max: 30 }),
      key: slot,
    }),
  },
  {
    weight: 2,
    arbitrary: fc.record({ name: fc.constant('refund'), slot, step: fc.nat({ max: 4 }), amount: small }),
  },
) as fc.Arbitrary<Command>;

type Command =
  | { name: 'reserve'; slot: number; amount: bigint; minimum: bigint; budget: bigint | null }
  | { name: 'consume'; slot: number; step: number; operation: string; quantity: number }
  | { name: 'extend'; slot: number; amount: bigint; key: number }
  | { name: 'release'; slot: number; key: number }
  | { name: 'close'; slot: number; steps: number; named: boolean }
  | { name: 'lapse'; slot: number }
  | { name: 'sweep' }
  | { name: 'heartbeat'; slot: number }
  | { name: 'adjust'; amount: number; key: number }
  | { name: 'refund'; slot: number; step: number; amount: bigint };

const unitCost: Readonly<Record<string, bigint>> = {
  [operations.webSearch]: credits(1),
  [operations.imageGeneration]: credits(10),
  [operations.fileOperation]: 0n,
};

interface World {
  readonly user: string;
  readonly model: Model;
  /** Runs and steps by slot. */
  readonly runIds: readonly string[];
  readonly stepIds: readonly string[][];
  readonly usage: Map<string, string>;
}

/** The status of a call, or the SQLSTATE it failed with. */
const statusOf = (call: Promise<{ status: string }>): Promise<string> =>
  call.then(
    ({ status }) => status,
    (thrown: unknown) => (thrown instanceof Error && 'code' in thrown ? String(thrown.code) : String(thrown)),
  );

async function reserve(world: World, command: Command & { name: 'reserve' }): Promise<[string, string]> {
  const { amount, minimum, budget, slot: number } = command;
  const run = world.runIds[number] ?? '';
  const key = `run:${run}`;
  const expected = world.model.reserve(key, { run, requested: amount, minimum, budget });
  const actual = await statusOf(ledger.reserve(world.user, { run, key, amount, minimum, budget }));
  return [expected, actual];
}

/** Executes a command about an existing hold in both worlds: what was expected, and what came. */
async function onHold(world: World, hold: ModelHold, command: Command): Promise<[unknown, unknown]> {
  const { model, stepIds } = world;
  switch (command.name) {
    case 'consume': {
      const { operation, quantity, step: index } = command;
      const step = stepIds[command.slot]?.[index] ?? '';
      const key = `step:${step}`;
      const cost = (unitCost[operation] ?? 0n) * BigInt(quantity);
      const expected = model.consume(hold, key, step, cost, `${operation} ${quantity}`);
      const call = ledger.consume(hold.id, { key, step, operation, quantity });
      const actual = await statusOf(call);
      if (actual !== 'CR409') world.usage.set(key, (await call).transaction_id);
      return [expected, actual];
    }
    case 'extend': {
      const key = `extend:${command.key}`;
      return [
        model.extend(hold, key, command.amount),
        await statusOf(ledger.extend(hold.id, command.amount, key)),
      ];
    }
    case 'release': {
      const key = `release:${command.key}`;
      return [model.release(hold, key), await statusOf(ledger.release(hold.id, key))];
    }
    case 'close': {
      const named = stepIds[command.slot]?.slice(0, command.steps) ?? [];
      const steps = command.named ? named : command.steps;
      return [model.closeRun(hold, steps), await statusOf(ledger.closeRun(hold.run, steps))];
    }
    case 'lapse':
      model.lapse(hold);
      if (hold.state === 'active') await ledger.lapse(hold.id);
      return [null, null];
    case 'heartbeat':
      return [[model.heartbeat(hold)], await ledger.heartbeat(hold.id)];
    default:
      return [null, null];
  }
}

async function onAccount(world: World, command: Command): Promise<[unknown, unknown]> {
  const { model, user } = world;
  if (command.name === 'sweep') {
    model.sweep();
    await ledger.sweep();
  } else if (command.name === 'adjust' && command.amount !== 0) {
    const key = `adjust:${command.key}`;
    const amount = credits(command.amount);
    return [model.adjust(key, amount), await statusOf(ledger.adjust(user, amount, { key }))];
  } else if (command.name === 'refund') {
    const usageKey = `step:${world.stepIds[command.slot]?.[command.step]}`;
    const reverses = world.usage.get(usageKey);
    if (reverses) {
      const key = `refund:${usageKey}:${command.amount}`;
      const expected = model.refund(key, usageKey, command.amount);
      return [expected, await statusOf(ledger.adjust(user, command.amount, { key, reverses }))];
    }
  }
  return [null, null];
}

async function execute(world: World, command: Command): Promise<[unknown, unknown]> {
  if (command.name === 'reserve') return reserve(world, command);
  if (!('slot' in command) || command.name === 'refund') return onAccount(world, command);
  const hold = world.model.holds.find(({ run }) => run === world.runIds[command.slot]);
  return hold ? onHold(world, hold, command) : [null, null];
}

/** Compares everything that both worlds know, and what the ledger says about itself. */
async function compare({ user, model }: World): Promise<AccountState> {
  const [rows, balance, drift] = await Promise.all([
    ledger.reservations(user),
    ledger.balance(user),
    ledger.verify(user),
  ]);
  for (const hold of model.holds) hold.id = rows.find(({ run_id }) => run_id === hold.run)?.id ?? '';
  expect(
    rows.map((row) => [
      row.run_id,
      row.state,
      row.held,
      row.consumed,
      row.released,
      row.late,
      row.written_off,
    ]),
  ).toEqual(
    model.holds.map((hold) => [
      hold.run,
      hold.state,
      hold.held,
      hold.consumed,
      hold.released,
      hold.late,
      hold.writtenOff,
    ]),
  );
  const { credited, debited, reserved, debt } = model.money;
  expect(await ledger.balance(user)).toEqual({
    credited,
    debited,
    reserved,
    debt,
    available: model.available(),
  });
  expect(model.available()).toBeGreaterThanOrEqual(-limits.overdraft);
  expect(drift).toEqual([]);
  return balance;
}

test(`${runs * commandsPerRun} random operations answer and end as a model in memory says`, async () => {
  // So little that runs meet the balance, the overdraft limit and each other.
  const start = credits(25);
  const history = fc.array(commands, { minLength: commandsPerRun, maxLength: commandsPerRun });
  await fc.assert(
    fc.asyncProperty(history, async (sequence) => {
      const user = await ledger.account({ tier: 'pro', available: start });
      await ledger.clone.query('UPDATE credit_balances SET overdraft_limit_micro = $2 WHERE user_id = $1', [
        user,
        limits.overdraft,
      ]);
      const before = await ledger.balance(user);
      const model = createModel(start, limits);
      model.money.credited = before.credited;
      model.money.debited = before.debited;
      const slots = Array.from({ length: 5 }, () => randomUUID());
      const stepIds = slots.map(() => Array.from({ length: 5 }, () => randomUUID()));
      const world: World = { user, model, runIds: slots, stepIds, usage: new Map() };
      let last = before;
      for (const command of sequence) {
        const [expected, actual] = await execute(world, command);
        expect(
          actual,
          JSON.stringify(command, (_, value) => (typeof value === 'bigint' ? `${value}` : value)),
        ).toEqual(expected);
        const now = await compare(world);
        expect(now.credited >= last.credited && now.debited >= last.debited).toBe(true);
        last = now;
      }
    }),
    { numRuns: runs, endOnFailure: !full },
  );
}, 1_200_000);
