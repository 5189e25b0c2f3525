import { execFile } from 'node:child_process';
import { readdir, readFile } from 'node:fs/promises';
import { setTimeout as delay } from 'node:timers/promises';
import { promisify } from 'node:util';
import { sendSignal } from './child.ts';

const run = promisify(execFile);

// A shell that stands in the folder, or a pager that shows a file of it, belongs to a person.
const personal = new Set(['PWD', 'OLDPWD', '_']);

/**
 * Kills every process that was started for something in this directory: those whose environment names it. The
 * runtime of a sandbox, the programs it runs, and all that a test run starts do.
 * @throws when some do not end
 */
export async function stopProcessesOf(directory: string): Promise<void> {
  for (let round = 0; round < 100; round += 1) {
    const pids = await environmentPlaces(directory);
    if (pids.length === 0) return;
    for (const pid of pids) sendSignal(pid, 'SIGKILL');
    await delay(20);
  }
  throw new Error(`processes that were started for ${directory} do not end`);
}

/** The processes, other than this one, whose environment has a variable with a path in this directory. */
export async function environmentPlaces(directory: string): Promise<number[]> {
  const found = process.platform === 'linux' ? await onLinux(directory) : await byPs(directory);
  return found.filter((pid) => pid !== process.pid);
}

async function onLinux(directory: string): Promise<number[]> {
  const found: number[] = [];
  for (const entry of await readdir('/proc')) {
    if (!/^\d+$/.test(entry)) continue;
    const variables = (await readEnvironment(entry)).split('\0');
    if (variables.some((variable) => leadsInto(variable, directory))) found.push(Number(entry));
  }
  return found;
}

/** Whether `NAME=value` names a place in the directory. */
export function leadsInto(variable: string, directory: string): boolean {
  const [name = '', ...rest] = variable.split('=');
  const value = rest.join('=');
  return !personal.has(name) && (value === directory || value.startsWith(`${directory}/`));
}

async function readEnvironment(pid: string): Promise<string> {
  try {
    return await readFile(`/proc/${pid}/environ`, 'utf8');
  } catch (error) {
    // Ended meanwhile, or another user's: neither is ours to stop.
    if (['ENOENT', 'ESRCH', 'EACCES', 'EPERM'].includes((error as NodeJS.ErrnoException).code ?? ''))
      return '';
    throw error;
  }
}

async function byPs(directory: string): Promise<number[]> {
  // -E appends the environment of our own processes to the command.
  const { stdout } = await run('ps', ['-axwwE', '-o', 'pid=,command='], { maxBuffer: 64 * 1024 * 1024 });
  return stdout.split('\n').flatMap((line) => {
    const [pid = '', ...words] = line.trim().split(' ');
    return words.some((word) => leadsInto(word, directory)) ? [Number(pid)] : [];
  });
}
