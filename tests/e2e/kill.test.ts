import { randomUUID } from 'node:crypto';
import type { ServiceName } from '@swissbrain/shared-schema/ids';
import { waitFor } from '@swissbrain/testkit/wait';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { auditRun, waitUntilSettled } from './run-audit.ts';
import { demoRun, type ServerName, startWholeStack, type WholeStack } from './whole-stack.ts';

/** A moment of the demo's life: the nth event of a type is in the outbox. */
interface Point {
  readonly type: string;
  readonly nth: number;
}

const points: readonly Point[] = [
  { type: 'run.requested', nth: 1 },
  { type: 'credits.reserved', nth: 1 },
  { type: 'run.started', nth: 1 },
  { type: 'step.started', nth: 1 },
  { type: 'step.completed', nth: 1 },
  { type: 'step.started', nth: 2 },
  { type: 'step.started', nth: 3 },
  { type: 'run.completed', nth: 1 },
];
const inThePath: readonly (ServiceName | ServerName)[] = ['agent-runner', 'credits', 'nats', 'redis'];
const besideIt: readonly ServiceName[] = ['connectors', 'wide-research', 'scheduler', 'collab'];

/** One run: who is killed in it, and when. */
type Kills = readonly (readonly [ServiceName | ServerName, Point])[];

/**
 * Every victim at every point in the full sweep. The sample kills what is in the run's path twice, at points that
 * differ from the neighbour's, and what stands beside it all in one run.
 */
function cases(): readonly Kills[] {
  if (process.env.SWISSBRAIN_FULL) {
    return [...inThePath, ...besideIt].flatMap((victim) => points.map((point) => [[victim, point]] as const));
  }
  const at = (index: number): Point => points[index % points.length] ?? { type: 'step.started', nth: 1 };
  return [
    ...inThePath.flatMap(
      (victim, index) => [[[victim, at(3 + index * 2)]], [[victim, at(index * 2)]]] as const,
    ),
    besideIt.map((victim, index) => [victim, at(2 + index)] as const),
  ];
}

const nameOf = (kills: Kills): string =>
  kills.map(([victim, { type, nth }]) => `${victim} at ${type} ${nth}`).join(', ');

describe('kill -9 in the middle of a run', () => {
  let stack: WholeStack;
  beforeAll(async () => {
    // Leases are short so that what was killed is taken over soon; the product's default is 15 s.
    stack = await startWholeStack({ RUN_LEASE_SECONDS: '3', LOG_LEVEL: 'info' });
  });
  afterAll(async () => {
    await stack?.[Symbol.asyncDispose]();
  });

  it.each(cases().map((kills) => [nameOf(kills), kills] as const))('%s', async (_name, kills) => {
    const client = stack.clientOf(randomUUID());
    const run = await client.runs.create(await demoRun());
    for (const [victim, { type, nth }] of kills) {
      await waitFor(
        async () => {
          const rows = await stack.query(
            'select 1 from public.event_outbox where root_id = $1 and type = $2 limit $3',
            [run.id, type, nth],
          );
          return rows.length >= nth;
        },
        { describe: `${type} number ${nth}`, timeoutMs: 60_000 },
      );
      stack.kill(victim);
    }

    await waitUntilSettled(stack, run.id);
    await auditRun(stack, run.id);
    const ended = await waitFor(() => client.runs.get(run.id), { describe: 'the API to answer again' });
    expect(ended.status).toBe('completed');
    expect((await client.runs.artifacts(run.id)).map(({ name }) => name)).toEqual(
      expect.arrayContaining(['monthly.json', 'chart.svg', 'report.md']),
    );
  });
});
