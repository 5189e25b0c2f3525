import { expect, it } from 'vitest';
import type { PlannedStep } from './playbook.ts';
import { type RecordedStep, replayPlaybook } from './replay.ts';

const tools = {
  check: (tool: string) =>
    tool === 'gone' ? { unknown: true as const } : { bad: tool === 'off' ? 'off' : null },
  repeatable: () => true,
};
const planned = (
  id: string,
  input: Record<string, unknown>,
  more: Partial<PlannedStep> = {},
): PlannedStep => ({
  ...{ id, tool: 'code', needs: [], with: input, artifacts: [], required: true, index: 0 },
  ...more,
});
const done = (
  key: string,
  input: unknown,
  output: unknown,
  more: Partial<RecordedStep> = {},
): RecordedStep => ({
  ...{ key, tool: 'code', with: input, completed: true, output, missing: null },
  ...more,
});
const replay = (steps: PlannedStep[], recorded: RecordedStep[], now: Record<string, unknown> = {}) =>
  replayPlaybook(steps, {
    recorded: new Map(recorded.map((step) => [step.key, step])),
    inputs: { before: () => 'old', now: (name) => now[name] ?? 'old' },
    tools,
    same: (one, other) => JSON.stringify(one) === JSON.stringify(other),
  }).map(({ key, verdict }) => `${key} ${verdict}`);

it('takes recorded results where nothing has changed, also where the words differ and the values do not', () => {
  const steps = [planned('a', { x: 1 }), planned('b', { y: 2 }, { needs: ['a'] })];
  const recorded = [done('a', { x: 1 }, 2), done('b', { y: '${{ steps.a.output }}' }, 3)];
  expect(replay(steps, recorded)).toEqual(['a recorded', 'b recorded']);
});

it('says where a call, an input, a tool or its availability differs, and what is not reached then', () => {
  const recorded = [done('a', { x: '${{ inputs.n }}' }, 1), done('b', {}, 1), done('c', {}, 1)];
  const same = planned('a', { x: '${{ inputs.n }}' });
  expect(replay([same], recorded, { n: 'new' })).toEqual(['a differs']);
  expect(replay([planned('c', {}, { needs: ['b'] }), planned('b', { z: 1 })], recorded)).toEqual([
    'c not_reached',
    'b differs',
  ]);
  expect(replay([planned('b', {}, { tool: 'file' })], recorded)).toEqual(['b differs']);
  const [gone, off] = ['gone', 'off'].map((tool) =>
    replay([planned('b', {}, { tool })], [done('b', {}, 1, { tool })]),
  );
  expect([gone, off]).toEqual([['b differs'], ['b differs']]);
});

it('has nothing for steps that are new, failed or refer to what is not there', () => {
  const failed = done('b', {}, null, { completed: false, missing: 'it failed' });
  expect(replay([planned('new', {}), planned('b', {})], [failed])).toEqual([
    'new not_recorded',
    'b not_recorded',
  ]);
  const refers = { x: '${{ steps.b.output.no }}' };
  expect(replay([planned('a', refers)], [done('a', refers, 1), failed])).toEqual(['a differs']);
});
