import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { createInterface } from 'node:readline';
import { fileURLToPath } from 'node:url';
import { z } from 'zod';

const listening = z.object({ msg: z.literal('listening'), url: z.url() });

/** The service as a process that can be killed. */
export async function startProcess(environment: Readonly<Record<string, string>>) {
  const main = fileURLToPath(new URL('../src/main.ts', import.meta.url));
  const child = spawn(process.execPath, [main], {
    env: { ...environment, LOG_LEVEL: 'info' },
    stdio: ['ignore', 'pipe', 'inherit'],
  });
  const exited = once(child, 'exit');
  const { promise, resolve, reject } = Promise.withResolvers<string>();
  void exited.then(([code]) => reject(new Error(`credits ended with ${code}`)));
  createInterface({ input: child.stdout }).on('line', (line) => {
    const parsed = listening.safeParse(line.startsWith('{') ? JSON.parse(line) : null);
    if (parsed.success) resolve(parsed.data.url);
  });
  const kill = async () => {
    child.kill('SIGKILL');
    await exited;
  };
  return { url: await promise, kill };
}
