import { randomUUID } from 'node:crypto';
import { AppError } from '@swissbrain/service-kit/errors';
import { createJobs, type JobDefinition, type OpenJobs } from '@swissbrain/service-kit/jobs';
import { startFreezingProxy } from '@swissbrain/testkit/freezing-proxy';
import { startTestRedis } from '@swissbrain/testkit/redis';
import type { TestServer } from '@swissbrain/testkit/server';
import { waitFor } from '@swissbrain/testkit/wait';
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import { z } from 'zod';
import { systemClock } from '../src/clock.ts';
import { baseConfigSchema, parseConfig } from '../src/config.ts';
import { quietLog } from './stack.ts';

let redis: TestServer;
const opened: OpenJobs[] = [];
let count: JobDefinition<z.ZodObject<{ n: z.ZodNumber }>>;

beforeAll(async () => {
  redis = await startTestRedis();
});
afterAll(async () => redis.stop());
beforeEach(() => {
  count = {
    queue: randomUUID(),
    name: 'count',
    payload: z.object({ n: z.number().int() }),
    attempts: 3,
    backoffMs: 10,
  };
});
afterEach(async () => {
  for (const jobs of opened.splice(0)) await jobs.close();
});

function open(url = redis.url): OpenJobs {
  const config = parseConfig(baseConfigSchema, {
    DATABASE_URL: 'postgres://unused',
    NATS_URL: 'nats://unused',
    REDIS_URL: url,
    REDIS_TIMEOUT_MS: '6000',
    AUTH_JWT_SECRET: 'x'.repeat(32),
  });
  const jobs = createJobs('credits', config, quietLog, systemClock);
  opened.push(jobs);
  return jobs;
}

describe('jobs', () => {
  it('run once each, with their payload', async () => {
    const jobs = open();
    const done: number[] = [];
    jobs.work(count, { concurrency: 4 }, async ({ n }) => void done.push(n));
    await Promise.all([1, 2, 3, 4, 5].map((n) => jobs.add(count, { n })));
    await waitFor(() => done.length === 5);
    expect(done.toSorted()).toEqual([1, 2, 3, 4, 5]);
  });

  it('go on over new connections when Redis has vanished without a word', async () => {
    const proxy = await startFreezingProxy(redis.url);
    try {
      const jobs = open(proxy.url);
      const done: number[] = [];
      jobs.work(count, { concurrency: 2 }, async ({ n }) => void done.push(n));
      await jobs.add(count, { n: 1 });
      await waitFor(() => done.length === 1);
      proxy.freeze();
      await waitFor(
        async () => {
          // Adding says so while its own connection is the dead one.
          const added = await jobs.add(count, { n: 2 }, { jobId: 'again' }).then(
            () => true,
            (error: unknown) => !(error instanceof AppError && error.code === 'queue_unavailable'),
          );
          return added && done.includes(2);
        },
        { describe: 'the worker to take jobs again', timeoutMs: 60_000 },
      );
    } finally {
      for (const jobs of opened.splice(0)) await jobs.close();
      await proxy.stop();
    }
  }, 90_000);

  it('are not added twice while one of the same id waits, and can be added again afterwards', async () => {
    const jobs = open();
    const done: number[] = [];
    for (const n of [1, 2]) await jobs.add(count, { n }, { jobId: 'run:1' });
    jobs.work(count, { concurrency: 1 }, async ({ n }, { jobId }) => {
      expect(jobId).toBe('run.1');
      done.push(n);
    });
    await waitFor(() => done.length === 1);
    await waitFor(async () => {
      await jobs.add(count, { n: 3 }, { jobId: 'run:1' });
      return done.length === 2;
    });
    expect(done[0]).toBe(1);
    expect(done[1]).toBe(3);
  });

  it('are tried again, unless the failure says never', async () => {
    const jobs = open();
    const tries: number[] = [];
    jobs.work(count, { concurrency: 1 }, async ({ n }) => {
      tries.push(n);
      if (n === 1 && tries.filter((tried) => tried === 1).length < 3) throw new Error('not yet');
      if (n === 2) throw new AppError({ code: 'no', status: 422, title: 'No', detail: 'never' });
    });
    await jobs.add(count, { n: 2 });
    await jobs.add(count, { n: 1 });
    await waitFor(() => tries.filter((n) => n === 1).length === 3);
    expect(tries.filter((n) => n === 2)).toHaveLength(1);
  });

  it('refuse a payload that does not fit', async () => {
    await expect(open().add(count, { n: 1.5 })).rejects.toThrow(z.ZodError);
  });

  it('go back to the queue when the service stops', async () => {
    const first = open();
    const running = Promise.withResolvers<void>();
    first.work(count, { concurrency: 1 }, async (_payload, { signal }) => {
      running.resolve();
      await new Promise((_resolve, reject) => signal.addEventListener('abort', () => reject(signal.reason)));
    });
    await first.add(count, { n: 7 });
    await running.promise;
    opened.splice(opened.indexOf(first), 1);
    await first.close();
    const done: number[] = [];
    open().work(count, { concurrency: 1 }, async ({ n }) => void done.push(n));
    await waitFor(() => done.length === 1);
    expect(done).toEqual([7]);
  });

  it('fail to be added in bounded time without Redis, and flow again when it is back', async () => {
    const jobs = open();
    const done: number[] = [];
    jobs.work(count, { concurrency: 1 }, async ({ n }) => void done.push(n));
    await jobs.add(count, { n: 1 });
    await waitFor(() => done.length === 1);
    await redis.kill();
    await expect(jobs.add(count, { n: 2 }, { jobId: 'two' })).rejects.toMatchObject({
      code: 'queue_unavailable',
      retry: 'later',
    });
    await redis.restart();
    await waitFor(async () => {
      await jobs.add(count, { n: 3 }, { jobId: 'three' });
      return true;
    });
    await waitFor(() => done.includes(3));
  });

  it('flow again when Redis has lost everything', async () => {
    const jobs = open();
    const done: number[] = [];
    jobs.work(count, { concurrency: 1 }, async ({ n }) => void done.push(n));
    await jobs.add(count, { n: 1 });
    await waitFor(() => done.length === 1);
    await redis.kill();
    await redis.restart({ empty: true });
    await waitFor(async () => {
      await jobs.add(count, { n: 2 }, { jobId: 'two' });
      return true;
    });
    await waitFor(() => done.includes(2));
  });

  it('can be opened and closed without Redis', async () => {
    await redis.kill();
    const jobs = open();
    jobs.work(count, { concurrency: 1 }, async () => {});
    await expect(jobs.ping()).rejects.toMatchObject({ code: 'queue_unavailable' });
    opened.splice(opened.indexOf(jobs), 1);
    await jobs.close();
    await redis.restart();
  });
});
