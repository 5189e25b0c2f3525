import { styleText } from 'node:util';

/** One line of a benchmark: ours beside a baseline, measured in the same run. */
export interface Figure {
  readonly name: string;
  readonly unit: string;
  /** Medians. The baseline is null for a figure that has none. */
  readonly ours: number;
  readonly baseline: number | null;
  /** How many times better than the baseline: above 1 we win, whichever way better lies. Median of the pairs. */
  readonly ratio: number | null;
  /** The smallest and the largest ratio among the pairs: how far to trust the median. */
  readonly spread: readonly [number, number] | null;
  /** The ratio aimed at; for a figure without baseline, the value. */
  readonly goal: number | null;
  readonly met: boolean | null;
}

/** Which way better lies: steps a second are better when higher, milliseconds when lower. */
export type Better = 'higher' | 'lower';

export interface Measurement {
  readonly name: string;
  readonly unit: string;
  readonly better: Better;
  readonly goal: number | null;
}

/** One measurement of both sides, taken one right after the other. */
export interface Pair {
  readonly ours: number;
  readonly baseline: number;
}

/**
 * Measures both sides in turns and lets them change places each time, so that a machine that grows warm or busy
 * weighs on both alike.
 * @param pairs how many of them, at least 1
 */
export async function measurePairs<T>(
  pairs: number,
  ours: () => Promise<T>,
  baseline: () => Promise<T>,
): Promise<{ readonly ours: T; readonly baseline: T }[]> {
  const measured: { ours: T; baseline: T }[] = [];
  for (let index = 0; index < pairs; index += 1) {
    if (index % 2 === 0) {
      const first = await ours();
      measured.push({ ours: first, baseline: await baseline() });
    } else {
      const first = await baseline();
      measured.push({ ours: await ours(), baseline: first });
    }
  }
  return measured;
}

/**
 * The figure of pairs that were measured together. The ratio is the median of the pairs' ratios, not the ratio of
 * the medians: what disturbs the machine for a while disturbs both sides of a pair.
 * @throws RangeError without pairs, or with a value that is not positive
 */
export function compare(measurement: Measurement, pairs: readonly Pair[]): Figure {
  const ratios = pairs.map((pair) => {
    if (!(pair.ours > 0 && pair.baseline > 0)) {
      throw new RangeError(`${measurement.name}: measured ${pair.ours} beside ${pair.baseline}`);
    }
    return measurement.better === 'higher' ? pair.ours / pair.baseline : pair.baseline / pair.ours;
  });
  const ratio = median(ratios);
  return {
    name: measurement.name,
    unit: measurement.unit,
    ours: median(pairs.map(({ ours }) => ours)),
    baseline: median(pairs.map(({ baseline }) => baseline)),
    ratio,
    spread: [Math.min(...ratios), Math.max(...ratios)],
    goal: measurement.goal,
    met: measurement.goal === null ? null : ratio >= measurement.goal,
  };
}

/**
 * A figure that stands alone: the median of our measurements.
 * @throws RangeError without values
 */
export function alone(measurement: Measurement, values: readonly number[]): Figure {
  const ours = median(values);
  const { goal, better } = measurement;
  return {
    name: measurement.name,
    unit: measurement.unit,
    ours,
    baseline: null,
    ratio: null,
    spread: null,
    goal,
    met: goal === null ? null : better === 'higher' ? ours >= goal : ours <= goal,
  };
}

/** @throws RangeError for no values */
export function median(values: readonly number[]): number {
  return quantile(values, 0.5);
}

/**
 * The value below which the given share of the values lies, interpolated between neighbours.
 * @param share from 0 to 1
 * @throws RangeError for no values
 */
export function quantile(values: readonly number[], share: number): number {
  if (values.length === 0) throw new RangeError('no values were measured');
  const sorted = values.toSorted((a, b) => a - b);
  const place = share * (sorted.length - 1);
  const low = sorted[Math.floor(place)] ?? Number.NaN;
  const high = sorted[Math.ceil(place)] ?? Number.NaN;
  return low + (high - low) * (place - Math.floor(place));
}

/** The figures as a table for people. */
export function table(figures: readonly Figure[]): string {
  const rows = figures.map((figure) => [
    figure.name,
    `${show(figure.ours)} ${figure.unit}`,
    figure.baseline === null ? '' : `${show(figure.baseline)} ${figure.unit}`,
    figure.ratio === null ? '' : `${figure.ratio.toFixed(2)} ×`,
    figure.spread === null ? '' : figure.spread.map((ratio) => ratio.toFixed(2)).join(' – '),
    figure.goal === null ? '' : `${show(figure.goal)}${figure.ratio === null ? ` ${figure.unit}` : ' ×'}`,
    figure.met === null ? '' : figure.met ? 'met' : 'missed',
  ]);
  const all = [['', 'ours', 'baseline', 'ratio', 'spread', 'goal', ''], ...rows];
  const widths = (all[0] ?? []).map((_, column) => Math.max(...all.map((row) => row[column]?.length ?? 0)));
  return all
    .map((row, index) => {
      const line = row.map((cell, column) =>
        column === 0 ? cell.padEnd(widths[0] ?? 0) : cell.padStart(widths[column] ?? 0),
      );
      const text = line.join('   ').trimEnd();
      return index === 0 ? styleText('bold', text) : text;
    })
    .join('\n');
}

function show(value: number): string {
  return value >= 100 ? value.toFixed(0) : value.toPrecision(3);
}

/** The last line that a benchmark prints, for programs. */
export function jsonLine(bench: string, figures: readonly Figure[]): string {
  const fields = figures.map(({ name, ours, baseline, ratio, goal, met, unit, spread }) => ({
    ...{ name, ours, baseline, ratio, goal, met },
    ...{ unit, spread },
  }));
  return JSON.stringify({ bench, figures: fields });
}
