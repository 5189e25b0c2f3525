import { jetstream, jetstreamManager } from '@nats-io/jetstream';
import { connect, headers, type NatsConnection } from '@nats-io/transport-node';
import { systemClock } from '@swissbrain/service-kit/clock';
import { envelopeToHeaders } from '@swissbrain/service-kit/event-headers';
import { eventStream } from '@swissbrain/service-kit/streams';
import { type Envelope, subjectOf } from '@swissbrain/shared-schema/events/envelope';
import { startRestrictedTestNats, startTestNats } from '@swissbrain/testkit/nats';
import { waitFor } from '@swissbrain/testkit/wait';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { type Context, createContext } from '../src/context.ts';
import { runCli } from '../src/program.ts';

const user = '0195d3a4-5d7e-7c31-9f39-0c2a7d4f4a11';
const runA = '0195d3a4-5d7e-7c31-9f39-0c2a7d4f4a12';
const runB = '0195d3a4-5d7e-7c31-9f39-0c2a7d4f4a13';
let nats: Awaited<ReturnType<typeof startRestrictedTestNats>>;
let connection: NatsConnection;
let operatorUrl: string;

beforeAll(async () => {
  nats = await startRestrictedTestNats();
  operatorUrl = nats.url.replace('//', `//operator:${nats.passwordOf('operator')}@`);
  connection = await connect({ servers: nats.url, user: 'admin', pass: nats.passwordOf('admin') });
  const manager = await jetstreamManager(connection);
  await manager.streams.add({ name: eventStream, subjects: ['sb.run.>', 'sb.credits.>'] });
  for (let seq = 1; seq <= 60; seq += 1) await publish('run.started', seq % 10 === 0 ? runB : runA, seq);
});
afterAll(async () => {
  await connection.close();
  await nats.stop();
});

async function publish(
  type: string,
  root: string,
  seq: number,
  data: Record<string, unknown> = {},
  owner = user,
): Promise<void> {
  const envelope: Envelope = {
    id: crypto.randomUUID(),
    type,
    version: 1,
    source: 'agent-runner',
    time: systemClock.now().toISOString(),
    aggregate_type: 'run',
    aggregate_id: root,
    aggregate_seq: BigInt(seq),
    user_id: owner,
    root_id: root,
    run_seq: BigInt(seq),
    traceparent: null,
  };
  const body = { run_id: root, root_run_id: root, attempt: seq, ...data };
  await jetstream(connection).publish(subjectOf(type, owner, root), JSON.stringify(body), {
    headers: envelopeToHeaders(envelope),
  });
}

interface Tapped {
  readonly type: string;
  readonly root_id: string;
  readonly run_seq: number;
  readonly stream_seq: number | null;
  readonly data: Record<string, unknown>;
  readonly problem?: string;
}

function tapping(args: readonly string[], url = operatorUrl) {
  const stop = new AbortController();
  let out = '';
  let err = '';
  let yielded = false;
  const sink = (write: (text: string) => void): Context['stdout'] => ({ isTty: false, columns: 200, write });
  const context = createContext({
    stdout: sink((text) => {
      out += text;
    }),
    stderr: sink((text) => {
      err += text;
    }),
    environment: { NATS_URL: url },
    directory: '/',
    root: '/nowhere',
    clock: systemClock,
    signal: stop.signal,
    yieldProcessor: () => {
      yielded = true;
    },
  });
  const lines = () => out.split('\n').filter((line) => line !== '');
  return {
    done: runCli(['tap', ...args], context),
    lines,
    events: () => lines().map((line) => JSON.parse(line) as Tapped),
    errors: () => err,
    hasYielded: () => yielded,
    stop: () => stop.abort(new Error('stopped')),
  };
}

async function past(...args: string[]): Promise<Tapped[]> {
  const tap = tapping([...args, '--json']);
  expect([await tap.done, tap.errors()]).toEqual([0, '']);
  return tap.events();
}

