import { once } from 'node:events';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';

/** What the tools of effect-worker.ts change: a server that remembers who asked for what, and how often. */
export interface Outside {
  readonly url: string;
  /** Every request that was let through, with the step that it was made for. */
  readonly calls: readonly { readonly name: string; readonly stepId: string }[];
  /** Requests of this name get no answer before `let` is called. */
  hold(name: string): void;
  let(name: string): void;
  /** So many requests of this name are refused first, which is no effect. */
  refuse(name: string, times: number): void;
  /** Requests of this name that have arrived, answered or not. */
  arrived(name: string): number;
  /** A request that this says yes to has its effect and gets no answer: its worker is to be killed then. */
  stopAt(check: (name: string) => boolean): void;
  /** Whether a worker waits for such an answer; asking forgets it. */
  takeStopped(): boolean;
  stop(): void;
}

/** Starts it. Each answer takes a moment, in which the effect is there and nobody knows. */
export async function startOutside(): Promise<Outside> {
  const calls: { name: string; stepId: string }[] = [];
  const arrivals: string[] = [];
  const held = new Map<string, PromiseWithResolvers<void>>();
  const refusals = new Map<string, number>();
  let stops: (name: string) => boolean = () => false;
  let stopped = false;
  const server = createServer((request, response) => {
    const name = (request.url ?? '').slice(1);
    arrivals.push(name);
    const refused = refusals.get(name) ?? 0;
    if (refused > 0) {
      refusals.set(name, refused - 1);
      response.writeHead(503).end('not now');
      return;
    }
    calls.push({ name, stepId: String(request.headers['idempotency-key']) });
    if (stops(name)) {
      stopped = true;
      return;
    }
    void held.get(name)?.promise.then(() => response.end('done'));
    if (!held.has(name)) setTimeout(() => response.end('done'), 30);
  });
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  return {
    url: `http://127.0.0.1:${(server.address() as AddressInfo).port}`,
    calls,
    hold: (name) => void held.set(name, Promise.withResolvers<void>()),
    let: (name) => held.get(name)?.resolve(),
    refuse: (name, times) => void refusals.set(name, times),
    arrived: (name) => arrivals.filter((each) => each === name).length,
    stopAt(check) {
      stops = check;
    },
    takeStopped() {
      const taken = stopped;
      stopped = false;
      return taken;
    },
    stop() {
      server.closeAllConnections();
      server.close();
    },
  };
}
