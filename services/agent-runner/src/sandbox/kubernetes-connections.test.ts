import { once } from 'node:events';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { BatchV1Api, type ConfigurationOptions, KubeConfig } from '@kubernetes/client-node';
import { afterAll, beforeAll, expect, it } from 'vitest';
import { type Middleware, sharedConnections } from './kubernetes-connections.ts';

const requests = 12;
let connections = 0;
const server = createServer((_request, response) => {
  response.setHeader('content-type', 'application/json').end('{"items":[]}');
}).on('connection', () => {
  connections += 1;
});
beforeAll(async () => {
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
});
afterAll(() => {
  server.closeAllConnections();
  server.close();
});

/** Asks so often, one after the other; returns how many connections it took. */
async function connectionsOf(middleware: readonly Middleware[]): Promise<number> {
  const config = new KubeConfig();
  const { port } = server.address() as AddressInfo;
  const cluster = { name: 'here', server: `http://127.0.0.1:${port}`, skipTLSVerify: true };
  config.loadFromClusterAndUser(cluster, { name: 'somebody', token: 'token' });
  const api = config.makeApiClient(BatchV1Api);
  const before = connections;
  for (let time = 0; time < requests; time += 1) {
    const options: ConfigurationOptions = { middlewareMergeStrategy: 'append', middleware: [...middleware] };
    await api.listNamespacedJob({ namespace: 'default' }, options);
  }
  return connections - before;
}

it('requests share a few connections, which the client does not see to itself', async () => {
  expect(await connectionsOf([])).toBe(requests);
  // A request that comes right after another may find its connection not free yet.
  expect(await connectionsOf([sharedConnections()])).toBeLessThan(requests / 2);
});

it('connections are made anew when what they were made with may have changed', async () => {
  let nowMs = 0;
  const clock = () => {
    nowMs += 600_000;
    return nowMs;
  };
  expect(await connectionsOf([sharedConnections(clock)])).toBe(requests);
});
