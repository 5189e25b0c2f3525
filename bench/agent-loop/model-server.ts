/** The scripted model server in a process of its own; a line of JSON gives it its conversations. */
import { createInterface } from 'node:readline';
import { startModelServer } from '@swissbrain/testkit/model-server';
import { conversationsOf } from './conversations.ts';

const server = await startModelServer();
server.keepRequests = false;
server.conversations = conversationsOf();
process.stdout.write('{"ready":true}\n');
for await (const _line of createInterface({ input: process.stdin })) {
  process.stdout.write(`${JSON.stringify({ url: server.url, count: server.count })}\n`);
}
await server.stop();
