import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { createBudget, setAside, settleStep, shortfall } from './budget.ts';
import { type Price, priceUsage, sumUsage } from './usage.ts';

const price = (operation: string, priceMicro: bigint, perQuantity: bigint): [string, Price] => [
  operation,
  { operation, priceMicro, perQuantity },
];
const prices = new Map([
  price('code.execution', 100_000n, 1_000n),
  price('llm.default.input', 300_000n, 1_000n),
]);

describe('priceUsage', () => {
  it('rounds each line up', () => {
    expect(priceUsage([{ operation: 'code.execution', quantity: '1' }], prices)).toBe(100n);
    expect(priceUsage([{ operation: 'llm.default.input', quantity: '1' }], prices)).toBe(300n);
    const third = new Map([price('x', 1n, 3n)]);
    expect(
      priceUsage(
        [
          { operation: 'x', quantity: '1' },
          { operation: 'x', quantity: '4' },
        ],
        third,
      ),
    ).toBe(3n);
  });

  it('prices a model without a price of its own as the default one', () => {
    expect(priceUsage([{ operation: 'llm.some-model.input', quantity: '1000' }], prices)).toBe(300_000n);
    expect(priceUsage([{ operation: 'unknown', quantity: '1000' }], prices)).toBe(0n);
  });
});

describe('sumUsage', () => {
  it('keeps the total of each operation', () => {
    const line = fc.record({ operation: fc.constantFrom('a', 'b', 'c'), quantity: fc.nat().map(String) });
    fc.assert(
      fc.property(fc.array(line), (lines) => {
        for (const { operation, quantity } of sumUsage(lines)) {
          const own = lines.filter((given) => given.operation === operation);
          expect(BigInt(quantity)).toBe(own.reduce((sum, given) => sum + BigInt(given.quantity), 0n));
        }
      }),
    );
  });
});

describe('budget', () => {
  it('never lets what is spent exceed the hold while no step exceeds its worst case', () => {
    const step = fc.record({ worst: fc.nat(1_000), share: fc.integer({ min: 0, max: 100 }) });
    fc.assert(
      fc.property(fc.array(step), fc.nat(100_000_000), (given, hold) => {
        const budget = createBudget(prices, BigInt(hold), 0n);
        for (const { worst, share } of given) {
          const worstCase = [{ operation: 'code.execution', quantity: String(worst) }];
          if (shortfall(budget, priceUsage(worstCase, prices)) > 0n) continue;
          const reserved = setAside(budget, worstCase);
          const used = [{ operation: 'code.execution', quantity: String(Math.floor((worst * share) / 100)) }];
          settleStep(budget, reserved, used);
          expect(budget.reserved).toBe(0n);
          expect(budget.spent).toBeLessThanOrEqual(budget.held);
        }
      }),
    );
  });
});
