import { randomUUID } from 'node:crypto';
import { InMemorySpanExporter, SimpleSpanProcessor } from '@opentelemetry/sdk-trace';
import { startConsumers } from '@swissbrain/service-kit/consumer';
import { principalOf } from '@swissbrain/service-kit/http';
import type { RunningService } from '@swissbrain/service-kit/lifecycle';
import { appendEvents } from '@swissbrain/service-kit/outbox';
import { openPlatform, type Platform, serve } from '@swissbrain/service-kit/platform';
import { startTelemetry } from '@swissbrain/service-kit/telemetry';
import { currentTraceparent } from '@swissbrain/service-kit/trace-context';
import { defineRpc } from '@swissbrain/shared-schema/rpc/definition';
import { mintToken } from '@swissbrain/testkit/tokens';
import { waitFor } from '@swissbrain/testkit/wait';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { z } from 'zod';
import { type Stack, startStack, ticked } from './stack.ts';

const exporter = new InMemorySpanExporter();
const job = {
  queue: 'kit',
  name: 'after-tick',
  payload: z.object({ number: z.number() }),
  attempts: 1,
  backoffMs: 1,
};
const ask = defineRpc({
  service: 'credits',
  method: 'kit_traced',
  request: z.object({}),
  response: z.object({}),
  timeoutMs: 5_000,
});
let stack: Stack;
let stopTelemetry: () => Promise<void>;
let platform: Platform;
let service: RunningService;
let seenInJob: string | null | undefined;

beforeAll(async () => {
  // Before the platform, which then shares it.
  stopTelemetry = await startTelemetry({
    service: 'credits',
    spanProcessor: new SimpleSpanProcessor({ exporter }),
  });
  stack = await startStack();
  platform = await openPlatform('credits', stack.config('credits'));
  platform.http.post('/v1/ticks', async (request, reply) => {
    const { userId } = principalOf(request);
    const event = { definition: ticked, aggregateId: randomUUID(), aggregateSeq: 1n, userId, rootId: userId };
    await platform.database.withUser(principalOf(request), (tx) =>
      appendEvents(tx, [{ ...event, data: { number: 1 } }]),
    );
    return reply.status(202).send({});
  });
  await startConsumers(platform, [
    {
      durable: 'traced',
      event: ticked,
      concurrency: 1,
      batch: 1,
      ackWaitMs: 30_000,
      backoffMs: [10],
      maxAttempts: 3,
      handle: async () => {
        await platform.rpc.call(ask, {});
        await platform.jobs.add(job, { number: 1 });
      },
    },
  ]);
  platform.rpc.serve(ask, async () => ({}));
  platform.jobs.work(job, { concurrency: 1 }, async () => {
    seenInJob = currentTraceparent();
  });
  service = await serve(platform);
});
afterAll(async () => {
  await service.stop();
  await stopTelemetry();
  await stack.stop();
});

describe('one trace', () => {
  it('crosses HTTP, outbox, NATS, consumer, rpc and job', async () => {
    const traceId = randomUUID().replaceAll('-', '');
    const response = await fetch(`${service.url}/v1/ticks`, {
      method: 'POST',
      headers: {
        authorization: `Bearer ${await mintToken()}`,
        traceparent: `00-${traceId}-00f067aa0ba902b7-01`,
      },
    });
    expect(response.status).toBe(202);
    await waitFor(() => seenInJob);
    expect(seenInJob).toContain(traceId);
    const names = () =>
      exporter
        .getFinishedSpans()
        .filter((span) => span.spanContext().traceId === traceId)
        .map(({ name }) => name);
    await waitFor(() => names().length >= 5);
    expect(names().toSorted()).toEqual([
      'POST /v1/ticks',
      'consume credits_traced',
      'job after-tick',
      'rpc.credits.kit_traced',
      'rpc.credits.kit_traced',
    ]);
    const rows = await stack.database.query<{ traceparent: string }>(
      'SELECT traceparent FROM event_outbox WHERE type = $1',
      ['credits.ticked'],
    );
    expect(rows[0]?.traceparent).toContain(traceId);
    const [born] = await stack.database.query<{ traceparent: string }>(
      'SELECT traceparent FROM event_outbox WHERE type = $1',
      ['user.created'],
    );
    expect(born?.traceparent).toContain(traceId);
  });
});
