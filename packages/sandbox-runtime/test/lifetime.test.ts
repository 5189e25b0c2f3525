import { spawn } from 'node:child_process';
import { randomBytes } from 'node:crypto';
import { once } from 'node:events';
import { existsSync, readdirSync, readFileSync, rmSync } from 'node:fs';
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, describe, expect, it } from 'vitest';
import { processIdentity } from '../src/processes.ts';
import {
  announceEndpoint,
  destroySession,
  endpointLives,
  readEndpoint,
  sessionPaths,
  stopAllSessions,
} from '../src/session-directory.ts';
import { call, outcome, run, start, startRuntimeProcess, waitFor } from './runtime-process.ts';

const directories: string[] = [];
const track = (runtime: Awaited<ReturnType<typeof startRuntimeProcess>>) => {
  directories.push(runtime.directory);
  return runtime;
};
const launch = async (...args: Parameters<typeof startRuntimeProcess>) =>
  track(await startRuntimeProcess(...args));
afterEach(async () => {
  await Promise.all(directories.splice(0).map((directory) => destroySession(directory)));
});

const sleeper = `
  import { writeFileSync } from 'node:fs';
  process.on('SIGTERM', () => {});
  writeFileSync('program.pid', String(process.pid));
  setInterval(() => {}, 1000);`;
const pidOf = (directory: string) => {
  const path = join(directory, 'workspace', 'program.pid');
  return waitFor(() => existsSync(path) && Number(readFileSync(path, 'utf8')));
};
const lives = (pid: number) => processIdentity(pid) !== null;

describe('a runtime', () => {
  it('ends by itself when nobody has asked for anything and nothing runs', async () => {
    const runtime = await launch({ SANDBOX_IDLE_SECONDS: '1' });
    // The program runs for longer than that, unasked about: it is not cut off.
    await start(runtime.port, 'longer', { code: `setTimeout(() => console.log('done'), 2500)` });
    expect(await runtime.exited).toBe(0);
    const stored = readFileSync(join(sessionPaths(runtime.directory).state, 'longer.json'), 'utf8');
    expect(JSON.parse(stored).record).toMatchObject({ state: 'finished', reason: 'exited', stdout_bytes: 5 });
  });

  it('ends after its lifetime whatever runs', async () => {
    const runtime = await launch({ SANDBOX_LIFETIME_SECONDS: '1' });
    await start(runtime.port, 'endless', { code: sleeper });
    const pid = await pidOf(runtime.directory);
    expect(await runtime.exited).toBe(0);
    expect(lives(pid)).toBe(false);
  });

  it('ends on SIGTERM within its grace, with its programs, and tells who waits', async () => {
    const runtime = await launch();
    await start(runtime.port, 'endless', { code: sleeper });
    const pid = await pidOf(runtime.directory);
    const waiting = outcome(runtime.port, 'endless');
    // Requests are taken in order: once a later one is answered the runtime knows that somebody waits.
    await call(runtime.port, '/executions/endless');
    runtime.child.kill('SIGTERM');
    expect((await waiting).record).toMatchObject({ reason: 'killed', signal: 'SIGKILL' });
    expect(await runtime.exited).toBe(0);
    expect(lives(pid)).toBe(false);
  });

  it('ends on request', async () => {
    const runtime = await launch();
    expect(await call(runtime.port, '/shutdown', { method: 'POST' })).toMatchObject({
      status: 202,
      authentic: true,
    });
    expect(await runtime.exited).toBe(0);
  });

  it('refuses a session that has a runtime, without touching its records', async () => {
    const first = await launch();
    await start(first.port, 'running', { code: sleeper });
    const second = spawn(first.child.spawnfile, first.child.spawnargs.slice(1), {
      stdio: ['pipe', 'ignore', 'ignore'],
      env: environmentOf(first.directory),
    });
    second.stdin.end(`${'another secret '.repeat(4)}\n`);
    expect((await once(second, 'exit'))[0]).toBe(75);
    expect(await call(first.port, '/executions/running')).toMatchObject({ json: { state: 'running' } });
  });

  it('that takes up where a killed one ended runs nothing again and says what it cannot know', async () => {
    const first = await launch();
    await run(first.port, { code: '1' });
    await start(first.port, 'done', { code: `console.log('kept')` });
    const before = await outcome(first.port, 'done');
    await start(first.port, 'cut', { code: `console.log('some'); ${sleeper}` });
    const pid = await pidOf(first.directory);
    first.child.kill('SIGKILL');
    await first.exited;
    const endpoint = readEndpoint(first.directory);
    expect(endpoint && endpointLives(endpoint)).toBe(false);
    rmSync(sessionPaths(first.directory).endpoint);
    const second = await launch({}, first.directory);
    expect(await outcome(second.port, 'done')).toEqual(before);
    expect(await start(second.port, 'cut', { code: `console.log('some'); ${sleeper}` })).toMatchObject({
      status: 200,
      json: { state: 'finished', reason: 'lost' },
    });
    process.kill(pid, 'SIGKILL');
  });

  it.each([
    ['no secret', {}, '\n'],
    ['a short secret', {}, 'short\n'],
    [
      'a broken configuration',
      { SANDBOX_MEMORY_MB: 'much', SANDBOX_WORKSPACE: 'relative' },
      `${'s'.repeat(40)}\n`,
    ],
  ])('does not start with %s and says why', async (_, overrides, input) => {
    const directory = await mkdtemp(join(tmpdir(), 'swissbrain-runtime-'));
    directories.push(directory);
    const main = new URL('../src/main.ts', import.meta.url).pathname;
    const child = spawn(process.execPath, [main], { env: { ...environmentOf(directory), ...overrides } });
    let said = '';
    child.stderr.on('data', (chunk: Buffer) => {
      said += chunk.toString();
    });
    child.stdin.end(input);
    expect((await once(child, 'close'))[0]).toBe(1);
    expect(said).toContain(Object.keys(overrides).length === 0 ? 'secret' : 'SANDBOX_MEMORY_MB');
    if ('SANDBOX_WORKSPACE' in overrides) expect(said).toContain('SANDBOX_WORKSPACE');
    expect(readEndpoint(directory)).toBeNull();
  });
});

