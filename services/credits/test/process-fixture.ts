import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { createInterface } from 'node:readline';
import { fileURLToPath } from 'node:url';
import { z } from 'zod';

const listening = z.object({ msg: z.literal('listening'), url: z.url(), time: z.iso.datetime() });

/** The service as a process that can be killed, with a wall clock that is so far off. */
export async function startProcess(
  environment: Readonly<Record<string, string>>,
  { clockOffsetMs = 0 }: { clockOffsetMs?: number } = {},
) {
  const main = fileURLToPath(new URL('../src/main.ts', import.meta.url));
  const preload = new URL('./shifted-clock.ts', import.meta.url).href;
  const child = spawn(process.execPath, ['--import', preload, main], {
    env: { ...environment, LOG_LEVEL: 'info', TEST_CLOCK_OFFSET_MS: String(clockOffsetMs) },
    stdio: ['ignore', 'pipe', 'inherit'],
  });
  const exited = once(child, 'exit');
  const { promise, resolve, reject } = Promise.withResolvers<z.infer<typeof listening>>();
  void exited.then(([code]) => reject(new Error(`credits ended with ${code}`)));
  createInterface({ input: child.stdout }).on('line', (line) => {
    const parsed = listening.safeParse(line.startsWith('{') ? JSON.parse(line) : null);
    if (parsed.success) resolve(parsed.data);
  });
  const kill = async () => {
    child.kill('SIGKILL');
    await exited;
  };
  const { url, time } = await promise;
  return { url, startedAt: time, kill };
}
