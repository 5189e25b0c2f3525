import { join } from 'node:path';
import type { ServiceName } from '@swissbrain/shared-schema/ids';
import { startChild, stopChild, untilReady } from './child.ts';
import { type KeptAlive, keepAlive, type Mortal } from './keep-alive.ts';
import { logsDir } from './logs.ts';
import { onPort } from './server.ts';

export interface ServiceProcessOptions {
  readonly root: string;
  readonly dataDir: string;
  readonly service: ServiceName;
  readonly environment: (port: number) => Record<string, string>;
  readonly log: (line: string) => void;
  /** Gives up waiting. */
  readonly signal?: AbortSignal;
  /** Called as soon as a process exists, the first time and after each restart. */
  onSpawn(pid: number, url: string): Promise<void>;
}

/** A service that runs as a process of its own and comes back on the same port when it dies. */
export interface ServiceProcess {
  readonly service: ServiceName;
  readonly url: string;
  readonly kept: KeptAlive<Mortal>;
}

const readyWithinMs = 60_000;
// Longer than the service's own SHUTDOWN_DEADLINE_MS, after which it has given up by itself.
const stopWithinMs = 4_500;

/**
 * Starts one service with Node and waits until it is ready.
 * @throws with the end of its log when it ends or is not ready in time
 */
export async function startServiceProcess(options: ServiceProcessOptions): Promise<ServiceProcess> {
  const { service, root, dataDir } = options;
  const logFile = join(logsDir(dataDir), `${service}.log`);
  const spawn = async (port: number) => {
    const child = await startChild({
      name: service,
      command: process.execPath,
      args: [join(root, 'services', service, 'src', 'main.ts')],
      cwd: root,
      // Types are stripped and code compiled once, not at every start; Node checks that an entry fits its file.
      env: {
        NODE_COMPILE_CACHE: join(root, 'node_modules/.cache/node-compile'),
        ...options.environment(port),
      },
      logFile,
    });
    await options.onSpawn(child.pid, urlOf(port));
    const stop = async (): Promise<void> => {
      await stopChild(child, [{ signal: 'SIGTERM', waitMs: stopWithinMs }]);
    };
    return { child, running: { pid: child.pid, exited: child.exited, stop } };
  };

  const { port, first } = await onPort(undefined, async (candidate) => {
    const { child, running } = await spawn(candidate);
    try {
      await untilReady(child, () => isReady(urlOf(candidate)), readyWithinMs, options.signal);
    } catch (error) {
      await running.stop();
      throw error;
    }
    return { port: candidate, first: running };
  });
  const url = urlOf(port);
  let next: Mortal | undefined = first;
  const kept = await keepAlive<Mortal>({
    name: service,
    start: async () => {
      const running = next ?? (await spawn(port)).running;
      next = undefined;
      return running;
    },
    log: options.log,
  });
  return { service, url, kept };
}

function urlOf(port: number): string {
  return `http://127.0.0.1:${port}`;
}

async function isReady(url: string): Promise<boolean> {
  const response = await fetch(`${url}/readyz`, { signal: AbortSignal.timeout(2_000) });
  await response.body?.cancel();
  return response.ok;
}
