import { randomInt } from 'node:crypto';
import { createServer } from 'node:net';

// Below the ephemeral ranges of Linux (32768 up) and macOS (49152 up): the kernel hands ports of those ranges
// to outgoing connections, so one that was free a moment ago may be taken when a server asks for it.
const firstPort = 20_000;
const lastPort = 32_000;
const attempts = 200;

const handedOut = new Set<number>();

/**
 * A TCP port of 127.0.0.1 that nobody listens on. The same port is never given twice by one process, so that
 * servers which start at the same time do not meet.
 * @throws when no free port was found
 */
export async function freePort(): Promise<number> {
  for (let attempt = 0; attempt < attempts; attempt += 1) {
    const port = randomInt(firstPort, lastPort);
    if (handedOut.has(port)) continue;
    if (await isFree(port)) {
      handedOut.add(port);
      return port;
    }
  }
  throw new Error(`no free port found between ${firstPort} and ${lastPort} on 127.0.0.1`);
}

/** Whether a server could listen on this port of 127.0.0.1 now. */
export function isFree(port: number): Promise<boolean> {
  return new Promise((resolve, reject) => {
    const server = createServer();
    server.once('error', (error: NodeJS.ErrnoException) => {
      if (error.code === 'EADDRINUSE' || error.code === 'EACCES') resolve(false);
      else reject(error);
    });
    server.listen({ port, host: '127.0.0.1', exclusive: true }, () => server.close(() => resolve(true)));
  });
}
