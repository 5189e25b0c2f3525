import { createServer, type Server } from 'node:net';
import { afterEach, expect, test } from 'vitest';
import { freePort, isFree } from './ports.ts';

const open: Server[] = [];

afterEach(async () => {
  for (const server of open.splice(0)) await new Promise((resolve) => server.close(resolve));
});

function listen(port: number): Promise<void> {
  return new Promise((resolve, reject) => {
    const server = createServer();
    open.push(server);
    server.once('error', reject);
    server.listen(port, '127.0.0.1', resolve);
  });
}

test('a free port can be listened on, and then is free no more', async () => {
  const port = await freePort();
  expect(await isFree(port)).toBe(true);
  await listen(port);
  expect(await isFree(port)).toBe(false);
});

test('ports lie outside the range from which the kernel takes those of outgoing connections', async () => {
  const ports = await Promise.all(Array.from({ length: 20 }, freePort));
  for (const port of ports) expect(port).toBeLessThan(32_768);
});

test('no port is given twice', async () => {
  const ports = await Promise.all(Array.from({ length: 100 }, freePort));
  expect(new Set(ports).size).toBe(ports.length);
});
