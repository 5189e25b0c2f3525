/**
 * The second baseline: plain BullMQ, one no-op job a step; a chain adds its next job when one is done.
 * No row, no event, no money: the floor of a queue alone. Same protocol as dbos-workflows.ts.
 */
import { createInterface } from 'node:readline';
import { Queue, Worker } from 'bullmq';
import { Redis } from 'ioredis';
import { z } from 'zod';

const request = z.object({ workflows: z.number().int().positive(), steps: z.number().int().positive() });
const payload = z.object({ chain: z.number().int(), left: z.number().int() });
const redisUrl = z.string().parse(process.env.REDIS_URL);

const connections = [1, 2].map(() => new Redis(redisUrl, { maxRetriesPerRequest: null }));
const [forQueue, forWorker] = connections;
if (!forQueue || !forWorker) throw new Error('two connections are needed');
const queue = new Queue('bench-noop', { connection: forQueue });
let finished: ((chain: number) => void) | undefined;
const stepMs: number[] = [];
const lastStepAt = new Map<number, number>();
const worker = new Worker(
  'bench-noop',
  async (job) => {
    const { chain, left } = payload.parse(job.data);
    const now = performance.now();
    const last = lastStepAt.get(chain);
    if (last !== undefined) stepMs.push(now - last);
    lastStepAt.set(chain, now);
    if (left > 1) await queue.add('noop', { chain, left: left - 1 }, { removeOnComplete: true });
    else finished?.(chain);
  },
  { connection: forWorker, concurrency: 50 },
);
// A lost chain would leave the measurement waiting for ever.
worker.on('failed', (_job, error) => {
  throw error;
});
worker.on('error', (error) => {
  throw error;
});
await worker.waitUntilReady();
process.stdout.write('{"ready":true}\n');

for await (const line of createInterface({ input: process.stdin })) {
  const { workflows, steps } = request.parse(JSON.parse(line));
  stepMs.length = 0;
  lastStepAt.clear();
  const before = performance.now();
  await new Promise<void>((resolve, reject) => {
    let open = workflows;
    finished = () => {
      open -= 1;
      if (open === 0) resolve();
    };
    const first = Array.from({ length: workflows }, (_, chain) => ({
      name: 'noop',
      data: { chain, left: steps },
      opts: { removeOnComplete: true },
    }));
    queue.addBulk(first).catch(reject);
  });
  const seconds = (performance.now() - before) / 1000;
  process.stdout.write(`${JSON.stringify({ seconds, stepMs })}\n`);
}
await worker.close();
await queue.close();
// BullMQ leaves connections that it was given open, and they would keep this process alive.
for (const connection of connections) connection.disconnect();
