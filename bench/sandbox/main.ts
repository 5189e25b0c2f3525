/**
 * What a sandbox on Kubernetes costs beside what the same cluster gives without it: the first byte of a new session beside
 * a bare Job, of a warm one beside a new one, a further step beside the program itself, and many sessions at once.
 * Needs the cluster of the tests (SWISSBRAIN_CLUSTER or KUBECONFIG). Arguments: pairs (10), how many at once (50; 0 leaves it out).
 */
import { join } from 'node:path';
import { z } from 'zod';
import { prepareCluster } from '../../scripts/cluster.ts';
import type { Benchmark } from '../benchmark.ts';
import { startLineProgram } from '../line-program.ts';
import { alone, compare, type Figure, type Measurement, measurePairs, median, table } from '../measure.ts';
import { type Answer, answer, type Request } from './request.ts';

const pairsArgument = z.coerce.number().int().min(1).max(200).default(10);
const atOnceArgument = z.coerce.number().int().min(0).max(500).default(50);
/** Programs of a few milliseconds are measured so many times for one value. */
const steps = 5;
const trips = 50;

type Measure = (what: Request['what'], count?: number) => Promise<Answer>;

/** The median of each phase, for people. */
function phasesOf(answers: readonly Answer[]): string {
  const names = [...new Set(answers.flatMap(({ phases }) => Object.keys(phases)))];
  const medians = names.map(
    (name) => [name, median(answers.flatMap(({ phases }) => phases[name] ?? []))] as const,
  );
  return medians
    .toSorted(([, a], [, b]) => a - b)
    .map(([name, ms]) => `${name} ${ms.toFixed(0)}`)
    .join(', ');
}

/** Runs the benchmark; `pnpm bench sandbox` calls it. */
export const run: Benchmark = async ({ root, dataDir, args, log }) => {
  const pairs = pairsArgument.parse(args[0]);
  const together = atOnceArgument.parse(args[1]);
  const access = await prepareCluster(log, false, ['sandbox-node']);
  if (access === null) throw new Error('there is no cluster: set SWISSBRAIN_CLUSTER or KUBECONFIG');
  // Tests that run beside this have their own.
  const environment = { ...access.env, HOME: dataDir, SWISSBRAIN_CLUSTER_RELEASE: 'sbbench' };
  const program = await startLineProgram(
    join(root, 'bench/sandbox/in-cluster.ts'),
    environment,
    access.prefix,
  );
  await using _ended = { [Symbol.asyncDispose]: () => program.stop() };
  const measure: Measure = async (what, count = 1) => answer.parse(await program.ask({ what, count }));
  const beside = async (
    measurement: Pick<Measurement, 'name' | 'goal'>,
    ours: () => Promise<Answer>,
    baseline: () => Promise<Answer>,
    times = pairs,
  ): Promise<Figure> => {
    const measured = await measurePairs(times, ours, baseline);
    for (const side of ['ours', 'baseline'] as const) {
      const phases = phasesOf(measured.map((pair) => pair[side]));
      if (phases !== '') log(`${measurement.name}, ${side}, ms from the request: ${phases}`);
    }
    const ms = measured.map((pair) => ({ ours: pair.ours.ms, baseline: pair.baseline.ms }));
    const figure = compare({ ...measurement, unit: 'ms', better: 'lower' }, ms);
    // It takes minutes, and whoever shares the cluster may take it down.
    log(table([figure]));
    return figure;
  };

  log('warming up');
  for (const what of ['cold', 'bare', 'leanest', 'warm', 'step', 'direct'] as const) await measure(what);
  const trip = await measure('round_trip', trips);
  const step = async (): Promise<Answer> => {
    const { ms, phases } = await measure('step', steps);
    return { ms: ms - trip.ms, phases };
  };
  log(`${pairs} pairs of each`);
  const figures = [
    await beside({ name: 'step less one round trip, beside the program itself', goal: 1 / 1.5 }, step, () =>
      measure('direct', steps),
    ),
    alone({ name: 'round trip to the runtime', unit: 'ms', better: 'lower', goal: null }, [trip.ms]),
    await beside(
      { name: 'first byte, cold, beside a bare Job', goal: 1 / 1.3 },
      () => measure('cold'),
      () => measure('bare'),
    ),
    await beside(
      { name: 'first byte, cold, beside a Job of a shell without a token', goal: null },
      () => measure('cold'),
      () => measure('leanest'),
    ),
    await beside(
      { name: 'first byte, warm, beside cold', goal: 1 / 0.3 },
      () => measure('warm'),
      () => measure('cold'),
    ),
  ];
  if (together === 0) return figures;
  log(`${together} at once`);
  const atOnce = await beside(
    { name: `first bytes of ${together} at once, beside bare Jobs`, goal: null },
    () => measure('cold_at_once', together),
    () => measure('bare_at_once', together),
    Math.ceil(pairs / 5),
  );
  return [...figures, atOnce];
};
