import { randomUUID } from 'node:crypto';
import { sql } from 'kysely';
import { createModel, type Model, type ModelHold } from './account-model.ts';
import { credits, type Ledger, usageItem } from './ledger-fixture.ts';
import { type Command, tiers, unitCost } from './model-commands.ts';

/** One account in both worlds. */
export interface World {
  readonly ledger: Ledger;
  readonly user: string;
  readonly model: Model;
  /** Runs by slot, and their steps. */
  readonly runs: readonly string[];
  readonly steps: readonly (readonly string[])[];
  /** The entry of a usage by its key. */
  readonly entries: Map<string, string>;
}

/** Adds the small tiers of the model to a database, once. */
export async function addTiers(ledger: Ledger): Promise<void> {
  for (const tier of tiers) {
    await ledger.clone.query(
      `INSERT INTO subscription_tiers (code, name, position, monthly_credits_micro, max_concurrent_runs, sandbox_cpu_millis,
         sandbox_memory_mb, sandbox_disk_mb, sandbox_seconds, rollover_min_micro, rollover_max_micro, overdraft_limit_micro)
       VALUES ($1, $1, $2, $3, $4, 1, 1, 1, 1, $5, $6, $7)`,
      [
        ...[tier.code, tier.position, tier.monthly, tier.concurrent],
        ...[tier.rolloverMin, tier.rolloverMax, tier.overdraft],
      ],
    );
  }
  await ledger.clone.query('CREATE INDEX ON event_outbox (user_id)');
}

/** A new account on a tier of the model, whose first grant is all that ever happened to it. */
export async function openWorld(ledger: Ledger, tier: string): Promise<World> {
  const user = randomUUID();
  await ledger.clone.query(
    `INSERT INTO credit_balances (user_id, overdraft_limit_micro) SELECT $1, overdraft_limit_micro FROM subscription_tiers WHERE code = $2`,
    [user, tier],
  );
  await ledger.clone.query(
    `WITH t AS (SELECT clock_timestamp() AS now), s AS (
       INSERT INTO user_subscriptions (user_id, tier_code, anchor_at, current_period_start, current_period_end, tier_effective_from)
       SELECT $1, $2, now, p.period_start, p.period_end, now FROM t, sb.billing_period(now, 'UTC', now) p
       RETURNING *)
     SELECT sb.add_grant($1, 'monthly', sb.iso_time(s.current_period_start), tier.monthly_credits_micro, 'period', 50,
                         s.current_period_end, s.current_period_start)
     FROM s JOIN subscription_tiers tier ON tier.code = s.tier_code WHERE tier.monthly_credits_micro > 0`,
    [user, tier],
  );
  const runs = Array.from({ length: 5 }, () => randomUUID());
  const steps = runs.map(() => Array.from({ length: 5 }, () => randomUUID()));
  return { ledger, user, model: createModel(tiers, tier), runs, steps, entries: new Map() };
}

/** The status of a call, or the SQLSTATE it failed with. */
const statusOf = (call: Promise<{ status: string }>): Promise<string> =>
  call.then(
    ({ status }) => status,
    (thrown: unknown) => (thrown instanceof Error && 'code' in thrown ? String(thrown.code) : String(thrown)),
  );
/** What the model expects, and what the ledger does when it is asked. */
interface Step {
  readonly expected: unknown;
  readonly actual: Promise<unknown>;
}
const nothing: Step = { expected: null, actual: Promise.resolve(null) };
const stepKey = (world: World, slot: number, step: number): string => `step:${world.steps[slot]?.[step]}`;
const holdIn = (world: World, slot: number): ModelHold | undefined =>
  world.model.holds.find(({ run }) => run === world.runs[slot]);
const costOf = (operation: string, quantity: number): bigint =>
  (unitCost[operation] ?? 0n) * BigInt(quantity);

function consume(world: World, hold: ModelHold, command: Command & { name: 'consume' }): Step {
  const { slot, step: index, operation, quantity } = command;
  const step = world.steps[slot]?.[index] ?? '';
  const key = stepKey(world, slot, index);
  const cost = costOf(operation, quantity);
  const statuses = world.model.consume([{ hold, key, step, cost, what: `${operation} ${quantity}` }]);
  const call = world.ledger.consume(hold.id, { key, step, operation, quantity });
  const actual = statusOf(call).then(async (status) => {
    if (status !== 'CR409') world.entries.set(key, (await call).transaction_id);
    return status;
  });
  return { expected: statuses === 'CR409' ? statuses : statuses.get(hold), actual };
}

