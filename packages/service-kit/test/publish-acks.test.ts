import { randomUUID } from 'node:crypto';
import { DiscardPolicy, JetStreamApiError, jetstreamManager } from '@nats-io/jetstream';
import { connect, headers, type NatsConnection } from '@nats-io/transport-node';
import { systemClock } from '@swissbrain/service-kit/clock';
import { createPublishAndWait, StreamMissing } from '@swissbrain/service-kit/publish-acks';
import { startTestNats } from '@swissbrain/testkit/nats';
import type { TestServer } from '@swissbrain/testkit/server';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';

let server: TestServer;
let nats: NatsConnection;

beforeAll(async () => {
  server = await startTestNats();
  nats = await connect({ servers: server.url });
  const manager = await jetstreamManager(nats);
  await manager.streams.add({ name: 'FACTS', subjects: ['facts.>'] });
  await manager.streams.add({
    ...{ name: 'SMALL', subjects: ['small.>'], max_msgs: 1, discard: DiscardPolicy.New },
  });
});
afterAll(async () => {
  await nats.close();
  await server.stop();
});

const publisher = (stream: string, timeoutMs = 30_000) =>
  createPublishAndWait({
    ...{ connection: nats, inboxPrefix: '_INBOX_test', stream, timeoutMs },
    monotonicMs: systemClock.monotonicMs,
  });
const message = (subject: string, id: string = randomUUID()) => ({
  ...{ subject, id, data: '{}', headers: headers() },
});

describe('a publish that waits for the stream', () => {
  it('resolves with each one’s own place, however many are under way', async () => {
    const publish = publisher('FACTS');
    const stored = await Promise.all(Array.from({ length: 500 }, () => publish(message('facts.a'))));
    expect(stored.map(({ seq }) => seq)).toEqual(stored.map((_, index) => index + 1));
    expect(stored.every(({ duplicate }) => !duplicate)).toBe(true);
  });

  it('tells a repeat and where the first one lies', async () => {
    const publish = publisher('FACTS');
    const id = randomUUID();
    const first = await publish(message('facts.b', id));
    expect(await publish(message('facts.b', id))).toEqual({ seq: first.seq, duplicate: true });
  });

  it('fails where no stream takes the subject', async () => {
    await expect(publisher('FACTS')(message('nothing.here'))).rejects.toThrow(StreamMissing);
  });

  it('is refused by a stream that is not the one expected, and by a full one', async () => {
    await expect(publisher('FACTS')(message('small.a'))).rejects.toThrow(JetStreamApiError);
    const publish = publisher('SMALL');
    await publish(message('small.a'));
    await expect(publish(message('small.b'))).rejects.toThrow(JetStreamApiError);
  });

  it('gives up what is never answered or answered with nonsense, each by itself', async () => {
    nats.subscribe('silent', { callback: () => {} });
    nats.subscribe('nonsense', { callback: (_error, request) => void request.respond('{"seq":"one"}') });
    const publish = publisher('FACTS', 200);
    const [silent, again, nonsense] = await Promise.allSettled([
      publish(message('silent')),
      publish(message('silent')),
      publish(message('nonsense')),
    ]);
    const unanswered = {
      status: 'rejected',
      reason: { message: 'the stream did not acknowledge within 200 ms' },
    };
    expect(silent).toMatchObject(unanswered);
    expect(again).toMatchObject(unanswered);
    expect(nonsense).toMatchObject({ status: 'rejected', reason: { name: 'ZodError' } });
    expect((await publish(message('facts.c'))).seq).toBeGreaterThan(0);
  });
});
