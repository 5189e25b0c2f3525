import { randomUUID } from 'node:crypto';
import { cp, mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { Server } from '@swissbrain/local-stack/server';

/** A throw-away server of a test. */
export interface TestServer {
  readonly url: string;
  /** Orderly stop, and everything it stored is removed. */
  stop(): Promise<void>;
  /** kill -9; what it had written stays. */
  kill(): Promise<void>;
  /** Starts it again at the same address, with what it had stored or, `empty`, without. */
  restart(options?: { readonly empty?: boolean }): Promise<void>;
  /** Copies what is stored while it is down for a moment; the function given back puts the server on that copy. */
  backup(): Promise<() => Promise<void>>;
}

export type StartServer = (options: { readonly dataDir: string; readonly port?: number }) => Promise<Server>;

/** Makes a server that can be killed and restarted in a temporary directory. */
export async function startTestServer(name: string, start: StartServer): Promise<TestServer> {
  const directory = await mkdtemp(join(tmpdir(), `swissbrain-test-${name}-`));
  const dataDir = join(directory, 'data');
  let server = await start({ dataDir });
  const { url, port } = server;
  return {
    url,
    async stop() {
      await server.stop();
      await rm(directory, { recursive: true, force: true });
    },
    kill: () => server.kill(),
    async restart({ empty = false } = {}) {
      await server.stop();
      if (empty) await rm(dataDir, { recursive: true, force: true });
      server = await start({ dataDir, port });
    },
    async backup() {
      const copy = join(directory, `backup-${randomUUID()}`);
      await server.stop();
      await cp(dataDir, copy, { recursive: true });
      server = await start({ dataDir, port });
      return async () => {
        await server.kill();
        await server.stop();
        await rm(dataDir, { recursive: true, force: true });
        await cp(copy, dataDir, { recursive: true });
        server = await start({ dataDir, port });
      };
    },
  };
}
