import { type ChildProcessByStdio, spawn } from 'node:child_process';
import { createInterface } from 'node:readline';
import type { Readable, Writable } from 'node:stream';
import { z } from 'zod';

/** A program in a process of its own that answers each line of JSON with one. */
export interface LineProgram {
  ask(request: unknown): Promise<unknown>;
  stop(): Promise<void>;
}

/**
 * Starts a program and waits until it says that it is ready.
 * @param prefix words before the command, of what takes it to another place
 */
export async function startLineProgram(
  file: string,
  environment: Readonly<Record<string, string>>,
  prefix: readonly string[] = [],
): Promise<LineProgram> {
  const [command = process.execPath, ...words] = [...prefix, process.execPath, '--no-deprecation', file];
  const child: ChildProcessByStdio<Writable, Readable, null> = spawn(command, words, {
    env: { PATH: process.env.PATH ?? '', ...environment },
    stdio: ['pipe', 'pipe', 'inherit'],
  });
  const lines = createInterface({ input: child.stdout })[Symbol.asyncIterator]();
  const exited = new Promise<void>((resolve) => child.once('exit', () => resolve()));
  const next = async (): Promise<unknown> => {
    const { value, done } = await lines.next();
    if (done) throw new Error(`${file} has ended`);
    return JSON.parse(value);
  };
  z.object({ ready: z.literal(true) }).parse(await next());
  return {
    ask(request) {
      child.stdin.write(`${JSON.stringify(request)}\n`);
      return next();
    },
    async stop() {
      child.stdin.end();
      await exited;
    },
  };
}