describe('the folder of all sessions', () => {
  it('can be emptied of everything that runs in it', async () => {
    const parent = await mkdtemp(join(tmpdir(), 'swissbrain-sessions-'));
    directories.push(parent);
    const runtimes = [
      await launch({}, join(parent, 'one')),
      await launch({}, join(parent, 'two')),
      await launch({}, join(parent, 'three')),
    ];
    const [one, two, three] = runtimes;
    for (const runtime of runtimes) await start(runtime.port, 'endless', { code: sleeper });
    const pids = await Promise.all(runtimes.map((runtime) => pidOf(runtime.directory)));
    // The program of a runtime that is gone is found too.
    two?.child.kill('SIGKILL');
    await stopAllSessions(parent);
    expect(await Promise.all([one?.exited, three?.exited])).toEqual([0, 0]);
    expect(pids.map(lives)).toEqual([false, false, false]);
    expect(readdirSync(parent).sort()).toEqual(['one', 'three', 'two']);
    await stopAllSessions(join(parent, 'nowhere'));
  });

  it('does not take a later process with the same pid for a runtime', async () => {
    const directory = await mkdtemp(join(tmpdir(), 'swissbrain-runtime-'));
    directories.push(directory);
    const endpoint = {
      pid: process.pid,
      identity: 'of an earlier one',
      port: 1,
      instance: randomBytes(16).toString('hex'),
    };
    const file = sessionPaths(directory).endpoint;
    expect(announceEndpoint(file, endpoint)).toBe(true);
    expect(announceEndpoint(file, { ...endpoint, port: 2 })).toBe(false);
    expect(readEndpoint(directory)).toEqual(endpoint);
    expect(endpointLives(endpoint)).toBe(false);
    await destroySession(directory);
    expect(existsSync(directory)).toBe(false);
  });

  it('refuses to read what no runtime wrote', async () => {
    const directory = await mkdtemp(join(tmpdir(), 'swissbrain-runtime-'));
    await writeFile(sessionPaths(directory).endpoint, '{"pid":1}');
    expect(() => readEndpoint(directory)).toThrow('is not the endpoint of a session');
    await rm(directory, { recursive: true });
  });
});

function environmentOf(directory: string): Record<string, string> {
  const paths = sessionPaths(directory);
  return {
    PATH: process.env.PATH ?? '',
    SANDBOX_ENDPOINT_FILE: paths.endpoint,
    SANDBOX_WORKSPACE: paths.workspace,
    SANDBOX_SCRATCH: paths.scratch,
    SANDBOX_STATE: paths.state,
    SANDBOX_MEMORY_MB: '256',
    SANDBOX_DISK_MB: '64',
    SANDBOX_WALL_SECONDS: '30',
  };
}
