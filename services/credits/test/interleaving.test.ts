import fc from 'fast-check';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { expectNoDrift, type Ledger, openLedger } from './ledger-fixture.ts';
import { type Snapshot, snapshotOf } from './ledger-invariants.ts';
import { anyCommand, type Command, shown, tiers } from './model-commands.ts';
import { addTiers, ask, openWorld, type World } from './model-world.ts';

/** Commands that reach the same accounts through many connections at once; no model can say in which order. */
const histories = process.env.SWISSBRAIN_FULL === '1' ? 60 : 6;
const commandsPerHistory = 250;
const accounts = 3;

let ledger: Ledger;
beforeAll(async () => {
  ledger = await openLedger({ connections: 16 });
  await addTiers(ledger);
});
afterAll(() => ledger?.close());

/** What the ledger may refuse, and what else it may answer. A deadlock or a violated constraint is not among it. */
const refusals = new Set(['CR404', 'CR409', '22003']);
const answers = new Set([
  ...refusals,
  ...['reserved', 'replayed', 'insufficient', 'concurrency_limit', 'consumed', 'extended', 'debt', 'late'],
  ...[
    'closed',
    'settled',
    'already_expired',
    'denied',
    'incomplete',
    'adjusted',
    'granted',
    'exceeds_original',
  ],
  ...['upgraded', 'scheduled', 'unchanged', ''],
]);
/** The answer to a batch: reservations with their statuses. */
const ofBatch = /^[0-9a-f-]{36} /;

/** The places of the model are good for one thing here: which reservation a run has. */
async function learnIds(world: World, snapshot: Snapshot): Promise<void> {
  for (const [index, run] of world.runs.entries()) {
    const id = snapshot.ids[run];
    if (id === undefined) continue;
    const known = world.model.holds.find((hold) => hold.run === run);
    if (known) known.id = id;
    else throw new Error(`run ${index} was reserved behind the model's back`);
  }
}

/** One client after the other takes the next command; after each it looks at the account in one snapshot. */
async function client(worlds: readonly World[], queue: Command[], last: Map<World, Snapshot>): Promise<void> {
  for (let command = queue.pop(); command !== undefined; command = queue.pop()) {
    const world = worlds[queue.length % worlds.length];
    if (world === undefined) throw new Error('no account');
    const before = last.get(world);
    const { actual } = ask(world, command);
    const answer = await actual.catch((thrown: unknown) => {
      const code = thrown instanceof Error && 'code' in thrown ? String(thrown.code) : '';
      if (!refusals.has(code)) throw thrown;
      return code;
    });
    if (typeof answer === 'string' && !ofBatch.test(answer)) {
      expect([...answers], `${shown(command)}: ${answer}`).toContain(answer);
    }
    const now = await snapshotOf(ledger, world.user);
    await learnIds(world, now);
    expect(now.violated, shown(command)).toEqual([]);
    // I6: another client may have looked later, but never before what this one knew.
    if (before) {
      expect(now.seq >= before.seq && now.credited >= before.credited && now.debited >= before.debited).toBe(
        true,
      );
    }
    if ((last.get(world)?.seq ?? -1n) <= now.seq) last.set(world, now);
  }
}

test(`${histories * commandsPerHistory} operations by 2 to 16 clients at once keep every invariant after each`, async () => {
  const history = fc.array(anyCommand, { minLength: commandsPerHistory, maxLength: commandsPerHistory });
  const tier = fc.constantFrom(...tiers.map(({ code }) => code));
  await fc.assert(
    fc.asyncProperty(tier, history, fc.integer({ min: 2, max: 16 }), async (on, commands, clients) => {
      const worlds = await Promise.all(Array.from({ length: accounts }, () => openWorld(ledger, on)));
      const queue = [...commands];
      const last = new Map<World, Snapshot>();
      const outcomes = await Promise.allSettled(
        Array.from({ length: clients }, () => client(worlds, queue, last)),
      );
      for (const outcome of outcomes) {
        if (outcome.status === 'rejected') throw outcome.reason;
      }
      await expectNoDrift(ledger, ...worlds.map(({ user }) => user));
    }),
    { numRuns: histories, endOnFailure: true },
  );
}, 1_800_000);
