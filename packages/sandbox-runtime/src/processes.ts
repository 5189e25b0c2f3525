import { execFileSync } from 'node:child_process';
import { existsSync, readdirSync, readFileSync } from 'node:fs';
import { setTimeout as delay } from 'node:timers/promises';
import { errnoOf } from './faults.ts';

/** One row of the process table. `startTicks` and `pid` together name a process for good. */
export interface ProcessEntry {
  readonly pid: number;
  readonly parent: number;
  readonly session: number;
  readonly startTicks: string;
  readonly residentPages: number;
}

const hasProc = existsSync('/proc/self/stat');

/** All processes but zombies; empty where there is no /proc (macOS), so callers lean on process groups there. */
export function listProcesses(): ProcessEntry[] {
  if (!hasProc) return [];
  const entries: ProcessEntry[] = [];
  for (const name of readdirSync('/proc')) {
    if (!/^\d+$/.test(name)) continue;
    const entry = readEntry(Number(name));
    if (entry) entries.push(entry);
  }
  return entries;
}

/** Living processes that were started with `variable` set to a value that begins with `prefix`. */
export function processesWithVariable(variable: string, prefix: string): number[] {
  if (!hasProc) return [];
  const needle = `\0${variable}=${prefix}`;
  return listProcesses()
    .map((entry) => entry.pid)
    .filter((pid) => pid !== process.pid && `\0${readProc(pid, 'environ') ?? ''}`.includes(needle));
}

/** Memory that a process alone answers for, in bytes: shared pages count by share. 0 when it cannot be read. */
export function proportionalMemory(pid: number): number {
  const match = /^Pss:\s+(\d+) kB/m.exec(readProc(pid, 'smaps_rollup') ?? '');
  return match ? Number(match[1]) * 1024 : 0;
}

/** Something that differs between a process and a later one with the same pid; null when there is none now. */
export function processIdentity(pid: number): string | null {
  if (hasProc) {
    const entry = readEntry(pid);
    return entry && `${readFileSync('/proc/sys/kernel/random/boot_id', 'utf8').trim()}:${entry.startTicks}`;
  }
  try {
    const lines = execFileSync('ps', ['-o', 'state=,lstart=', '-p', String(pid)], { encoding: 'utf8' });
    return /^\s*Z/.test(lines) ? null : lines.trim().replace(/^\S+\s+/, '') || null;
  } catch {
    // ps exits with 1 when there is no such process.
    return null;
  }
}

/** Sends a signal to a process, or with a negative number to a process group; false when there is none. */
export function signalProcess(pid: number, signal: NodeJS.Signals): boolean {
  try {
    return process.kill(pid, signal);
  } catch (error) {
    // macOS answers EPERM for a group of which only zombies are left.
    if (errnoOf(error) === 'ESRCH' || errnoOf(error) === 'EPERM') return false;
    throw error;
  }
}

/**
 * Kills what `find` returns until it returns nothing, since a process may fork while it is being killed.
 * @returns false when something was still there after `rounds`
 */
export async function killUntilGone(find: () => readonly number[], rounds = 100): Promise<boolean> {
  for (let round = 0; round < rounds; round += 1) {
    const found = find();
    if (found.length === 0) return true;
    for (const pid of found) signalProcess(pid, 'SIGKILL');
    await delay(Math.min(5 + round, 50));
  }
  return find().length === 0;
}

function readEntry(pid: number): ProcessEntry | null {
  const stat = readProc(pid, 'stat');
  if (stat === null) return null;
  // The command may hold spaces and parentheses; what follows its last one does not.
  const fields = stat.slice(stat.lastIndexOf(')') + 2).split(' ');
  const [state, parent, , session] = fields;
  if (state === undefined || state === 'Z' || state === 'X') return null;
  return {
    pid,
    parent: Number(parent),
    session: Number(session),
    startTicks: fields[19] ?? '',
    residentPages: Number(fields[21]),
  };
}

function readProc(pid: number, name: string): string | null {
  try {
    return readFileSync(`/proc/${pid}/${name}`, 'latin1');
  } catch (error) {
    const code = errnoOf(error);
    if (code === 'ENOENT' || code === 'ESRCH' || code === 'EACCES' || code === 'EPERM') return null;
    throw error;
  }
}
