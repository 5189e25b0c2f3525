import { spawn } from 'node:child_process';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import { identify, isRunning, stopProcess } from './process-group.ts';
import { claimDataDir, recordedProcesses, recordProcess, releaseDataDir } from './process-records.ts';
import { environmentPlaces, leadsInto, stopProcessesOf } from './processes-of.ts';

/** A real process that ignores SIGTERM and lives until it is killed. */
function stubborn(env: Record<string, string>): Promise<number> {
  return new Promise((resolve, reject) => {
    const code = "process.on('SIGTERM', () => {}); setInterval(() => {}, 1000); console.log('up')";
    const child = spawn(process.execPath, ['--eval', code], {
      env,
      detached: true,
      stdio: ['ignore', 'pipe', 'ignore'],
    });
    child.once('error', reject);
    child.stdout.once('data', () => resolve(child.pid ?? 0));
  });
}

test.each([
  ['SANDBOX_DIR=/data/sandboxes', true],
  ['WORKSPACE=/data/sandboxes/one', true],
  ['WORKSPACE=/data/sandboxes-of-another', false],
  ['PWD=/data/sandboxes', false],
  ['OLDPWD=/data/sandboxes/one', false],
  ['HOME=/root', false],
])('%s leads into /data/sandboxes: %s', (variable, expected) => {
  expect(leadsInto(variable, '/data/sandboxes')).toBe(expected);
});

test('the processes of a directory are found by their environment and killed', async () => {
  const directory = await mkdtemp(join(tmpdir(), 'swissbrain-of-'));
  const pid = await stubborn({ TMPDIR: join(directory, 'inside') });
  expect(await environmentPlaces(directory)).toEqual([pid]);
  await stopProcessesOf(directory);
  expect(await environmentPlaces(directory)).toEqual([]);
  await rm(directory, { recursive: true });
});

test('a process that takes SIGTERM lightly is killed; one of the same id and another start is left alone', async () => {
  const pid = await stubborn({});
  const identity = await identify(pid);
  if (identity === undefined) throw new Error('the process is not there');
  await stopProcess({ pid, started: 'another boot:1' }, [{ signal: 'SIGKILL', waitMs: 0 }]);
  expect(await isRunning(identity)).toBe(true);
  await stopProcess(identity, [{ signal: 'SIGTERM', waitMs: 50 }]);
  expect(await isRunning(identity)).toBe(false);
});

test('records show what still runs, and a data directory has one holder', async () => {
  const dataDir = await mkdtemp(join(tmpdir(), 'swissbrain-records-'));
  await recordProcess(dataDir, 'living', process.pid);
  const dead = await stubborn({});
  await recordProcess(dataDir, 'dead', dead);
  const identity = await identify(dead);
  if (identity !== undefined) await stopProcess(identity, []);
  expect([...(await recordedProcesses(dataDir)).keys()]).toEqual(['living']);

  const claims = await Promise.all(Array.from({ length: 20 }, () => claimDataDir(dataDir)));
  expect(claims.filter((holder) => holder === undefined)).toHaveLength(1);
  expect(claims.find((holder) => holder !== undefined)?.pid).toBe(process.pid);
  await releaseDataDir(dataDir);
  expect(await claimDataDir(dataDir)).toBeUndefined();
  await rm(dataDir, { recursive: true });
});
