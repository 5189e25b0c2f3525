import { spawn } from 'node:child_process';
import { closeSync, mkdirSync, openSync, readFileSync } from 'node:fs';
import { createRequire } from 'node:module';
import { setTimeout as delay } from 'node:timers/promises';
import { endpointVariable } from '@swissbrain/sandbox-runtime/protocol';
import {
  readEndpoint,
  type SessionEndpoint,
  sessionPaths,
} from '@swissbrain/sandbox-runtime/session-directory';
import type { SessionLimits } from './driver.ts';
import { SandboxError } from './errors.ts';

export interface LocalRuntimeSettings {
  /** A session ends after this long without a request while nothing runs. */
  readonly idleSeconds: number;
  /** A session ends after this long, whatever it does. */
  readonly lifetimeSeconds: number;
  /** The PATH in which the runtime looks for python3. */
  readonly searchPath: string;
}

const startDeadlineMs = 30_000;
const pollMs = 10;

/**
 * The endpoint that was announced in this session's folder, of a runtime that may have ended since; when there is
 * none, that of a new runtime.
 * @throws SandboxError `sandbox_start_failed`
 */
export async function findOrStartRuntime(
  settings: LocalRuntimeSettings,
  directory: string,
  secret: string,
  limits: SessionLimits,
  signal?: AbortSignal,
): Promise<SessionEndpoint> {
  const found = readEndpoint(directory);
  if (found) return found;
  mkdirSync(directory, { recursive: true, mode: 0o700 });
  const exited = new AbortController();
  startRuntimeProcess(settings, directory, secret, limits, (code) => exited.abort(code));
  const deadline = AbortSignal.timeout(startDeadlineMs);
  for (;;) {
    // Looked at before the endpoint: a runtime that finds the session taken exits once the other one is announced.
    const over = exited.signal.aborted || deadline.aborted;
    const endpoint = readEndpoint(directory);
    if (endpoint) return endpoint;
    signal?.throwIfAborted();
    if (over) throw startFailed(directory, exited.signal);
    await delay(pollMs);
  }
}

/** The runtime leads a process group of its own and holds no pipe of ours, so that it survives our end. */
function startRuntimeProcess(
  settings: LocalRuntimeSettings,
  directory: string,
  secret: string,
  limits: SessionLimits,
  onExit: (code: number | null) => void,
): void {
  const paths = sessionPaths(directory);
  const log = openSync(paths.log, 'a', 0o600);
  const main = createRequire(import.meta.url).resolve('@swissbrain/sandbox-runtime/main');
  const child = spawn(process.execPath, [main], {
    cwd: directory,
    detached: true,
    stdio: ['pipe', log, log],
    env: {
      PATH: settings.searchPath,
      [endpointVariable]: paths.endpoint,
      SANDBOX_WORKSPACE: paths.workspace,
      SANDBOX_SCRATCH: paths.scratch,
      SANDBOX_STATE: paths.state,
      SANDBOX_MEMORY_MB: String(limits.memoryMb),
      SANDBOX_DISK_MB: String(limits.diskMb),
      SANDBOX_WALL_SECONDS: String(limits.seconds),
      SANDBOX_IDLE_SECONDS: String(settings.idleSeconds),
      SANDBOX_LIFETIME_SECONDS: String(settings.lifetimeSeconds),
    },
  });
  closeSync(log);
  child.once('exit', (code) => onExit(code));
  child.once('error', () => onExit(null));
  // A runtime that has ended before it read its secret says why in its log.
  child.stdin?.on('error', () => undefined);
  child.stdin?.end(`${secret}\n`);
  child.unref();
}

function startFailed(directory: string, exited: AbortSignal): SandboxError {
  const how = exited.aborted ? `it exited with ${String(exited.reason)}` : 'it took too long';
  const log = readFileSync(sessionPaths(directory).log, 'utf8').trim().slice(-2_000);
  return new SandboxError(
    'infrastructure',
    'sandbox_start_failed',
    `the sandbox did not start: ${how}${log === '' ? '' : `\n${log}`}`,
  );
}
