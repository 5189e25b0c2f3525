import { readFileSync } from 'node:fs';
import { join } from 'node:path';

/** The test files of every function and trigger, as db/test/README.md names them, from the root of the repository. */
export function readCoverage(): ReadonlyMap<string, readonly string[]> {
  const text = readFileSync(join(import.meta.dirname, 'README.md'), 'utf8');
  const rows = [...text.matchAll(/^\| `([\w.]+)` +\| (.*?) +\|$/gm)];
  return new Map(
    rows.map(([, name = '', files = '']) => [
      name,
      [...files.matchAll(/`([^`]+)`/g)].map(([, file = '']) => file),
    ]),
  );
}

/** @throws Error when the README names no test for it */
export function testsOf(name: string): readonly string[] {
  const files = readCoverage().get(name);
  if (files === undefined) throw new Error(`db/test/README.md names no test of ${name}`);
  return files;
}
