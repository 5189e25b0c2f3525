import { join } from 'node:path';
import { expect, test } from 'vitest';
import { countReport, readReport, summary } from './vitest-report.ts';

function report(...files: { status: string; tests: string[] }[]): string {
  const testResults = files.map(({ status, tests }, index) => ({
    name: `file ${index}`,
    status,
    assertionResults: tests.map((of) => ({ status: of })),
  }));
  return JSON.stringify({ testResults, more: 'of no concern' });
}

test('tests are counted by how they ended', () => {
  const text = report(
    { status: 'passed', tests: ['passed', 'passed', 'pending'] },
    { status: 'failed', tests: ['passed', 'failed', 'todo'] },
  );
  expect(countReport(text, 1)).toEqual({ passed: 3, failed: 1, skipped: 2 });
});

test('a file that failed as a whole counts as one failure', () => {
  expect(countReport(report({ status: 'failed', tests: [] }), 1)).toEqual({
    passed: 0,
    failed: 1,
    skipped: 0,
  });
  const setUp = report({ status: 'failed', tests: ['passed', 'pending'] });
  expect(countReport(setUp, 1)).toEqual({ passed: 1, failed: 1, skipped: 1 });
});

test('a run that ended badly without naming a test has failed', () => {
  const text = report({ status: 'passed', tests: ['passed'] });
  expect(countReport(text, 1)).toEqual({ passed: 1, failed: 1, skipped: 0 });
  expect(countReport(text, 0)).toEqual({ passed: 1, failed: 0, skipped: 0 });
});

test('a run that left no report has failed', async () => {
  expect(await readReport(join(import.meta.dirname, 'no-such-report.json'), 0)).toEqual({
    passed: 0,
    failed: 1,
    skipped: 0,
  });
});

test('the summary names what was skipped only when something was', () => {
  expect(summary({ passed: 12, failed: 0, skipped: 0 })).toBe('12 passed, 0 failed');
  expect(summary({ passed: 12, failed: 1, skipped: 2 })).toBe('12 passed, 1 failed, 2 skipped');
});
