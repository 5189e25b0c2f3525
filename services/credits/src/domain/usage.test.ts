import { expect, test } from 'vitest';
import { type StepUsage, usageItems } from './usage.ts';

const step = (stepId: string, usage: StepUsage['usage']): StepUsage => ({
  rootRunId: 'root',
  runId: 'run',
  stepId,
  usage,
  finishedAt: '2026-01-13T10:00:00.000Z',
});

test('every line of a step has a key of its own, the same whenever it is delivered', () => {
  const usage = [
    { operation: 'llm.default.input', quantity: '12' },
    { operation: 'llm.default.output', quantity: '0' },
  ];
  const items = usageItems([step('a', usage), step('b', usage)]);
  expect(items.map(({ key }) => key)).toEqual(['step:a:0', 'step:a:1', 'step:b:0', 'step:b:1']);
  expect(usageItems([step('b', usage)])).toEqual(items.slice(2));
  expect(items[1]).toEqual({
    root_run_id: 'root',
    run_id: 'run',
    step_id: 'a',
    key: 'step:a:1',
    operation: 'llm.default.output',
    quantity: '0',
    occurred_at: '2026-01-13T10:00:00.000Z',
  });
});

test('a step that used nothing has no lines', () => {
  expect(usageItems([step('a', [])])).toEqual([]);
});
