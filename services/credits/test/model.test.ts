import { principalFor } from '@swissbrain/testkit/service-database';
import fc from 'fast-check';
import { sql } from 'kysely';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { type Ledger, openLedger } from './ledger-fixture.ts';
import { type Snapshot, snapshotOf } from './ledger-invariants.ts';
import { anyCommand, type Command, shown, tiers } from './model-commands.ts';
import { addTiers, ask, openWorld, type World } from './model-world.ts';

/** Histories go on side by side, each lane in a database of its own, since the sweep sees all accounts of one. */
const lanes = 4;
const commandsPerHistory = 50;
/** With the 1,500 of interleaving.test.ts 10,000; `LEDGER_MODEL_OPERATIONS=100000` asks for more. */
const usual = process.env.SWISSBRAIN_FULL === '1' ? 60_000 : 8_600;
const wanted = Number(process.env.LEDGER_MODEL_OPERATIONS ?? usual);
const historiesPerLane = Math.ceil(wanted / lanes / commandsPerHistory);

let ledgers: Ledger[] = [];
beforeAll(async () => {
  ledgers = await Promise.all(Array.from({ length: lanes }, () => openLedger({ connections: 2 })));
  await Promise.all(ledgers.map(addTiers));
});
afterAll(() => Promise.all(ledgers.map((ledger) => ledger.close())));

/** What the model says a snapshot must show. */
function expectedOf({ model }: World) {
  const { credited, debited, debt } = model.grants.totals;
  return {
    ...{ credited, debited, debt, reserved: model.money.reserved },
    holds: model.holds.map(({ run, state, held, consumed, released, late, writtenOff }) => [
      ...[run, state],
      ...[held, consumed, released, late, writtenOff].map(String),
    ]),
    grants: model.grants.all.map(({ remaining }) => String(remaining)),
    violated: [],
  };
}

async function settle(world: World, before: Snapshot, command: Command): Promise<Snapshot> {
  const { expected, actual } = ask(world, command);
  expect(await actual, shown(command)).toEqual(expected);
  const now = await snapshotOf(world.ledger, world.user);
  for (const hold of world.model.holds) hold.id = now.ids[hold.run] ?? '';
  const { ids: _, seq, ...visible } = now;
  expect(visible, shown(command)).toEqual(expectedOf(world));
  // I6
  expect(now.credited >= before.credited && now.debited >= before.debited && seq >= before.seq).toBe(true);
  return now;
}

/** Commands that carry a key: the same again must change nothing (I8). */
const keyed: ReadonlySet<string> = new Set([
  'reserve',
  'consume',
  'usage',
  'release',
  'grant',
  'refund',
  'tier',
]);

async function live(ledger: Ledger, tier: string, history: readonly Command[], ends: boolean): Promise<void> {
  const world = await openWorld(ledger, tier);
  let now = await snapshotOf(ledger, world.user);
  for (const [index, command] of history.entries()) {
    now = await settle(world, now, command);
    if (index % 4 === 0 && keyed.has(command.name)) {
      const { seq, credited, debited } = now;
      now = await settle(world, now, command);
      if (!('key' in command)) expect(now).toMatchObject({ seq, credited, debited });
    }
    if (index % 10 === 9) expect(await ledger.verify(world.user), shown(command)).toEqual([]);
  }
  if (ends) {
    await ledger.one(sql`SELECT close_account(${world.user})`);
    world.model.endAccount();
    const { ids: _, seq: __, ...visible } = await snapshotOf(ledger, world.user);
    expect(visible).toEqual(expectedOf(world));
  }
  expect(await ledger.verify(world.user)).toEqual([]);
  // I14: nobody else's rows are seen.
  const owners = await ledger.database.withUser(principalFor(world.user), async (tx) => {
    const { rows } = await sql<{ user_id: string }>`
      SELECT DISTINCT user_id FROM credit_transactions UNION SELECT user_id FROM credit_reservations
      UNION SELECT user_id FROM credit_grants UNION SELECT user_id FROM credit_balances`.execute(tx);
    return rows.map(({ user_id }) => user_id);
  });
  expect(owners).toEqual([world.user]);
}

test(`${wanted} random operations answer and leave what a model in memory says`, async () => {
  const history = fc.array(anyCommand, { minLength: commandsPerHistory, maxLength: commandsPerHistory });
  const tier = fc.constantFrom(...tiers.map(({ code }) => code));
  const seed = Number(process.env.LEDGER_MODEL_SEED ?? Math.floor(Math.random() * 2 ** 31));
  await Promise.all(
    ledgers.map((ledger, lane) =>
      fc.assert(
        fc.asyncProperty(tier, history, fc.boolean(), (on, commands, ends) =>
          live(ledger, on, commands, ends),
        ),
        { numRuns: historiesPerLane, seed: seed + lane, endOnFailure: process.env.SWISSBRAIN_FULL !== '1' },
      ),
    ),
  );
}, 3_600_000);
