import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { createInterface } from 'node:readline';
import { fileURLToPath } from 'node:url';
import { z } from 'zod';

/** agent-runner as the process that it is in production. */
export interface WorkerProcess {
  readonly url: string;
  /** kill -9; harmless when it has ended. */
  kill(): Promise<void>;
  /** SIGTERM; resolves with the exit status. */
  stop(): Promise<number | null>;
}

/** A process that has read its program, if that waits for a word, and does nothing yet. */
export interface PreparedWorker {
  /** Resolves when it listens. */
  begin(): Promise<WorkerProcess>;
  kill(): Promise<void>;
}

const listening = z.object({ msg: z.literal('listening'), url: z.url() });

/** Starts a program beside this file that waits for a word when WAIT_FOR_WORD is set. */
export function prepareWorkerProcess(
  environment: Readonly<Record<string, string>>,
  program = '../../src/main.ts',
): PreparedWorker {
  const main = fileURLToPath(new URL(program, import.meta.url));
  const child = spawn(process.execPath, [main], {
    env: { ...environment, LOG_LEVEL: 'info' },
    stdio: ['pipe', 'pipe', 'inherit'],
  });
  const exited = once(child, 'exit');
  // Killed before it was told, it reads nothing any more.
  child.stdin.on('error', () => {});
  const { promise, resolve, reject } = Promise.withResolvers<string>();
  promise.catch(() => {});
  void exited.then(([code]) => reject(new Error(`agent-runner ended with ${code}`)));
  createInterface({ input: child.stdout }).on('line', (line) => {
    if (!line.startsWith('{')) return;
    const parsed = listening.safeParse(JSON.parse(line));
    if (parsed.success) resolve(parsed.data.url);
  });
  const kill = async () => {
    child.kill('SIGKILL');
    await exited;
  };
  return {
    kill,
    async begin() {
      child.stdin.end('begin\n');
      const url = await promise;
      return {
        url,
        kill,
        async stop() {
          child.kill('SIGTERM');
          const [code] = await exited;
          return code;
        },
      };
    },
  };
}

/** Starts the service's main.ts, or another program beside this file, and waits until it listens. */
export function startWorkerProcess(
  environment: Readonly<Record<string, string>>,
  program?: string,
): Promise<WorkerProcess> {
  return prepareWorkerProcess(environment, program).begin();
}
