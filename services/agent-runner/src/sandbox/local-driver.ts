import { createHmac } from 'node:crypto';
import { join } from 'node:path';
import {
  destroySession,
  endpointLives,
  sessionNames,
  stopSession,
} from '@swissbrain/sandbox-runtime/session-directory';
import { z } from 'zod';
import type { OpenSession, SandboxDriver, SandboxSession } from './driver.ts';
import { SandboxError, sandboxLost } from './errors.ts';
import { findOrStartRuntime, type LocalRuntimeSettings } from './local-runtime.ts';
import { createRuntimeClient } from './runtime-client.ts';
import { createRuntimeSession } from './runtime-session.ts';

export interface LocalDriverOptions extends LocalRuntimeSettings {
  /** Absolute path of the folder that holds one folder per session. */
  readonly directory: string;
  /** The service's own secret, from which that of each session is derived; at least 32 characters. */
  readonly secret: string;
  /** NODE_ENV of the service. */
  readonly environment: string;
}

/** A process of this machine ends for no reason that is known to us. */
const runtimeEnded = { code: 'ended', why: 'its runtime has ended' } as const;

const namePattern = /^([0-9a-f-]{36})-(\d{1,9})$/;

/**
 * Runs sandboxes as ordinary processes of this machine, for development: limits and clean-up hold, isolation there
 * is none. A session outlives the service's process, so that its successor finds it with the program still running.
 * @throws Error in production, and when the secret is too short
 */
export function createLocalDriver(options: LocalDriverOptions): SandboxDriver {
  if (options.environment === 'production') {
    throw new Error('the local sandbox driver isolates nothing and is refused in production');
  }
  if (options.secret.length < 32) throw new Error('the sandbox secret has at least 32 characters');
  const directoryOf = (name: string) => join(options.directory, name);

  return {
    openSession: async (request) =>
      openLocalSession(options, sessionName(request.runId, request.sessionNo), request),
    async removeSession(runId, sessionNo) {
      await destroySession(directoryOf(sessionName(runId, sessionNo)));
    },
    async sweep(isLive) {
      let removed = 0;
      for (const name of sessionNames(options.directory)) {
        const [, runId, sessionNo] = namePattern.exec(name) ?? [];
        if (runId === undefined || (await isLive(runId, Number(sessionNo)))) continue;
        await destroySession(directoryOf(name));
        removed += 1;
      }
      return removed;
    },
  };
}

async function openLocalSession(
  options: LocalDriverOptions,
  name: string,
  { limits, signal }: OpenSession,
): Promise<SandboxSession> {
  const directory = join(options.directory, name);
  const secret = createHmac('sha256', options.secret).update(`sandbox session ${name}`).digest('hex');
  const endpoint = await findOrStartRuntime(options, directory, secret, limits, signal);
  if (!endpointLives(endpoint)) {
    // Its programs may have outlived it and must not go on beside the session that takes its place.
    await stopSession(directory);
    throw sandboxLost(name, runtimeEnded);
  }
  const client = createRuntimeClient({
    host: '127.0.0.1',
    port: endpoint.port,
    secret,
    session: name,
    whyGone: async () => (endpointLives(endpoint) ? null : runtimeEnded),
  });
  const session = createRuntimeSession(name, client, () => destroySession(directory));
  try {
    // Proves that it is our runtime that answers there.
    await client.json({ method: 'GET', target: '/health', signal }, z.unknown());
    return session;
  } catch (error) {
    session.detach();
    throw error;
  }
}

function sessionName(runId: string, sessionNo: number): string {
  const name = `${runId}-${sessionNo}`;
  if (namePattern.test(name)) return name;
  throw new SandboxError('user', 'session_invalid', 'a session is named by a run id and a number');
}
