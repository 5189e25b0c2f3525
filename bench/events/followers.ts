/** Clients that follow one run. Each line on the input drops all of them and lets them come back at once. */
import { once } from 'node:events';
import { type ClientRequest, request } from 'node:http';
import { createInterface } from 'node:readline';
import { setTimeout as delay } from 'node:timers/promises';
import { z } from 'zod';

const { EVENTS_URL, TOKEN, FOLLOWERS } = z
  .object({ EVENTS_URL: z.url(), TOKEN: z.string(), FOLLOWERS: z.coerce.number().int() })
  .parse(process.env);
const retryMs = 100;
let clients: ClientRequest[] = [];

async function follow(): Promise<ClientRequest> {
  const client = request(EVENTS_URL, { headers: { authorization: `Bearer ${TOKEN}` }, agent: false });
  client.end();
  const [response] = await once(client, 'response');
  // A service that has too much to do says so, and a client comes again.
  if (response.statusCode === 503) {
    response.resume();
    await delay(retryMs);
    return follow();
  }
  if (response.statusCode !== 200) throw new Error(`a follower was answered ${response.statusCode}`);
  client.on('error', () => {});
  response.on('error', () => {});
  await once(response, 'data');
  response.resume();
  return client;
}
async function comeBack(): Promise<void> {
  for (const client of clients) client.destroy();
  clients = await Promise.all(Array.from({ length: FOLLOWERS }, follow));
}

process.stdout.write(`${JSON.stringify({ ready: true })}\n`);
for await (const _line of createInterface({ input: process.stdin })) {
  await comeBack();
  process.stdout.write(`${JSON.stringify({ followers: clients.length })}\n`);
}
for (const client of clients) client.destroy();
