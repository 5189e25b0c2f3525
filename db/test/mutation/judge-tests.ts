import { spawn } from 'node:child_process';
import { join } from 'node:path';
import { createTestDatabase } from '@swissbrain/testkit/database';
import { withClient } from '../../migrate.ts';
import { testsOf } from '../coverage.ts';
import type { Mutant } from './mutant.ts';

const root = join(import.meta.dirname, '../../..');

/** A mutant that goes round in circles or waits for a lock that nobody gives back is stopped, and thereby noticed. */
const longest = 180_000;
const stopped = -1;

/**
 * Runs the tests that db/test/README.md names for a trigger or function, on a clone with the mutant for their template.
 * @returns that they failed, or null when they did not
 * @throws Error when the tests could not run
 */
export async function judgeByTests(mutant: Mutant, tested: string): Promise<string | null> {
  const clone = await createTestDatabase();
  try {
    await withClient(clone.adminUrl, (client) => client.query(mutant.sql));
    const files = testsOf(tested);
    const { code, output } = await runTests(files, clone.name);
    if (code === 0) return null;
    if (code === stopped) return `not done after ${longest / 1000} s`;
    const failed = /^.*(?:FAIL|×).*$/m.exec(output)?.[0].trim();
    if (failed === undefined) throw new Error(`the tests of ${tested} did not run:\n${output}`);
    return failed;
  } finally {
    await clone.drop();
  }
}

/**
 * Runs the tests of all triggers and functions that the mutants are about on the schema as it is.
 * @throws Error when they fail: they would catch every mutant, for nothing
 */
export async function judgeTestsSound(mutants: readonly Mutant[]): Promise<void> {
  const subjects = new Set(mutants.flatMap(({ tested }) => tested ?? []));
  if (subjects.size === 0) return;
  const clone = await createTestDatabase();
  try {
    const files = new Set([...subjects].flatMap(testsOf));
    const { code, output } = await runTests([...files], clone.name);
    if (code !== 0) throw new Error(`the tests of triggers and functions fail without a mutant:\n${output}`);
  } finally {
    await clone.drop();
  }
}

/** A vitest that is started from within one is not a part of it. */
function withoutVitest(): NodeJS.ProcessEnv {
  return Object.fromEntries(Object.entries(process.env).filter(([name]) => !name.startsWith('VITEST')));
}

function runTests(files: readonly string[], subject: string): Promise<{ code: number; output: string }> {
  return new Promise((resolve, reject) => {
    const child = spawn('vitest', ['run', '--project', 'integration', '--bail=1', ...files], {
      cwd: root,
      timeout: longest,
      stdio: ['ignore', 'pipe', 'pipe'],
      env: {
        ...withoutVitest(),
        NO_COLOR: '1',
        TEST_DATABASE_URL: process.env['SWISSBRAIN_TEST_DATABASE_URL'],
        SWISSBRAIN_TEST_SUBJECT: subject,
      },
    });
    const chunks: Buffer[] = [];
    child.stdout.on('data', (chunk: Buffer) => chunks.push(chunk));
    child.stderr.on('data', (chunk: Buffer) => chunks.push(chunk));
    child.once('error', reject);
    child.once('close', (code) =>
      resolve({ code: code ?? stopped, output: Buffer.concat(chunks).toString('utf8') }),
    );
  });
}
