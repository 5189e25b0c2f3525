import { randomUUID } from 'node:crypto';
import {
  AckPolicy,
  type ConsumerConfig,
  type JetStreamManager,
  jetstream,
  jetstreamManager,
} from '@nats-io/jetstream';
import { connect, type NatsConnection, PermissionViolationError } from '@nats-io/transport-node';
import { headersToEnvelope } from '@swissbrain/service-kit/event-headers';
import { ensureStreams } from '@swissbrain/service-kit/streams';
import { allEvents } from '@swissbrain/shared-schema/events/registry';
import { followedSubjects, inboxPrefix, type NatsUser } from '@swissbrain/shared-schema/nats-permissions';
import { startRestrictedTestNats } from '@swissbrain/testkit/nats';
import { waitFor } from '@swissbrain/testkit/wait';
import { afterAll, afterEach, beforeAll, describe, expect, it } from 'vitest';

let nats: Awaited<ReturnType<typeof startRestrictedTestNats>>;
const open: NatsConnection[] = [];
const streamSettings = { NATS_STREAM_MAX_AGE_HOURS: 72, NATS_STREAM_MAX_BYTES: -1, NATS_STREAM_REPLICAS: 1 };

beforeAll(async () => {
  nats = await startRestrictedTestNats();
  await ensureStreams(await as('admin'), streamSettings);
});
afterEach(async () => {
  for (const connection of open.splice(0)) await connection.close();
});
afterAll(() => nats.stop());

async function as(user: NatsUser): Promise<NatsConnection> {
  const connection = await connect({
    servers: nats.url,
    user,
    pass: nats.passwordOf(user),
    inboxPrefix: inboxPrefix(user),
    reconnect: false,
  });
  open.push(connection);
  return connection;
}
const managerOf = async (user: NatsUser): Promise<JetStreamManager> =>
  jetstreamManager(await as(user), { checkAPI: false, timeout: 3_000 });

/** What the server refuses for want of rights, however the client wraps it. */
async function refused(attempt: Promise<unknown>): Promise<void> {
  const outcome = await attempt.then(
    () => 'allowed',
    (thrown: unknown) => thrown,
  );
  const causes: unknown[] = [];
  for (let at = outcome; at instanceof Error; at = at.cause) causes.push(at);
  expect(
    causes.some((cause) => cause instanceof PermissionViolationError),
    String(outcome),
  ).toBe(true);
}

const subject = (type: string) => `sb.${type}.${randomUUID()}.${randomUUID()}`;
const publish = async (user: NatsUser, to: string) =>
  jetstream(await as(user), { timeout: 3_000 }).publish(to, '{}');

describe('publishing', () => {
  it.each(allEvents.map(({ type, source }) => ({ type, source })))(
    '$type is for $source alone',
    async ({ type, source }) => {
      expect((await publish(source, subject(type))).stream).toBe('EVENTS');
      await refused(publish(source === 'collab' ? 'credits' : 'collab', subject(type)));
    },
  );

  it('nothing else is open to a service, nor events to the operator', async () => {
    expect((await publish('credits', 'dlq.credits.credits_run-failed')).stream).toBe('DLQ');
    await refused(publish('agent-runner', 'dlq.credits.credits_run-failed'));
    await refused(publish('credits', `${subject('credits.granted')}.more`));
    await refused(publish('operator', subject('run.completed')));
  });

  it('needs a user', async () => {
    await expect(connect({ servers: nats.url, reconnect: false })).rejects.toThrow(/authorization/i);
    const wrong = { servers: nats.url, user: 'credits', pass: 'wrong', reconnect: false };
    await expect(connect(wrong)).rejects.toThrow(/authorization/i);
  });
});

