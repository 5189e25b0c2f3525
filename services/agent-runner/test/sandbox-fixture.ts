import { randomUUID } from 'node:crypto';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { destroySession, sessionNames } from '@swissbrain/sandbox-runtime/session-directory';
import type { ExecuteRequest, ExecutionResult, OpenSession, SandboxSession } from '../src/sandbox/driver.ts';
import { createLocalDriver, type LocalDriverOptions } from '../src/sandbox/local-driver.ts';

const sessionLimits = { tier: 'free', cpuMillis: 1_000, memoryMb: 512, diskMb: 64, seconds: 30 };
export const driverSecret = 'the sandbox secret of agent-runner in a test';

export interface Sandboxes {
  readonly directory: string;
  /** A driver as a process of the service has it; `overrides` change its settings. */
  driver(overrides?: Partial<LocalDriverOptions>): ReturnType<typeof createLocalDriver>;
  request(overrides?: Partial<OpenSession>): OpenSession;
  /** Ends and removes every session. */
  clear(): Promise<void>;
}

/** A folder for sessions of its own. */
export async function createSandboxes(): Promise<Sandboxes> {
  const directory = await mkdtemp(join(tmpdir(), 'swissbrain-sandboxes-'));
  return {
    directory,
    driver: (overrides = {}) =>
      createLocalDriver({
        directory,
        secret: driverSecret,
        environment: 'test',
        idleSeconds: 120,
        lifetimeSeconds: 600,
        searchPath: process.env.PATH ?? '',
        ...overrides,
      }),
    request: (overrides = {}) => ({ runId: randomUUID(), sessionNo: 1, limits: sessionLimits, ...overrides }),
    async clear() {
      await Promise.all(sessionNames(directory).map((name) => destroySession(join(directory, name))));
      await rm(directory, { recursive: true, force: true });
    },
  };
}

export interface Collected {
  readonly result: ExecutionResult;
  readonly stdout: string;
  readonly stderr: string;
}

/** Executes and gathers the output as text. */
export async function collect(
  session: SandboxSession,
  request: Partial<ExecuteRequest> & { readonly code?: string; readonly file?: string },
): Promise<Collected> {
  const output = { stdout: [] as Uint8Array[], stderr: [] as Uint8Array[] };
  const whole = { executionId: randomUUID(), language: 'javascript', ...request } as ExecuteRequest;
  const result = await session.execute(whole, ({ stream, data }) => void output[stream].push(data));
  return {
    result,
    stdout: Buffer.concat(output.stdout).toString(),
    stderr: Buffer.concat(output.stderr).toString(),
  };
}
