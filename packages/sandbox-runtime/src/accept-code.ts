import { once } from 'node:events';
import { rmSync } from 'node:fs';
import { createServer, type Socket } from 'node:net';

/** How long the other container may take to start. */
const acceptMs = 120_000;

/**
 * Awaits the code container on a Unix socket and takes one connection, ever: the socket is gone before any user's
 * program can be started.
 * @throws Error when nobody connects in time
 */
export async function acceptCode(path: string): Promise<Socket> {
  rmSync(path, { force: true });
  const server = createServer();
  const first = once(server, 'connection', { signal: AbortSignal.timeout(acceptMs) });
  // The two containers run under different users; nobody else sees the folder.
  server.listen({ path, readableAll: true, writableAll: true });
  server.once('error', (error) => {
    throw error;
  });
  try {
    const [socket] = (await first) as [Socket];
    return socket;
  } catch (error) {
    throw new Error('the code container did not connect', { cause: error });
  } finally {
    server.on('connection', (another: Socket) => another.destroy());
    server.close();
    rmSync(path, { force: true });
  }
}
