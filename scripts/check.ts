// npm run check: types, format and lint, imports, unused code, file sizes, generated files.
import { dirname } from 'node:path';
import { type CheckResult, runChecks } from './checks.ts';
import { onInterrupt } from './interrupt.ts';
import { startProgress } from './progress.ts';

const progress = startProgress();
const interrupted = onInterrupt(() => process.exit(1));
const results = await runChecks(dirname(import.meta.dirname), interrupted, (result) =>
  progress(lineOf(result)),
);
const failed = results.filter(({ ok }) => !ok).length;
progress(`${results.length - failed} checks passed, ${failed} failed`);
process.exitCode = failed > 0 || interrupted.aborted ? 1 : 0;

function lineOf({ name, ok, seconds, output }: CheckResult): string {
  return ok
    ? `ok      ${name} (${seconds.toFixed(1)} s)`
    : `FAILED  ${name} (${seconds.toFixed(1)} s)\n${output}`;
}
