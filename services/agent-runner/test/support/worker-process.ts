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

const listening = z.object({ msg: z.literal('listening'), url: z.url() });

/** Starts the service's main.ts, or another program beside this file, and waits until it listens. */
export async function startWorkerProcess(
  environment: Readonly<Record<string, string>>,
  program = '../../src/main.ts',
): Promise<WorkerProcess> {
  const main = fileURLToPath(new URL(program, import.meta.url));
  const child = spawn(process.execPath, [main], {
    env: { ...environment, LOG_LEVEL: 'info' },
    stdio: ['ignore', 'pipe', 'inherit'],
  });
  const exited = once(child, 'exit');
  const { promise, resolve, reject } = Promise.withResolvers<string>();
  void exited.then(([code]) => reject(new Error(`agent-runner ended with ${code}`)));
  createInterface({ input: child.stdout }).on('line', (line) => {
    if (!line.startsWith('{')) return;
    const parsed = listening.safeParse(JSON.parse(line));
    if (parsed.success) resolve(parsed.data.url);
  });
  const url = await promise;
  return {
    url,
    async kill() {
      child.kill('SIGKILL');
      await exited;
    },
    async stop() {
      child.kill('SIGTERM');
      const [code] = await exited;
      return code;
    },
  };
}
