import { operations } from '@swissbrain/shared-schema/operations';
import fc from 'fast-check';
import type { ModelTier } from './account-model.ts';
import { credits } from './ledger-fixture.ts';

interface Line {
  readonly slot: number;
  readonly step: number;
  readonly operation: string;
  readonly quantity: number;
}
/** What a client may ask of the ledger. Slots are runs. */
export type Command =
  | { name: 'reserve'; slot: number; amount: bigint; minimum: bigint; budget: bigint | null }
  | ({ name: 'consume' } & Line)
  | { name: 'usage'; lines: readonly Line[] }
  | { name: 'extend'; slot: number; amount: bigint; key: number }
  | { name: 'release'; slot: number; key: number }
  | { name: 'close'; slot: number; steps: number; named: boolean }
  | { name: 'lapse'; slot: number }
  | { name: 'heartbeat'; slot: number }
  | { name: 'sweep' }
  | { name: 'adjust'; amount: number; key: number }
  | { name: 'grant'; source: 'top_up' | 'trial' | 'promo'; amount: bigint; expires: boolean; key: number }
  | { name: 'refund'; slot: number; step: number; amount: bigint }
  | { name: 'tier'; tier: string; key: number }
  | { name: 'renew'; missed: number }
  | { name: 'check'; operation: string; quantity: number };

/** So little that runs meet balance, overdraft limit, concurrency and rollover. */
export const tiers: readonly ModelTier[] = [
  { code: 'small', monthly: 25, concurrent: 2, overdraft: 5, rolloverMin: 0, rolloverMax: 0 },
  { code: 'middle', monthly: 40, concurrent: 3, overdraft: 8, rolloverMin: 4, rolloverMax: 15 },
  { code: 'large', monthly: 70, concurrent: 5, overdraft: 12, rolloverMin: 0, rolloverMax: 30 },
  { code: 'endless', monthly: null, concurrent: null, overdraft: null, rolloverMin: 0, rolloverMax: 0 },
].map(({ monthly, overdraft, rolloverMin, rolloverMax, ...tier }, index) => ({
  ...tier,
  position: 11 + index,
  monthly: monthly === null ? null : credits(monthly),
  overdraft: overdraft === null ? null : credits(overdraft),
  rolloverMin: credits(rolloverMin),
  rolloverMax: credits(rolloverMax),
}));

/** Micro-credits of one unit. */
export const unitCost: Readonly<Record<string, bigint>> = {
  [operations.webSearch]: credits(1),
  [operations.imageGeneration]: credits(10),
  [operations.fileOperation]: 0n,
};

const small = fc.integer({ min: 1, max: 12 }).map((amount) => credits(amount));
/** Few values, so that commands meet: the same run, step or key comes again. */
const slot = fc.nat({ max: 4 });
const step = fc.nat({ max: 4 });
const work = {
  operation: fc.constantFrom(operations.webSearch, operations.imageGeneration, operations.fileOperation),
  quantity: fc.integer({ min: 1, max: 5 }),
};
const line = fc.record({ slot, step, ...work });
const named = <T extends Record<string, fc.Arbitrary<unknown>>>(name: string, fields: T) =>
  fc.record({ name: fc.constant(name), ...fields });
const weighted: readonly [number, fc.Arbitrary<unknown>][] = [
  [
    8,
    named('reserve', {
      slot,
      amount: small,
      minimum: fc.nat({ max: 6 }).map((amount) => credits(amount)),
      budget: fc.option(small),
    }),
  ],
  [8, named('consume', { slot, step, ...work })],
  [3, named('usage', { lines: fc.array(line, { minLength: 1, maxLength: 6 }) })],
  [2, named('extend', { slot, amount: small, key: slot })],
  [2, named('release', { slot, key: slot })],
  [3, named('close', { slot, steps: fc.nat({ max: 3 }), named: fc.boolean() })],
  [2, named('lapse', { slot })],
  [1, named('heartbeat', { slot })],
  [1, named('sweep', {})],
  [2, named('adjust', { amount: fc.integer({ min: -15, max: 30 }).filter((n) => n !== 0), key: slot })],
  [
    2,
    named('grant', {
      source: fc.constantFrom('top_up', 'trial', 'promo'),
      amount: small,
      expires: fc.boolean(),
      key: slot,
    }),
  ],
  [2, named('refund', { slot, step, amount: small })],
  [1, named('tier', { tier: fc.constantFrom(...tiers.map(({ code }) => code)), key: slot })],
  [1, named('renew', { missed: fc.constantFrom(0, 0, 0, 2) })],
  [1, named('check', work)],
];

/** Any command. */
export const anyCommand = fc.oneof(
  ...weighted.map(([weight, arbitrary]) => ({ weight, arbitrary })),
) as fc.Arbitrary<Command>;

/** A command as a failing test shows it. */
export const shown = (command: Command): string =>
  JSON.stringify(command, (_, value) => (typeof value === 'bigint' ? `${value}` : value));
