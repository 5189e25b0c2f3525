// npm test: all checks and tests but the cluster's, in an environment of their own beside any running stack.
import { spawn } from 'node:child_process';
import { existsSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import { parseArgs } from 'node:util';
import { ensurePrograms } from '@swissbrain/local-stack/install';
import { commandOf } from '@swissbrain/local-stack/process-group';
import { createThrowAwayDir, type ThrowAwayDir } from '@swissbrain/local-stack/throw-away';
import { runChecks } from './checks.ts';
import { type ClusterAccess, prepareCluster } from './cluster.ts';
import { shippedImages } from './image-list.ts';
import { onInterrupt } from './interrupt.ts';
import { type Progress, startProgress, wordsOf } from './progress.ts';
import { type Counts, readReport, summary } from './vitest-report.ts';

const root = dirname(import.meta.dirname);
const usualProjects = ['unit', 'integration', 'e2e'];

interface Wish {
  /** Everything that `npm test` runs, or what was asked for. */
  readonly projects: readonly string[];
  readonly checks: boolean;
  readonly full: boolean;
  /** The major version of the Postgres that tests start, where it is not the current one. */
  readonly postgres: string | undefined;
  /** Passed on to vitest: names of files, `-t`. */
  readonly rest: readonly string[];
}

function readWish(): Wish {
  const { values, positionals } = parseArgs({
    options: {
      full: { type: 'boolean', default: false },
      postgres: { type: 'string' },
      project: { type: 'string', multiple: true },
    },
    allowPositionals: true,
  });
  return {
    projects: values.project ?? usualProjects,
    checks: values.project === undefined && positionals.length === 0,
    full: values.full,
    postgres: values.postgres,
    rest: positionals,
  };
}

async function main(): Promise<void> {
  const wish = readWish();
  const progress = startProgress();
  const interrupted = onInterrupt(() => process.exit(130));
  const place = await createThrowAwayDir(tmpdir(), 'test');
  let counts: Counts = { passed: 0, failed: 0, skipped: 0 };
  try {
    if (wish.projects.some((project) => project !== 'unit'))
      await ensurePrograms(['nats', 'redis'], progress);
    if (wish.checks) counts = plus(counts, await countChecks(interrupted, progress));
    if (!interrupted.aborted) counts = plus(counts, await runProjects(wish, place, interrupted, progress));
    if (!interrupted.aborted) counts = plus(counts, await countLeft(place, progress));
  } catch (error) {
    progress(wordsOf(error));
    counts = plus(counts, { passed: 0, failed: 1, skipped: 0 });
  } finally {
    await place.remove();
  }
  if (interrupted.aborted) progress('interrupted');
  process.exitCode = counts.failed > 0 || interrupted.aborted ? 1 : 0;
  process.stdout.write(`${summary(counts)}\n`);
}

function plus(a: Counts, b: Counts): Counts {
  return { passed: a.passed + b.passed, failed: a.failed + b.failed, skipped: a.skipped + b.skipped };
}

async function countChecks(interrupted: AbortSignal, progress: Progress): Promise<Counts> {
  progress('checking types, lint, imports, unused code and generated files');
  const results = await runChecks(root, interrupted, ({ name, ok, seconds, output }) =>
    progress(ok ? `ok      ${name} (${seconds.toFixed(1)} s)` : `FAILED  ${name}\n${output}`),
  );
  const passed = results.filter(({ ok }) => ok).length;
  return { passed, failed: results.length - passed, skipped: 0 };
}

/** The tests of the cluster run by themselves: where its pods can be reached, and only where there is one. */
async function runProjects(
  wish: Wish,
  place: ThrowAwayDir,
  interrupted: AbortSignal,
  progress: Progress,
): Promise<Counts> {
  if (!wish.projects.includes('cluster')) return runTests(wish, place, interrupted, progress);
  // Sandboxes of every kind take minutes to build.
  const access = await prepareCluster(progress, true, wish.full ? shippedImages : undefined);
  if (access !== null) return runTests(wish, place, interrupted, progress, access);
  progress('skipped: there is no cluster (set SWISSBRAIN_CLUSTER or KUBECONFIG)');
  return { passed: 0, failed: 0, skipped: 1 };
}

async function runTests(
  wish: Wish,
  place: ThrowAwayDir,
  interrupted: AbortSignal,
  progress: Progress,
  access: Pick<ClusterAccess, 'prefix' | 'env'> = { prefix: [], env: {} },
): Promise<Counts> {
  progress(`running tests: ${wish.projects.join(', ')}`);
  const reportFile = join(place.path, 'report.json');
  const args = [
    'run',
    ...wish.projects.flatMap((project) => ['--project', project]),
    ...['--reporter=default', '--reporter=json', `--outputFile.json=${reportFile}`],
    ...['--passWithNoTests', ...wish.rest],
  ];
  const [command = 'vitest', ...before] = [...access.prefix, 'vitest'];
  const env = { ...testEnvironment(wish, place), ...access.env };
  const child = spawn(command, [...before, ...args], { cwd: root, stdio: 'inherit', env });
  interrupted.addEventListener('abort', () => child.kill('SIGINT'));
  const ended = new Promise<number>((resolve, reject) => {
    child.once('error', reject);
    child.once('exit', (code) => resolve(code ?? 1));
  });
  const exitCode = await Promise.race([ended, stuck(reportFile, ended)]);
  if (exitCode === undefined) {
    progress('FAILED  vitest has reported and does not end: something that a test started holds it up');
    child.kill('SIGKILL');
  }
  return readReport(reportFile, exitCode ?? 1);
}

const mayEndWithinMs = 30_000;

/**
 * Resolves when the report has been there for a while and vitest still runs: a process that a test left behind with
 * vitest's own output in its hands would keep it for ever.
 */
async function stuck(reportFile: string, ended: Promise<number>): Promise<undefined> {
  let over = false;
  void ended.finally(() => {
    over = true;
  });
  while (!over && !existsSync(reportFile)) await delay(500);
  for (let waited = 0; !over && waited < mayEndWithinMs; waited += 500) await delay(500);
}

// A database or a model that the user works with is not for tests to write to.
const notForTests = /^(DATABASE_|NATS_|REDIS_|AUTH_|MODEL_|ANTHROPIC_|OPENAI_|OTEL_|SANDBOX_|npm_)/;

function testEnvironment(wish: Wish, place: ThrowAwayDir): NodeJS.ProcessEnv {
  const inherited = Object.entries(process.env).filter(([name]) => !notForTests.test(name));
  return {
    ...Object.fromEntries(inherited),
    // Everything that tests start inherits it, and is found by it afterwards.
    TMPDIR: place.path,
    NODE_ENV: 'test',
    ...(wish.full ? { SWISSBRAIN_FULL: '1' } : {}),
    ...(wish.postgres === undefined ? {} : { SWISSBRAIN_POSTGRES_RELEASE: wish.postgres }),
  };
}

/** Tests that leave a process behind have failed, whatever they assert. */
async function countLeft(place: ThrowAwayDir, progress: Progress): Promise<Counts> {
  let left = await place.processes();
  // The last ones to be stopped may still be on their way out.
  for (let round = 0; round < 30 && left.length > 0; round += 1) {
    await delay(100);
    left = await place.processes();
  }
  if (left.length === 0) return { passed: 1, failed: 0, skipped: 0 };
  const commands = await Promise.all(left.map(async (pid) => `\n  ${pid} ${await commandOf(pid)}`));
  progress(`FAILED  ${left.length} processes were left running by the tests:${commands.join('')}`);
  return { passed: 0, failed: 1, skipped: 0 };
}

await main();
