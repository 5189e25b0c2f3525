import { randomBytes } from 'node:crypto';
import type { Server } from 'node:http';
import { acceptCode } from './accept-code.ts';
import { wallClockMs } from './clock.ts';
import { type CodeHost, createLocalCodeHost } from './code-host.ts';
import { type CodeLink, createCodeLink } from './code-link.ts';
import type { RuntimeConfig } from './config.ts';
import { openExecutionStore } from './execution-store.ts';
import { createExecutions, type Executions } from './executions.ts';
import { watchLifetime } from './lifetime.ts';
import { processIdentity } from './processes.ts';
import { createRemoteCodeHost } from './remote-code-host.ts';
import { createReplayGuard } from './replay-guard.ts';
import { createRoutes } from './routes.ts';
import { openServer, serveRoutes } from './server.ts';
import { announceEndpoint } from './session-directory.ts';
import { deriveKeys } from './signing.ts';

export interface Runtime {
  readonly port: number;
  /** Ends all programs, then the server; safe to call again. */
  stop(): Promise<void>;
  /** Resolves when the runtime has stopped, for whatever reason. */
  readonly stopped: Promise<void>;
}

/** How long a runtime answers whose code container is gone. */
const afterlifeMs = 60_000;

/** Another runtime serves this session already. */
export class SessionTaken extends Error {
  constructor() {
    super('another runtime serves this session');
    this.name = 'SessionTaken';
  }
}

/** Starts a session's runtime: it answers when this resolves. @throws SessionTaken */
export async function startRuntime(config: RuntimeConfig, secret: string): Promise<Runtime> {
  const instance = randomBytes(16).toString('hex');
  const { host, link } = await openCodeHost(config, instance);
  const server = await openServer(config.host, config.port);
  const port = portOf(server);
  // From here to `serveRoutes` nothing is awaited: who reads the announcement is answered, and the records of the
  // session are touched only by the one runtime that may announce itself.
  if (config.endpointFile !== null && !announce(config.endpointFile, port, instance)) {
    server.close();
    throw new SessionTaken();
  }
  const executions = createExecutions({
    host,
    store: openExecutionStore(config.stateDir),
    graceMs: config.killGraceMs,
    maxProcesses: config.maxProcesses,
    diskMb: config.diskMb,
    closedAs: link === null ? 'killed' : 'lost',
  });
  const { promise: stopped, resolve, reject } = Promise.withResolvers<void>();
  let stopping = false;
  const stop = () => {
    if (!stopping) {
      stopping = true;
      lifetime.stop();
      closeAll(server, executions).then(resolve, reject);
    }
    return stopped;
  };
  const limits = { idleMs: config.idleSeconds * 1000, lifetimeMs: config.lifetimeSeconds * 1000 };
  const lifetime = watchLifetime(limits, () => executions.runningCount() > 0, stop);
  const caps = { wallMs: config.wallSeconds * 1000, memoryMb: config.memoryMb };
  // What is left to do without programs is to tell who asks how they ended.
  link?.broken.then((why) => {
    process.stderr.write(`the code container is gone: ${why}\n`);
    setTimeout(stop, afterlifeMs).unref();
  }, reject);
  serveRoutes(server, {
    keys: deriveKeys(secret),
    guard: createReplayGuard(wallClockMs),
    routes: createRoutes({ host, executions, caps, diskMb: config.diskMb, shutDown: stop }),
    onRequest: () => lifetime.used(),
  });
  return { port, stop, stopped };
}

async function openCodeHost(
  config: RuntimeConfig,
  instance: string,
): Promise<{ readonly host: CodeHost; readonly link: CodeLink | null }> {
  if (config.codeSocket === null) {
    return { host: await createLocalCodeHost({ ...config, instance }), link: null };
  }
  const link = createCodeLink(await acceptCode(config.codeSocket));
  const host = createRemoteCodeHost(link);
  // Shows that the connection works on this machine before anybody relies on it.
  await host.usage();
  return { host, link };
}

function portOf(server: Server): number {
  const address = server.address();
  if (address === null || typeof address === 'string') throw new Error('the server has no port');
  return address.port;
}

function announce(file: string, port: number, instance: string): boolean {
  const identity = processIdentity(process.pid);
  if (identity === null) throw new Error('this process is not in the process table');
  return announceEndpoint(file, { pid: process.pid, identity, port, instance });
}

async function closeAll(server: Server, executions: Executions): Promise<void> {
  const closed = new Promise<void>((resolve) => server.close(() => resolve()));
  await executions.close();
  // Answers about the ends just written go out before idle and stuck connections are cut.
  server.closeIdleConnections();
  const cut = setTimeout(() => server.closeAllConnections(), 500);
  await closed;
  clearTimeout(cut);
}