function usage(world: World, { lines }: Command & { name: 'usage' }): Step {
  const known = lines.flatMap((line) => {
    const hold = holdIn(world, line.slot);
    return hold ? [{ ...line, hold, key: stepKey(world, line.slot, line.step) }] : [];
  });
  if (known.length === 0) return nothing;
  const statuses = world.model.consume(
    known.map(({ hold, key, slot, step, operation, quantity }) => ({
      ...{ hold, key, step: world.steps[slot]?.[step] ?? '', what: `${operation} ${quantity}` },
      cost: costOf(operation, quantity),
    })),
  );
  const items = known.map(({ hold, key, slot, step, operation, quantity }) => ({
    ...usageItem(hold.run, world.steps[slot]?.[step] ?? '', quantity, operation),
    key,
  }));
  const rooms = world.ledger.usage(items);
  const actual = rooms.then(
    (rows) => {
      const fresh = (id: string) => known.find(({ hold }) => hold.id === id)?.hold;
      const compared = rows.flatMap(({ reservation_id, status }) => {
        const hold = fresh(reservation_id);
        const told = hold && statuses !== 'CR409' ? statuses.get(hold) : undefined;
        return told === undefined || told === 'replayed' ? [] : [`${reservation_id} ${status}`];
      });
      return compared.sort().join();
    },
    (thrown: unknown) => (thrown instanceof Error && 'code' in thrown ? String(thrown.code) : String(thrown)),
  );
  if (statuses === 'CR409') return { expected: statuses, actual };
  const told = [...statuses].flatMap(([hold, status]) =>
    status === 'replayed' ? [] : [`${hold.id} ${status}`],
  );
  return { expected: told.sort().join(), actual };
}

function onHold(world: World, hold: ModelHold, command: Command): Step {
  const { model, ledger } = world;
  switch (command.name) {
    case 'consume':
      return consume(world, hold, command);
    case 'extend': {
      const key = `extend:${command.key}`;
      const { amount } = command;
      return {
        expected: model.extend(hold, key, amount),
        actual: statusOf(ledger.extend(hold.id, amount, key)),
      };
    }
    case 'release': {
      const key = `release:${command.key}`;
      return { expected: model.release(hold, key), actual: statusOf(ledger.release(hold.id, key)) };
    }
    case 'close': {
      const first = world.steps[command.slot]?.slice(0, command.steps) ?? [];
      const steps = command.named ? first : command.steps;
      return {
        expected: model.closeRun(hold, steps),
        actual: statusOf(ledger.closeRun(hold.run, steps)),
      };
    }
    case 'lapse': {
      const active = hold.state === 'active';
      model.lapse(hold);
      return {
        expected: null,
        actual: active ? ledger.lapse(hold.id).then(() => null) : Promise.resolve(null),
      };
    }
    case 'heartbeat':
      return { expected: [model.heartbeat(hold)], actual: ledger.heartbeat(hold.id) };
    default:
      return nothing;
  }
}

function giveOrTake(world: World, command: Command): Step {
  const { model, ledger, user } = world;
  switch (command.name) {
    case 'adjust': {
      const key = `adjust:${command.key}`;
      const amount = credits(command.amount);
      return { expected: model.adjust(key, amount), actual: statusOf(ledger.adjust(user, amount, { key })) };
    }
    case 'grant': {
      const { source, amount, expires } = command;
      const key = `grant:${command.key}`;
      const expected = model.grant(key, source, amount, expires ? 1.5 : null);
      const granted = ledger.one(sql<{ status: string }>`
        SELECT g.status FROM user_subscriptions s, grant_credits(s.user_id, ${source}, ${amount}::bigint, ${key}, 'test',
          CASE WHEN ${expires}::boolean THEN s.current_period_end + interval '10 days' END) g WHERE s.user_id = ${user}`);
      return { expected, actual: statusOf(granted) };
    }
    case 'refund': {
      const usageKey = stepKey(world, command.slot, command.step);
      const reverses = world.entries.get(usageKey);
      if (!reverses) return nothing;
      const key = `refund:${usageKey}:${command.amount}`;
      return {
        expected: model.refund(key, usageKey, command.amount),
        actual: statusOf(ledger.adjust(user, command.amount, { key, reverses })),
      };
    }
    default:
      return nothing;
  }
}

function onAccount(world: World, command: Command): Step {
  const { model, ledger, user } = world;
  switch (command.name) {
    case 'usage':
      return usage(world, command);
    case 'sweep':
      model.sweep();
      return { expected: null, actual: ledger.sweep().then(() => null) };
    case 'tier': {
      const key = `tier:${command.key}`;
      return {
        expected: model.changeTier(key, command.tier),
        actual: statusOf(ledger.changeTier(user, command.tier, key)),
      };
    }
    case 'renew':
      return { expected: model.renew(command.missed), actual: ledger.renew(user, command.missed) };
    case 'check': {
      const { operation, quantity } = command;
      const cost = costOf(operation, quantity);
      return { expected: { ...model.check(cost), cost }, actual: ledger.check(user, operation, quantity) };
    }
    default:
      return giveOrTake(world, command);
  }
}

/** Asks both worlds the same. The model answers at once; the answer of the ledger may be waited for. */
export function ask(world: World, command: Command): Step {
  if (command.name === 'reserve') {
    const { amount, minimum, budget, slot } = command;
    const run = world.runs[slot] ?? '';
    const key = `run:${run}`;
    return {
      expected: world.model.reserve(key, { run, requested: amount, minimum, budget }),
      actual: statusOf(world.ledger.reserve(world.user, { run, key, amount, minimum, budget })),
    };
  }
  if (!('slot' in command) || command.name === 'refund') return onAccount(world, command);
  const hold = holdIn(world, command.slot);
  // In the midst of others its id may not be known yet.
  return hold?.id ? onHold(world, hold, command) : nothing;
}
