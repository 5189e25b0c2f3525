import { describe, expect, it } from 'vitest';
import { createStyle } from '../style.ts';
import { describeEvent } from './describe-event.ts';
import { renderProgress } from './render-progress.ts';
import { applyEvent, initialProgress, type RunProgress } from './run-progress.ts';

const run = '0195d3a4-5d7e-7c31-9f39-0c2a7d4f4a11';
const stepId = '0195d3a4-5d7e-7c31-9f39-0c2a7d4f4a12';
const reservation = '0195d3a4-5d7e-7c31-9f39-0c2a7d4f4a13';
const ofRun = { run_id: run, root_run_id: run };
const ofHold = { run_id: run, reservation_id: reservation };
const step = { ...ofRun, step_id: stepId, step_key: 'monthly', step_index: 0, tool: 'code', attempt: 1 };

const events = {
  started: ['run.started', { ...ofRun, attempt: 1 }],
  stepStarted: ['step.started', step],
  stepCompleted: ['step.completed', { ...step, usage: [], duration_ms: 1_240 }],
  stepFailed: [
    'step.failed',
    {
      ...step,
      usage: [],
      duration_ms: 90,
      error: { code: 'nonzero_exit', message: 'the program ended with exit code 1' },
    },
  ],
  reserved: [
    'credits.reserved',
    {
      ...ofHold,
      held_micro: '18000000',
      available_micro: '82000000',
      price_as_of: '2026-01-13T10:00:00Z',
      expires_at: '2026-01-13T11:00:00Z',
      ttl_seconds: 3_600,
      prices: [],
      limits: {
        tier: 'free',
        max_concurrent_runs: 1,
        max_parallel_items: 5,
        sandbox_cpu_millis: 500,
        sandbox_memory_mb: 512,
        sandbox_disk_mb: 512,
        sandbox_seconds: 300,
        retention_days: 7,
        requests_per_minute: 60,
      },
    },
  ],
  consumed: [
    'credits.consumed',
    {
      ...ofHold,
      consumed_micro: '124000',
      held_micro: '18000000',
      lines: [{ step_id: stepId, operation: 'code.execution', quantity: '1240', cost_micro: '124000' }],
    },
  ],
  released: [
    'credits.released',
    { ...ofHold, consumed_micro: '124000', released_micro: '17876000', available_micro: '99876000' },
  ],
  denied: [
    'credits.denied',
    { ...ofHold, reason: 'insufficient', required_micro: '18000000', available_micro: '3000000' },
  ],
  completed: [
    'run.completed',
    { ...ofRun, attempt: 1, billable_steps: 1, billable_step_ids: [stepId], steps: 1, error: null },
  ],
} as const;
type Name = keyof typeof events;

function after(...names: Name[]): RunProgress {
  return names.reduce(
    (progress, name, i) => {
      const [type, data] = events[name];
      return applyEvent(progress, { id: String(i), type, time: '2026-01-13T10:00:00Z', data }, 1_000 * i);
    },
    initialProgress(run, 'Seattle weather'),
  );
}

const lines = (progress: RunProgress, nowMs = 5_000) =>
  renderProgress(progress, { style: createStyle(false), nowMs, startMs: 0 });
const say = (name: Name) => describeEvent({ type: events[name][0], data: events[name][1] });

describe('applyEvent', () => {
  it('follows a step from start to its cost', () => {
    const [monthly] = after('started', 'stepStarted', 'stepCompleted', 'reserved', 'consumed').steps;
    expect(monthly).toMatchObject({
      key: 'monthly',
      tool: 'code',
      state: 'completed',
      durationMs: 1_240,
      costMicro: 124_000n,
    });
  });

  it('keeps hold, consumption and release apart', () => {
    expect(after('reserved', 'consumed').credits).toMatchObject({
      heldMicro: 18_000_000n,
      consumedMicro: 124_000n,
      releasedMicro: null,
    });
    expect(after('reserved', 'consumed', 'released').credits.releasedMicro).toBe(17_876_000n);
  });

  it('ends in the state that the closing event names', () => {
    expect(after('started').state).toBe('running');
    expect(after('started', 'completed').state).toBe('completed');
  });

  it('ignores events it does not know and data it cannot read', () => {
    const progress = after('started');
    const unknown = { id: 'x', time: '', data: { anything: 1 } };
    expect(applyEvent(progress, { ...unknown, type: 'run.waved' }, 0)).toBe(progress);
    expect(applyEvent(progress, { ...unknown, type: 'step.completed' }, 0)).toBe(progress);
  });
});

describe('renderProgress', () => {
  it('shows the run, its steps with time and cost, and its credits', () => {
    const text = lines(after('started', 'stepStarted', 'stepCompleted', 'reserved', 'consumed')).join('\n');
    expect(text).toContain('Seattle weather  running  5.0 s');
    expect(text).toContain('✔ monthly  code  1.2 s  0.124 credits');
    expect(text).toContain('18 held · 0.124 consumed');
  });

  it('counts the time of a step that runs', () => {
    expect(lines(after('started', 'stepStarted'), 3_500).join('\n')).toMatch(/monthly {2}code {2}2\.5 s/);
  });

  it('shows why a step failed and why credits were denied', () => {
    expect(lines(after('stepStarted', 'stepFailed')).join('\n')).toContain(
      '✘ monthly  code  90 ms  the program ended with exit code 1',
    );
    expect(lines(after('denied')).join('\n')).toContain('denied: 18 needed, 3 available');
  });

  it('stays short however many steps there are', () => {
    const many = Array.from({ length: 500 }, (_, i) => ({
      ...(after('stepStarted').steps[0] as RunProgress['steps'][number]),
      key: `s${i}`,
      state: i === 7 ? ('running' as const) : ('waiting' as const),
    }));
    const shown = lines({ ...after('started'), steps: many });
    expect(shown.length).toBeLessThan(20);
    expect(shown.join('\n')).toContain('s7');
    expect(shown.join('\n')).toContain('499 waiting');
  });
});

describe('describeEvent', () => {
  it('says what happened in a few words', () => {
    expect(say('stepCompleted')).toBe('monthly in 1.2 s');
    expect(say('stepFailed')).toBe('monthly: the program ended with exit code 1');
    expect(say('reserved')).toBe('18 held, 82 left');
    expect(say('consumed')).toBe('0.124 for code.execution; 0.124 in all');
    expect(say('released')).toBe('17.876 back, 0.124 consumed, 99.876 available');
  });

  it('shows the data of an unknown event without its secrets', () => {
    const data = { account: 'a', access_token: 'hidden' };
    expect(describeEvent({ type: 'connector.connected', data })).toBe(
      '{"account":"a","access_token":"[redacted]"}',
    );
  });
});
