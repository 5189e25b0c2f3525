import { connect, createServer, type Socket } from 'node:net';

/** A way to a server whose other end can vanish without a word, as a node does when its power is cut. */
export interface FreezingProxy {
  /** The server's URL, by way of the proxy. */
  readonly url: string;
  /** From now on no byte passes on the connections there are, and none of them ends. New ones work. */
  freeze(): void;
  stop(): Promise<void>;
}

/** Starts a proxy on a free port of this machine before the server at `url`. */
export async function startFreezingProxy(url: string): Promise<FreezingProxy> {
  const target = new URL(url);
  const pairs = new Set<readonly [Socket, Socket]>();
  const server = createServer((near) => {
    const far = connect(Number(target.port), target.hostname);
    const pair = [near, far] as const;
    pairs.add(pair);
    near.pipe(far).pipe(near);
    for (const socket of pair) {
      socket.on('error', () => socket.destroy());
      socket.on('close', () => {
        // A frozen pair is not told of each other's end.
        if (pairs.delete(pair)) for (const one of pair) one.destroy();
      });
    }
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  const frozen: Socket[] = [];
  const here = new URL(url);
  here.hostname = '127.0.0.1';
  here.port = String((server.address() as { port: number }).port);
  return {
    url: here.href,
    freeze() {
      for (const pair of pairs) {
        const [near, far] = pair;
        pairs.delete(pair);
        near.unpipe(far);
        far.unpipe(near);
        frozen.push(near, far);
      }
    },
    async stop() {
      for (const socket of [...frozen, ...[...pairs].flat()]) socket.destroy();
      await new Promise((resolve) => server.close(resolve));
    },
  };
}
