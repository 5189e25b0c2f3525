import { expect, test } from 'vitest';
import { compareWithRun } from './drift.ts';

type Hold = Parameters<typeof compareWithRun>[0];
type Run = NonNullable<Parameters<typeof compareWithRun>[1]>;
const hold: Hold = { user_id: 'u', run_id: 'r', state: 'active', closing: false, recorded_steps: 0 };
const run: Run = { status: 'running', billable_steps: 0, ended_seconds_ago: null };
const ended: Run = { status: 'completed', billable_steps: 2, ended_seconds_ago: 100 };

test.each<[string, Partial<Hold>, Run | undefined, RegExp | null]>([
  ['a live run with a live hold', {}, run, null],
  ['a run that waits in line', { state: 'waiting' }, { ...run, status: 'pending' }, null],
  ['a run that is not there', {}, undefined, /not there/],
  ['a run that was deleted after its hold had ended', { state: 'settled' }, undefined, null],
  ['a live run whose hold is settled', { state: 'settled' }, run, /its run lives/],
  ['a live run whose hold has expired: it is being stopped', { state: 'expired' }, run, null],
  ['a run that has just ended', {}, { ...ended, ended_seconds_ago: 3 }, null],
  ['a run that ended unheard of', {}, ended, /open and its run has ended/],
  ['a waiting run that was cancelled unheard of', { state: 'waiting' }, ended, /open and its run has ended/],
  ['a run whose last steps are missing', { closing: true, recorded_steps: 1 }, ended, /not recorded/],
  [
    'a settled run that lacks steps',
    { state: 'settled', closing: true, recorded_steps: 1 },
    ended,
    /not recorded/,
  ],
  ['a settled run', { state: 'settled', closing: true, recorded_steps: 2 }, ended, null],
  ['an expired hold all of whose steps came late', { state: 'expired', recorded_steps: 2 }, ended, null],
  ['a run that was denied', { state: 'denied' }, { ...ended, billable_steps: 0 }, null],
])('%s', (_name, of, with_, expected) => {
  const finding = compareWithRun({ ...hold, ...of }, with_, 60);
  if (expected === null) expect(finding).toBeUndefined();
  else
    expect(finding).toMatchObject({
      kind: 'hold',
      runId: 'r',
      userId: 'u',
      what: expect.stringMatching(expected),
    });
});
