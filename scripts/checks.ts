import { spawn } from 'node:child_process';
import { readdir, readFile } from 'node:fs/promises';
import { performance } from 'node:perf_hooks';

/** Something that holds for the whole repository or does not. */
export interface Check {
  readonly name: string;
  /** Resolves to what is wrong, empty when all is well. */
  run(root: string): Promise<string>;
}

/** How one check went; `output` says what is wrong. */
export interface CheckResult {
  readonly name: string;
  readonly ok: boolean;
  readonly seconds: number;
  readonly output: string;
}

const folders = ['packages', 'services', 'db', 'scripts', 'tests', 'bench'];

/** All checks, from the quickest to the slowest. */
const checks: readonly Check[] = [
  command('event schemas', process.execPath, ['scripts/generate-events.ts', '--check']),
  command('types', 'tsc', ['--noEmit', '-p', 'tsconfig.json']),
  command('format and lint', 'biome', ['check', '--error-on-warnings', '--max-diagnostics=100', '.']),
  command('imports', 'depcruise', ['--config', '.dependency-cruiser.cjs', ...folders]),
  command('unused code', 'knip', ['--no-progress']),
  { name: 'file sizes', run: fileSizes },
  { name: 'migrations', run: migrationRules },
  command('generated files', process.execPath, ['db/generate.ts', '--check']),
  command('types of the client', process.execPath, ['packages/client/generate.ts', '--check']),
  command('README of the chart', process.execPath, ['scripts/chart-readme.ts', '--check']),
];

/** Runs the checks, two at a time, and tells each result as it comes. */
export async function runChecks(
  root: string,
  signal: AbortSignal,
  onResult: (result: CheckResult) => void,
): Promise<CheckResult[]> {
  const results: CheckResult[] = [];
  const queue = [...checks];
  const work = async (): Promise<void> => {
    for (let check = queue.shift(); check !== undefined && !signal.aborted; check = queue.shift()) {
      const start = performance.now();
      const output = await check.run(root);
      const result = {
        name: check.name,
        ok: output === '',
        seconds: (performance.now() - start) / 1000,
        output,
      };
      results.push(result);
      onResult(result);
    }
  };
  await Promise.all([work(), work()]);
  return results;
}

function command(name: string, program: string, args: readonly string[]): Check {
  return {
    name,
    run: async (root) => {
      const { code, output } = await execute(program, args, root);
      return code === 0 ? '' : output.trim() || `${program} ended with code ${code}`;
    },
  };
}

/** Runs a program and collects what it prints. */
function execute(
  program: string,
  args: readonly string[],
  cwd: string,
): Promise<{ code: number; output: string }> {
  return new Promise((resolve, reject) => {
    const child = spawn(program, args, { cwd, stdio: ['ignore', 'pipe', 'pipe'] });
    const chunks: Buffer[] = [];
    child.stdout.on('data', (chunk: Buffer) => chunks.push(chunk));
    child.stderr.on('data', (chunk: Buffer) => chunks.push(chunk));
    child.once('error', reject);
    child.once('close', (code) =>
      resolve({ code: code ?? 1, output: Buffer.concat(chunks).toString('utf8') }),
    );
  });
}

/** Locks and rewrites that a database in use would feel; .squawk.toml says which rules hold. */
async function migrationRules(root: string): Promise<string> {
  const names = (await readdir(`${root}/db/migrations`)).filter((name) => name.endsWith('.sql'));
  const { run } = command('migrations', 'squawk', [
    ...['--config', '.squawk.toml', '--reporter', 'gcc'],
    ...names.map((name) => `db/migrations/${name}`),
  ]);
  return run(root);
}

const mostLines = 400;
const mostTestLines = 500;

/** No file may grow beyond what can be read at one sitting; generated ones are exempt. */
async function fileSizes(root: string): Promise<string> {
  const { output } = await execute('git', ['ls-files', '*.ts', '*.mjs'], root);
  const wrong: string[] = [];
  for (const path of output.split('\n').filter((line) => line !== '' && !isGenerated(line))) {
    const lines = (await readFile(`${root}/${path}`, 'utf8')).split('\n').length - 1;
    const most = path.includes('.test.ts') ? mostTestLines : mostLines;
    if (lines > most) wrong.push(`${path}: ${lines} lines, at most ${most}`);
  }
  return wrong.join('\n');
}

function isGenerated(path: string): boolean {
  return path.startsWith('packages/shared-schema/src/db/') || path.includes('/generated/');
}