describe('tap of the past', () => {
  it('shows the newest events of a pattern in order', async () => {
    const events = await past('run.*', '--last', '3');
    expect(events.map((event) => event.run_seq)).toEqual([58, 59, 60]);
    expect(events[0]).toMatchObject({ type: 'run.started', root_id: runA, stream_seq: 58 });
  });

  it('counts only what matches', async () => {
    const events = await past(runB, '--last', '5');
    expect(events.map((event) => event.run_seq)).toEqual([20, 30, 40, 50, 60]);
    expect(await past('run', '--run', runB, '--last', '100')).toHaveLength(6);
  });

  it('shows events since a while ago, and nothing where nothing matches', async () => {
    expect(await past('run.started', '--since', '1h')).toHaveLength(60);
    expect(await past('credits.*', '--since', '1h')).toEqual([]);
    expect(await past('run.failed', '--last', '10')).toEqual([]);
  });

  it('leaves no consumer behind', async () => {
    await past('run.*', '--last', '2');
    const manager = await jetstreamManager(connection);
    expect(await manager.consumers.list(eventStream).next()).toEqual([]);
  });

  it('writes lines for people', async () => {
    const tap = tapping(['run.*', '--last', '1']);
    expect(await tap.done).toBe(0);
    expect(tap.lines()[0]).toMatch(
      /^\d\d:\d\d:\d\d\.\d{3} {2}run\.started {8}0195d3a4 {2}taken over, attempt 60$/,
    );
  });

  it('shows events since a time', async () => {
    const run = crypto.randomUUID();
    await publish('run.queued', run, 1, { reservation_id: run });
    const stream = (await jetstreamManager(connection)).streams;
    const { state } = await stream.info(eventStream);
    const newest = await stream.getMessage(eventStream, { seq: state.last_seq });
    const since = newest?.time.toISOString() ?? '';
    expect((await past(run, '--since', since)).map((event) => event.run_seq)).toEqual([1]);
    expect(await past(run, '--since', '2999-01-01T00:00:00Z')).toEqual([]);
  });

  it('shows the events of one user', async () => {
    const run = crypto.randomUUID();
    const someone = crypto.randomUUID();
    await publish('run.started', run, 1);
    await publish('run.started', run, 2, {}, someone);
    await publish('credits.reserved', run, 3, {}, someone);
    const seqs = async (...args: string[]) => (await past(...args)).map((event) => event.run_seq);
    expect(await seqs('*', '--user', someone, '--since', '1h')).toEqual([2, 3]);
    expect(await seqs('run', '--user', someone, '--last', '5')).toEqual([2]);
    expect(await seqs('*', '--user', user, '--run', run, '--since', '1h')).toEqual([1]);
  });

  it('shows no secrets', async () => {
    const run = crypto.randomUUID();
    await publish('run.queued', run, 1, { reservation_id: run, password: 'hunter2' });
    expect((await past(run, '--last', '1'))[0]?.data).toMatchObject({ password: '[redacted]' });
    const pretty = tapping([run, '--last', '1']);
    await pretty.done;
    expect(pretty.lines().join()).not.toContain('hunter2');
  });
});

describe('tap of the present', () => {
  it('leaves the processor to the services first', async () => {
    const tap = tapping(['run.*', '--json']);
    await waitFor(() => tap.errors().includes('listening'), { describe: 'the subscription' });
    expect(tap.hasYielded()).toBe(true);
    tap.stop();
    expect(await tap.done).toBe(0);
  });

  it('hears events as they are published, shows no secrets, survives what is no event', async () => {
    const run = crypto.randomUUID();
    const tap = tapping([run, '--json']);
    await waitFor(() => tap.errors().includes('listening'), { describe: 'the subscription' });
    await publish('credits.reserved', run, 1, { access_token: 'hidden' });
    connection.publish(subjectOf('run.started', user, run), 'not json', { headers: headers() });
    await publish('run.started', run, 2);
    await waitFor(() => tap.events().length === 3, { describe: 'three lines' });
    const [reserved, unreadable, started] = tap.events();
    expect(reserved).toMatchObject({
      type: 'credits.reserved',
      stream_seq: null,
      data: { access_token: '[redacted]' },
    });
    expect(unreadable?.problem).toContain('missing or malformed: id, type');
    expect(started).toMatchObject({ type: 'run.started', run_seq: 2 });
    tap.stop();
    expect(await tap.done).toBe(0);
  });

  it('goes on live after the past without a gap or a repeat', async () => {
    const run = crypto.randomUUID();
    await publish('run.queued', run, 1, { reservation_id: run });
    const tap = tapping([run, '--since', '1h', '--follow', '--json']);
    await waitFor(() => tap.events().length === 1, { describe: 'the past' });
    await publish('run.started', run, 2);
    await waitFor(() => tap.events().length === 2, { describe: 'the live event' });
    expect(tap.events().map((event) => event.run_seq)).toEqual([1, 2]);
    tap.stop();
    expect(await tap.done).toBe(0);
  });
});

describe('tap without a server', () => {
  it('says what cannot be reached', async () => {
    const gone = await startTestNats();
    await gone.stop();
    const tap = tapping(['run.*'], gone.url);
    expect(await tap.done).toBe(3);
    expect(tap.errors()).toContain(`cannot reach NATS at ${gone.url}`);
  });
});
