import { randomUUID } from 'node:crypto';
import { expect } from 'vitest';
import type { ExecuteRequest, ExecutionResult, SandboxSession } from '../src/sandbox/driver.ts';

/** A stranger's program, and what must be true of it. */
export interface Stranger {
  /** What it tries, after "a program that". */
  readonly tries: string;
  readonly code: string;
  readonly request?: Omit<Partial<ExecuteRequest>, 'code' | 'file'>;
  /** Why only a container can pass it; elsewhere it is not run, since it would harm the machine. */
  readonly containerOnly?: string;
  /** It ends the programs that run beside it; their ends are told, and nothing else changes. */
  readonly endsOthers?: 'killed' | 'disk';
  /** It ends its own launcher, which would have reaped what it leaves: the dead stay in the table of its pod. */
  readonly leavesDead?: boolean;
  /** A program that removes what it has left, where nothing else may run before that. */
  readonly makesRoom?: string;
  /** What others do from its first output on. `ended` fires with its end. */
  meanwhile?(session: SandboxSession, ended: AbortSignal, spare: SandboxSession): Promise<void>;
  /** What must be true when it has ended; else it ended by itself with exit code 0. */
  expects?(seen: Seen): void | Promise<void>;
}

export interface Seen {
  readonly session: SandboxSession;
  /** Another session, which may be given what comes of this one. */
  readonly spare: SandboxSession;
  readonly result: ExecutionResult;
  readonly stdout: Buffer;
  readonly stderr: Buffer;
}

/** Runs `/bin/sh` with this script; its output and exit code are the program's. */
export const shell = (script: string) => `
  const { spawnSync } = await import('node:child_process');
  process.exitCode = spawnSync('/bin/sh', ['-c', ${JSON.stringify(script)}], { stdio: 'inherit' }).status ?? 1;`;

export const exited = (exitCode: number) => (seen: Seen) => {
  expect(seen.result).toMatchObject({ reason: 'exited', exitCode, signal: null });
};
export const says = (expected: string) => (seen: Seen) => {
  expect(seen.stdout.toString()).toBe(expected);
  expect(seen.result).toMatchObject({ reason: 'exited', exitCode: 0 });
};
export const endsAs = (reason: string, message: RegExp) => (seen: Seen) => {
  expect(seen.result.reason).toBe(reason);
  expect(seen.result.message).toMatch(message);
};
/** The stdout of a program that has nothing to hide. */
export async function outputOf(session: SandboxSession, code: string): Promise<string> {
  const pieces: Uint8Array[] = [];
  const request = { executionId: randomUUID(), language: 'javascript', code } as const;
  const { exitCode } = await session.execute(request, ({ data }) => void pieces.push(data));
  expect(exitCode).toBe(0);
  return Buffer.concat(pieces).toString();
}
/** Makes a folder outside the workspace that nobody would miss. */
export const outside = `import { mkdtempSync, symlinkSync, writeFileSync } from 'node:fs';
  const out = mkdtempSync(process.env.TMPDIR + '/out-'); writeFileSync(out + '/secret', 'not for you');`;
/** The disk is full for who runs beside it, too, until a program makes room. */
export const fillsTheDisk = {
  request: { limits: { wallMs: 20_000 } },
  endsOthers: 'disk',
  expects: endsAs('disk', /full/),
  makesRoom: shell(
    'chmod -R u+rwx ./shut; rm -rf ./bad* ./shut ./link* ./one ./.swissbrain-mine "$TMPDIR/fill"',
  ),
} as const;
export const refused = (code: string) => ({ fault: 'user', code });
