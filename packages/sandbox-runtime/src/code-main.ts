import { randomBytes } from 'node:crypto';
import { connect, type Socket } from 'node:net';
import { setTimeout as delay } from 'node:timers/promises';
import { readCodeConfig } from './code-config.ts';
import { createLocalCodeHost } from './code-host.ts';
import { createCodeServer } from './serve-code.ts';
import { serveLink } from './serve-link.ts';

// The supervisor of the code container: its first process. It connects to the runtime before any user's program runs,
// does as that says and ends with it. A signal for its end is not handled on purpose: the first process of a container
// gets only those that it handles, so that no program can send it one.

const connectAttempts = 2_400;
const shortestPauseMs = 5;
const longestPauseMs = 50;

function fail(error: unknown): never {
  process.stderr.write(`${error instanceof Error ? (error.stack ?? error.message) : String(error)}\n`);
  process.exit(1);
}

/** The runtime may start later than we do. */
async function connectToRuntime(path: string): Promise<Socket> {
  for (let attempt = 1; ; attempt += 1) {
    const socket = connect(path);
    const error = await new Promise<Error | null>((resolve) => {
      socket.once('connect', () => resolve(null));
      socket.once('error', resolve);
    });
    if (error === null) return socket;
    if (attempt === connectAttempts) throw new Error('the runtime cannot be reached', { cause: error });
    await delay(Math.min(shortestPauseMs * attempt, longestPauseMs));
  }
}

process.on('uncaughtException', fail);
process.on('unhandledRejection', fail);
const config = readCodeConfig(process.env);
const host = await createLocalCodeHost({ ...config, instance: randomBytes(16).toString('hex') });
const socket = await connectToRuntime(config.socket);
await serveLink(socket, createCodeServer(host));
process.exit(0);