describe('consumers', () => {
  const reserved = {
    durable_name: 'agent_runner_admit-run',
    filter_subject: 'sb.credits.reserved.>',
    ack_policy: AckPolicy.Explicit,
  } satisfies Partial<ConsumerConfig>;

  it('are made, read and acknowledged by the service that owns them', async () => {
    const connection = await as('agent-runner');
    const manager = await jetstreamManager(connection, { checkAPI: false });
    await manager.consumers.add('EVENTS', reserved);
    await publish('credits', subject('credits.reserved'));
    const consumer = await jetstream(connection).consumers.get('EVENTS', reserved.durable_name);
    const message = await consumer.next({ expires: 5_000 });
    expect(message?.subject).toMatch(/^sb\.credits\.reserved\./);
    expect(await message?.ackAck()).toBe(true);

    const foreign = await managerOf('credits');
    await refused(foreign.consumers.info('EVENTS', reserved.durable_name));
    await refused(foreign.consumers.add('EVENTS', reserved));
    await refused(foreign.consumers.delete('EVENTS', reserved.durable_name));
    const stealing = (await as('credits')).request(
      `$JS.API.CONSUMER.MSG.NEXT.EVENTS.${reserved.durable_name}`,
      '1',
      { timeout: 3_000 },
    );
    await refused(stealing);
    await refused((await managerOf('operator')).consumers.delete('EVENTS', reserved.durable_name));
  });

  it('have the name and the filter that the table says', async () => {
    const own = await managerOf('agent-runner');
    await refused(own.consumers.add('EVENTS', { ...reserved, filter_subject: 'sb.credits.granted.>' }));
    await refused(own.consumers.add('EVENTS', { ...reserved, durable_name: 'agent_runner_other' }));
    await refused(own.consumers.add('EVENTS', { ack_policy: AckPolicy.None }));
    // The subject of the request is allowed; what is asked for in it is something else.
    const connection = await as('agent-runner');
    const forged = async (config: Partial<ConsumerConfig>) => {
      const path = `$JS.API.CONSUMER.CREATE.EVENTS.${reserved.durable_name}.${reserved.filter_subject}`;
      const body = JSON.stringify({ stream_name: 'EVENTS', config: { ...reserved, ...config } });
      const answer: { error?: { description: string } } = (
        await connection.request(path, body, { timeout: 3_000 })
      ).json();
      return answer.error?.description;
    };
    expect(await forged({})).toBeUndefined();
    expect(await forged({ filter_subject: 'sb.run.>' })).toMatch(/filtered subject/);
    expect(await forged({ durable_name: 'credits_run-failed' })).toMatch(/name/);
    const old = connection.request(
      `$JS.API.CONSUMER.DURABLE.CREATE.EVENTS.${reserved.durable_name}`,
      JSON.stringify({ stream_name: 'EVENTS', config: reserved }),
      { timeout: 3_000 },
    );
    await refused(old);
  });

  it('read back for the outbox show a service its own events alone', async () => {
    const own = await managerOf('credits');
    const check = { name: 'credits_outbox', ack_policy: AckPolicy.None };
    const sent = subject('credits.granted');
    await publish('credits', sent);
    const consumer = await own.consumers.add('EVENTS', { ...check, filter_subject: sent });
    expect(consumer.num_pending).toBe(1);
    await own.consumers.delete('EVENTS', check.name);
    await refused(own.consumers.add('EVENTS', { ...check, filter_subject: subject('run.started') }));
  });
});

describe('streams', () => {
  it('are changed by the administrator alone', async () => {
    const { streams } = await managerOf('credits');
    const { config } = await streams.info('EVENTS');
    await refused(streams.update('EVENTS', config));
    await refused(streams.delete('EVENTS'));
    await refused(streams.purge('EVENTS'));
    await refused(streams.deleteMessage('EVENTS', 1));
    await refused(streams.add({ name: 'MINE', subjects: ['mine'] }));
    const admin = await managerOf('admin');
    await admin.streams.add({ name: 'SPARE', subjects: ['spare'] });
    expect(await admin.streams.delete('SPARE')).toBe(true);
  });

  it('are read by sequence by the operator alone', async () => {
    const { seq } = await publish('credits', subject('credits.granted'));
    const { streams } = await managerOf('credits');
    await refused(streams.getMessage('EVENTS', { seq }));
    const direct = (await as('credits')).request('$JS.API.DIRECT.GET.EVENTS', JSON.stringify({ seq }));
    await refused(direct);
    expect((await (await managerOf('operator')).streams.getMessage('EVENTS', { seq }))?.seq).toBe(seq);
  });

  it('that are missing are named to a service that may not make them', async () => {
    const admin = await managerOf('admin');
    await admin.streams.update('EVENTS', { max_bytes: 50_000_000 });
    const connection = await as('credits');
    await ensureStreams(connection, streamSettings);
    await expect(
      ensureStreams(connection, { ...streamSettings, NATS_STREAM_MAX_AGE_HOURS: 71 }),
    ).rejects.toThrow(/stream EVENTS lacks .*\(max_age\).*administrator/);
    await admin.streams.delete('DLQ');
    await expect(ensureStreams(connection, streamSettings)).rejects.toThrow(
      /stream DLQ lacks .*the stream itself.*administrator/,
    );
    await ensureStreams(await as('admin'), streamSettings);
    await ensureStreams(connection, streamSettings);
  });
});

