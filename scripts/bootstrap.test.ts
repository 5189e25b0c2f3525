import { type ChildProcess, spawn } from 'node:child_process';
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { afterAll, beforeAll, expect, test } from 'vitest';

const root = dirname(import.meta.dirname);
let directory: string;

beforeAll(async () => {
  directory = await mkdtemp(join(tmpdir(), 'swissbrain-bootstrap-'));
});

afterAll(() => rm(directory, { recursive: true, force: true }));

interface Outcome {
  readonly code: number | null;
  readonly output: string;
}

/** Runs TypeScript through the bootstrap; `onLine` is told what it prints. */
async function bootstrap(
  source: string,
  args: readonly string[] = [],
  onLine: (line: string, child: ChildProcess) => void = () => undefined,
): Promise<Outcome> {
  const file = join(directory, 'program.ts');
  await writeFile(file, source);
  const command = [join(root, 'scripts', 'bootstrap.mjs'), '--quiet', file, ...args];
  const child = spawn(process.execPath, command, { stdio: ['ignore', 'pipe', 'inherit'] });
  let output = '';
  child.stdout.on('data', (chunk: Buffer) => {
    output += chunk.toString('utf8');
    onLine(chunk.toString('utf8'), child);
  });
  return new Promise((resolve, reject) => {
    child.once('error', reject);
    child.once('close', (code) => resolve({ code, output }));
  });
}

test('runs TypeScript with Node 24, its arguments and the programs of the repository', async () => {
  const source = `
    const words: readonly string[] = process.argv.slice(2);
    console.log(JSON.stringify([Number(process.versions.node.split('.')[0]), words, process.env.PATH?.split(':')[0]]));
    process.exitCode = 3;`;
  const { code, output } = await bootstrap(source, ['--quiet', 'two words']);
  expect(code).toBe(3);
  const [major, words, firstFolder] = JSON.parse(output);
  expect(major).toBeGreaterThanOrEqual(24);
  expect(words).toEqual(['--quiet', 'two words']);
  expect(firstFolder).toBe(join(root, 'node_modules', '.bin'));
});

test.each(['SIGINT', 'SIGTERM', 'SIGHUP'] as const)(
  'passes %s on once, though it may come twice, waits for the program and ends as it ends',
  async (signal) => {
    const source = `
      let count = 0;
      process.on('${signal}', () => {
        count += 1;
        // An echo that was passed on would arrive before this.
        if (count === 1) setTimeout(() => { console.log('times ' + count); process.exit(7); }, 100);
      });
      setInterval(() => undefined, 1000);
      console.log('ready');`;
    const { code, output } = await bootstrap(source, [], (line, child) => {
      if (!line.includes('ready')) return;
      child.kill(signal);
      child.kill(signal);
    });
    expect({ code, output }).toEqual({ code: 7, output: 'ready\ntimes 1\n' });
  },
);

test('a program that a signal ended counts as in a shell', async () => {
  const { code } = await bootstrap("process.kill(process.pid, 'SIGKILL');");
  expect(code).toBe(137);
});
