import { readFile } from 'node:fs/promises';
import { z } from 'zod';

const report = z.object({
  testResults: z.array(
    z.object({
      name: z.string(),
      status: z.string(),
      assertionResults: z.array(z.object({ status: z.string() })),
    }),
  ),
});

/** Numbers of tests. */
export interface Counts {
  readonly passed: number;
  readonly failed: number;
  readonly skipped: number;
}

/**
 * Counts a JSON report of vitest. A file that failed as a whole, when it could not be imported say, has no failed
 * test and counts as one; so does a run that ended badly without naming any.
 * @param exitCode of vitest
 */
export function countReport(text: string, exitCode: number): Counts {
  const files = report.parse(JSON.parse(text)).testResults;
  const statuses = files.flatMap((file) => file.assertionResults.map(({ status }) => status));
  const passed = statuses.filter((status) => status === 'passed').length;
  const broken = files.filter(
    (file) => file.status === 'failed' && file.assertionResults.every(({ status }) => status !== 'failed'),
  ).length;
  const failed = statuses.filter((status) => status === 'failed').length + broken;
  return {
    passed,
    failed: failed === 0 && exitCode !== 0 ? 1 : failed,
    skipped: statuses.length - passed - (failed - broken),
  };
}

/** The counts of a report file; a run that left none has failed. */
export async function readReport(path: string, exitCode: number): Promise<Counts> {
  let text: string;
  try {
    text = await readFile(path, 'utf8');
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== 'ENOENT') throw error;
    return { passed: 0, failed: 1, skipped: 0 };
  }
  return countReport(text, exitCode);
}

/** The line that a test run ends with. */
export function summary({ passed, failed, skipped }: Counts): string {
  return `${passed} passed, ${failed} failed${skipped > 0 ? `, ${skipped} skipped` : ''}`;
}