describe('questions and answers', () => {
  /** Subscribes, and resolves to what the server says about it. */
  const listen = async (user: NatsUser, to: string): Promise<string[]> => {
    const heard: string[] = [];
    const connection = await as(user);
    const failed = Promise.withResolvers<never>();
    connection.subscribe(to, {
      callback: (error, message) => {
        if (error) failed.reject(error);
        else heard.push(message.string());
      },
    });
    await Promise.race([connection.flush(), failed.promise]);
    return heard;
  };

  it('are for the one who asked and the one who is asked', async () => {
    const runner = await as('agent-runner');
    const credits = await as('credits');
    credits.subscribe('rpc.credits.extend', { callback: (_error, message) => void message.respond('yes') });
    await credits.flush();
    const overheard = await listen('operator', 'sb.>');
    expect((await runner.request('rpc.credits.extend', '', { timeout: 3_000 })).string()).toBe('yes');
    expect(overheard).toEqual([]);

    for (const user of ['credits', 'collab', 'operator'] as const) {
      await refused(listen(user, `${inboxPrefix('agent-runner')}.>`));
      await refused(listen(user, '>'));
    }
    await listen('agent-runner', `${inboxPrefix('agent-runner')}.>`);
    await refused(listen('collab', 'rpc.credits.extend'));
    await refused((await as('collab')).request('rpc.credits.extend', '', { timeout: 3_000 }));
    await refused(listen('collab', 'sb.>'));
  });

  it('let agent-runner hear the story of runs, and nothing else that is published', async () => {
    for (const followed of followedSubjects) {
      const heard = await listen('agent-runner', followed);
      const { type = '' } =
        allEvents.find((event) => followed.startsWith(`sb.${event.type.split('.')[0]}.`)) ?? {};
      await publish('agent-runner', subject(type));
      await waitFor(() => Promise.resolve(heard.length === 1));
    }
    for (const user of ['credits', 'collab'] as const) await refused(listen(user, followedSubjects[0] ?? ''));
    for (const other of ['sb.*.*.*.*', 'sb.>', 'sb.credits.*.*.*', 'sb.connector.*.*.*'])
      await refused(listen('agent-runner', other));
  });

  it('reach the asker from nobody but whom it asks', async () => {
    const inbox = `${inboxPrefix('credits')}.guessed`;
    const heard = await listen('credits', inbox);
    const [runner, collab] = [await as('agent-runner'), await as('collab')];
    collab.publish(inbox, 'forged');
    await collab.flush();
    runner.publish(inbox, 'answer');
    await waitFor(() => Promise.resolve(heard.length > 0));
    expect(heard).toEqual(['answer']);
  });
});

/** Where an answer goes is the asker's word, and the server sends it with rights of its own. */
describe('dead letters', () => {
  const readerOf = (service: string): Partial<ConsumerConfig> => ({
    name: `reader_${crypto.randomUUID()}`,
    filter_subject: `dlq.${service}.>`,
    ack_policy: AckPolicy.None,
  });

  it('are read by the service that they belong to, and by no other', async () => {
    await publish('credits', 'dlq.credits.credits_run-failed');
    const manager = await managerOf('credits');
    const { name } = await manager.consumers.add('DLQ', readerOf('credits'));
    const reader = await jetstream(await as('credits')).consumers.get('DLQ', name);
    expect((await reader.next({ expires: 5_000 }))?.subject).toBe('dlq.credits.credits_run-failed');
    expect(await reader.delete()).toBe(true);

    const foreign = await managerOf('agent-runner');
    await refused(foreign.consumers.add('DLQ', readerOf('credits')));
    await refused(foreign.streams.getMessage('DLQ', { seq: 1 }));
  });
});

describe('answers sent astray', () => {
  it('put no event of another service on the stream', async () => {
    const [connection, own, admin] = [
      await as('agent-runner'),
      await managerOf('agent-runner'),
      await managerOf('admin'),
    ];
    const [sent, target] = [subject('run.started'), subject('credits.granted')];
    await jetstream(connection).publish(sent, '{}');
    const stored = async (filter: string) =>
      (await admin.streams.info('EVENTS', { subjects_filter: filter })).state.subjects?.[filter] ?? 0;
    const name = 'agent_runner_outbox';
    await own.consumers.add('EVENTS', { name, ack_policy: AckPolicy.None, filter_subject: sent });
    connection.publish(`$JS.API.CONSUMER.MSG.NEXT.EVENTS.${name}`, '1', { reply: target });
    // It comes again, as what it is.
    await waitFor(async () => (await stored(sent)) === 2);
    expect(await stored(target)).toBe(0);
    await own.consumers.delete('EVENTS', name);

    const pushed = { name, ack_policy: AckPolicy.None, filter_subject: sent, deliver_subject: target };
    await expect(own.consumers.add('EVENTS', pushed)).rejects.toThrow(/cycle/);

    connection.publish('$JS.API.STREAM.INFO.EVENTS', '', { reply: target });
    await waitFor(async () => (await stored(target)) === 1);
    const message = await admin.streams.getMessage('EVENTS', { last_by_subj: target });
    // Without an envelope a consumer takes it for no event.
    expect(() => headersToEnvelope(message?.header)).toThrow();
  });
});
