import { Registry } from '@swissbrain/service-kit/metrics';
import { describe, expect, it } from 'vitest';
import type { SandboxSession } from './driver.ts';
import { createSessionPhases } from './kubernetes-phases.ts';

/** Phases with a clock that is moved by hand, in milliseconds. */
function phasesAt() {
  const metrics = new Registry();
  let nowMs = 0;
  const phases = createSessionPhases(metrics, () => nowMs);
  /** Sum and count of each phase, as `start phase: seconds × count`. */
  const observed = async () => {
    const histogram = await metrics.getSingleMetric('sandbox_phase_seconds')?.get();
    const values = histogram?.values ?? [];
    const of = (suffix: string, labels: object) =>
      values.find(
        (one) =>
          'metricName' in one &&
          `${one.metricName}`.endsWith(suffix) &&
          JSON.stringify(one.labels) === JSON.stringify(labels),
      )?.value;
    const sums = values.filter((one) => 'metricName' in one && `${one.metricName}`.endsWith('_sum'));
    return sums.map(
      ({ labels, value }) => `${labels.start} ${labels.phase}: ${value} × ${of('_count', labels)}`,
    );
  };
  const pass = (ms: number) => {
    nowMs += ms;
  };
  return { phases, pass, observed };
}

/** A session that gives these pieces of output, each after the clock was moved. */
function sessionOf(outputs: readonly string[], before: () => void): SandboxSession {
  const execute: SandboxSession['execute'] = async (_request, onOutput) => {
    for (const text of outputs) {
      before();
      await onOutput({ stream: 'stdout', data: Buffer.from(text), nextOffset: 0 });
    }
    return {} as never;
  };
  return { name: 'session', execute } as SandboxSession;
}
const program = { executionId: 'x', language: 'javascript', code: '' } as const;

describe('the phases of a session', () => {
  it('are counted from the first time that it was asked for, up to its end', async () => {
    const { phases, pass, observed } = phasesAt();
    phases.clockOf('a');
    pass(1_000);
    const clock = phases.clockOf('a');
    pass(500);
    clock.reached('queued', 1_250);
    for (const phase of ['created', 'scheduled', 'started', 'ready'] as const) {
      clock.reached(phase);
      pass(500);
    }
    clock.reached('ready');
    phases.done('a');
    phases.done('a');
    expect(await observed()).toEqual([
      'cold queued: 1.25 × 1',
      'cold created: 1.5 × 1',
      'cold scheduled: 2 × 1',
      'cold started: 2.5 × 1',
      'cold ready: 3 × 1',
      'cold done: 3.5 × 1',
    ]);
  });

  it('end with the first byte of the first execution; what passes before it begins is nobody’s wait', async () => {
    const { phases, pass, observed } = phasesAt();
    const clock = phases.clockOf('a');
    pass(250);
    clock.reached('bound');
    clock.reached('ready');
    const session = clock.watched(sessionOf(['a', 'b'], () => pass(500)));
    pass(60_000);
    const heard: string[] = [];
    const hear = ({ data }: { data: Uint8Array }) => void heard.push(Buffer.from(data).toString());
    await session.execute(program, hear);
    await session.execute(program, hear);
    expect(heard).toEqual(['a', 'b', 'a', 'b']);
    expect(await observed()).toEqual([
      'warm bound: 0.25 × 1',
      'warm ready: 0.25 × 1',
      'warm first_byte: 0.75 × 1',
    ]);
  });

  it('of a session that another process has started are not known', async () => {
    const { phases, pass, observed } = phasesAt();
    const clock = phases.clockOf('a');
    clock.reached('ready');
    await clock.watched(sessionOf(['a'], () => pass(1))).execute(program, () => undefined);
    phases.done('a');
    expect(await observed()).toEqual([]);
  });

  it('of one that did not start and of the next try are one wait', async () => {
    const { phases, pass, observed } = phasesAt();
    for (const waitedMs of [0, 1_000]) {
      const clock = phases.clockOf('a');
      pass(waitedMs);
      clock.reached('queued');
      clock.reached('created');
    }
    // Given up: there was no session that could end.
    phases.done('a');
    expect(await observed()).toEqual(['cold queued: 1 × 2', 'cold created: 1 × 2']);
  });

  it('are forgotten where the end is not seen here', async () => {
    const { phases, pass, observed } = phasesAt();
    const clock = phases.clockOf('a');
    clock.reached('bound');
    clock.reached('ready');
    pass(10_000);
    phases.forgetOlderThan(10_000);
    phases.clockOf('b').reached('bound');
    pass(1);
    phases.forgetOlderThan(10_000);
    phases.done('a');
    expect(await observed()).toEqual(['warm bound: 0 × 2', 'warm ready: 0 × 1']);
  });
});
