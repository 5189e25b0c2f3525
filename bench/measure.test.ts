import { describe, expect, test } from 'vitest';
import { alone, compare, jsonLine, measurePairs, median, quantile, table } from './measure.ts';

const throughput = { name: 'steps', unit: '/s', better: 'higher', goal: 1 } as const;
const latency = { name: 'step p50', unit: 'ms', better: 'lower', goal: 1.5 } as const;

describe('the ratio', () => {
  test('is the median of the pairs, and not moved by one disturbed pair', () => {
    const figure = compare(throughput, [
      { ours: 200, baseline: 100 },
      { ours: 20, baseline: 10 },
      { ours: 300, baseline: 100 },
    ]);
    expect(figure).toMatchObject({ ours: 200, baseline: 100, ratio: 2, spread: [2, 3], met: true });
  });

  test('is above one when we win, also where lower is better', () => {
    expect(compare(latency, [{ ours: 10, baseline: 20 }])).toMatchObject({ ratio: 2, met: true });
    expect(compare(latency, [{ ours: 10, baseline: 14 }])).toMatchObject({ ratio: 1.4, met: false });
  });

  test('meets its goal exactly at it, and has none without one', () => {
    expect(compare(throughput, [{ ours: 1, baseline: 1 }]).met).toBe(true);
    expect(compare({ ...throughput, goal: null }, [{ ours: 1, baseline: 2 }]).met).toBeNull();
  });

  test.each([0, -1, Number.NaN])('is not made of %d', (value) => {
    expect(() => compare(throughput, [{ ours: value, baseline: 1 }])).toThrow(RangeError);
    expect(() => compare(throughput, [{ ours: 1, baseline: value }])).toThrow(RangeError);
  });

  test('is not made of nothing', () => expect(() => compare(throughput, [])).toThrow(RangeError));
});

test('a figure without baseline is measured by its own value', () => {
  expect(alone({ ...latency, goal: 20 }, [10, 30, 15])).toMatchObject({ ours: 15, ratio: null, met: true });
  expect(alone({ ...throughput, goal: 20 }, [10, 30, 15])).toMatchObject({ ours: 15, met: false });
});

test('both sides are measured in turns and change places', async () => {
  const order: string[] = [];
  const side = (name: string) => async () => {
    order.push(name);
    return order.length;
  };
  const pairs = await measurePairs(3, side('ours'), side('baseline'));
  expect(order).toEqual(['ours', 'baseline', 'baseline', 'ours', 'ours', 'baseline']);
  expect(pairs).toEqual([
    { ours: 1, baseline: 2 },
    { ours: 4, baseline: 3 },
    { ours: 5, baseline: 6 },
  ]);
});

test('medians and quantiles', () => {
  expect(median([3, 1, 2])).toBe(2);
  expect(median([4, 1, 2, 3])).toBe(2.5);
  expect(quantile([0, 10, 20, 30, 40], 0.99)).toBeCloseTo(39.6);
  expect(quantile([7], 0.99)).toBe(7);
  expect(() => median([])).toThrow(RangeError);
});

test('the last line is JSON with the agreed fields', () => {
  const line = jsonLine('run-overhead', [compare(throughput, [{ ours: 2, baseline: 1 }])]);
  expect(line).not.toContain('\n');
  const { bench, figures } = JSON.parse(line);
  expect(bench).toBe('run-overhead');
  expect(figures[0]).toMatchObject({ name: 'steps', ours: 2, baseline: 1, ratio: 2, goal: 1, met: true });
});

test('the table has a line per figure', () => {
  const lines = table([compare(throughput, [{ ours: 2000, baseline: 700 }]), alone(latency, [1.23])]).split(
    '\n',
  );
  expect(lines).toHaveLength(3);
  expect(lines[1]).toMatch(/^steps +2000 \/s +700 \/s +2\.86 × +2\.86 – 2\.86 +1\.00 × +met$/);
  expect(lines[2]).toMatch(/^step p50 +1\.23 ms +1\.50 ms +met$/);
});
