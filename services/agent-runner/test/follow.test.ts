import { once } from 'node:events';
import { connect } from 'node:net';
import type { RunEventView } from '@swissbrain/shared-schema/http/agent-runner';
import { waitFor } from '@swissbrain/testkit/wait';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { storyOf } from './support/events.ts';
import { createGate, gateStep } from './support/gate.ts';
import { newUser, playbookOf, type Runner, startRunner, type User } from './support/runner.ts';

let runner: Runner;
let user: User;
/** On the stream while nobody follows. */
let consumersOfItsOwn: number;
const gate = createGate();
beforeAll(async () => {
  runner = await startRunner({ extraTools: [gate.tool] });
  user = await newUser(runner.url);
  consumersOfItsOwn = await consumers();
});
afterAll(() => runner?.stop());

/** One connection to a run's events. */
async function follow(
  id: string,
  options: { after?: number; lastEventId?: string; signal?: AbortSignal } = {},
) {
  const query = options.after === undefined ? '' : `?after=${options.after}`;
  const headers: Record<string, string> =
    options.lastEventId === undefined ? {} : { 'last-event-id': options.lastEventId };
  const response = await fetch(new URL(`/v1/runs/${id}/events${query}`, runner.url), {
    headers: { authorization: `Bearer ${user.token}`, ...headers },
    ...(options.signal ? { signal: options.signal } : {}),
  });
  expect(response.status).toBe(200);
  expect(response.headers.get('content-type')).toMatch(/^text\/event-stream/);
  const events: RunEventView[] = [];
  const comments: string[] = [];
  const done = (async () => {
    let text = '';
    for await (const chunk of response.body?.pipeThrough(new TextDecoderStream()) ?? []) {
      text += chunk;
      const frames = text.split('\n\n');
      text = frames.pop() ?? '';
      for (const frame of frames) {
        const data = /^data: (.*)$/m.exec(frame)?.[1];
        if (data === undefined) comments.push(frame);
        if (data === undefined) continue;
        const event = JSON.parse(data) as RunEventView;
        expect(frame).toContain(`id: ${event.run_seq}\nevent: ${event.type}`);
        events.push(event);
      }
    }
  })();
  return { events, comments, done };
}
/** A request about the stream to the JetStream API, as any client could make it. */
async function streamApi(what: 'INFO' | 'DELETE') {
  const answer = await runner.credits.nats.request(`$JS.API.STREAM.${what}.EVENTS`);
  return answer.json<{ state: { messages: number; consumer_count: number } }>();
}
const consumers = async () => (await streamApi('INFO')).state.consumer_count;
const typesOf = (events: readonly RunEventView[]) => events.map((event) => event.type);
const numbersOf = (events: readonly RunEventView[]) => events.map((event) => event.run_seq);

describe('following a run', () => {
  it('replays what was, goes on live, and closes after the end', async () => {
    const run = await user.create(
      playbookOf([gateStep('a', 'live'), gateStep('b', 'pass', { needs: ['a'] })]),
    );
    await waitFor(() => gate.begun.some((call) => call.name === 'live'));
    const early = await follow(run.id);
    const late = await follow(run.id, { after: 3 });
    await waitFor(() => early.events.length === 4 && late.events.length === 1, { describe: 'the replay' });
    gate.open('live');
    await Promise.all([early.done, late.done]);
    const story = await storyOf(runner.database, run.id);
    expect(typesOf(early.events)).toEqual(story);
    expect(numbersOf(late.events)).toEqual(story.map((_, place) => place + 1).slice(3));
    expect(early.events.at(-1)?.type).toBe('run.completed');
  });

  it('comes back where it was, with Last-Event-ID before `after`', async () => {
    const run = await user.create(playbookOf([gateStep('a', 'pass')]));
    const { run_seq: last } = await user.ended(run.id);
    const again = await follow(run.id, { lastEventId: '2', after: 0 });
    await again.done;
    expect(numbersOf(again.events)).toEqual(Array.from({ length: last - 2 }, (_, place) => place + 3));
    const nothing = await follow(run.id, { lastEventId: String(last) });
    await nothing.done;
    expect(nothing.events).toEqual([]);
  });

  it('lives on the rows while NATS is away', async () => {
    const run = await user.create(
      playbookOf([gateStep('a', 'unseen'), gateStep('b', 'pass', { needs: ['a'] })]),
    );
    await waitFor(() => gate.begun.some((call) => call.name === 'unseen'));
    await runner.nats.kill();
    const blind = await follow(run.id);
    gate.open('unseen');
    await user.ended(run.id);
    await blind.done;
    expect(typesOf(blind.events)).toEqual(await storyOf(runner.database, run.id));
    await runner.nats.restart();
    await waitFor(() => runner.credits.nats.flush().then(() => true), { describe: 'credits to be back' });
  });

  it('serves many clients of a long run the same story', async () => {
    const steps = Array.from({ length: 150 }, (_, n) =>
      gateStep(`s${n}`, n === 0 ? 'many' : 'pass', { needs: n > 0 ? [`s${n - 1}`] : [] }),
    );
    const run = await user.create(playbookOf(steps));
    await waitFor(() => gate.begun.some((call) => call.name === 'many'), { describe: 'the first step' });
    const clients = await Promise.all(Array.from({ length: 8 }, (_, n) => follow(run.id, { after: n % 4 })));
    gate.open('many');
    await Promise.all(clients.map((client) => client.done));
    const { run_seq: last } = await user.run(run.id);
    for (const [n, client] of clients.entries()) {
      expect(numbersOf(client.events)).toEqual(
        Array.from({ length: last - (n % 4) }, (_, place) => place + 1 + (n % 4)),
      );
    }
  });

  it('does not notice that the stream is deleted and made anew', async () => {
    const run = await user.create(
      playbookOf([gateStep('a', 'rebuilt'), gateStep('b', 'pass', { needs: ['a'] })]),
    );
    await waitFor(() => gate.begun.some((call) => call.name === 'rebuilt'));
    const client = await follow(run.id);
    await waitFor(() => client.events.length === 4);
    await streamApi('DELETE');
    gate.open('rebuilt');
    await client.done;
    expect(typesOf(client.events)).toEqual(await storyOf(runner.database, run.id));
    expect(client.events.at(-1)?.type).toBe('run.completed');
    await waitFor(async () => (await streamApi('INFO')).state.messages > 0, { describe: 'a new stream' });
  });

  it('lets many clients come back at once, with nothing on the server for each', async () => {
    const run = await user.create(
      playbookOf([gateStep('a', 'crowd'), gateStep('b', 'pass', { needs: ['a'] })]),
    );
    await waitFor(() => gate.begun.some((call) => call.name === 'crowd'));
    // The service may still be at making them anew, on the new stream.
    await waitFor(async () => (await consumers()) === consumersOfItsOwn);
    const crowd = (after: number, signal?: AbortSignal) =>
      Promise.all(Array.from({ length: 60 }, () => follow(run.id, signal ? { after, signal } : { after })));
    const going = new AbortController();
    const first = await crowd(0, going.signal);
    await waitFor(() => first.every((client) => client.events.length === 4));
    const gone = Promise.allSettled(first.map((client) => client.done));
    going.abort();
    await gone;
    // Another run goes its way while they come back.
    const [second, other] = await Promise.all([
      crowd(2),
      user.create(playbookOf([gateStep('a', 'pass'), gateStep('b', 'pass', { needs: ['a'] })])),
    ]);
    await user.ended(other.id);
    expect(await consumers()).toBe(consumersOfItsOwn);
    gate.open('crowd');
    await Promise.all(second.map((client) => client.done));
    const { run_seq: last } = await user.run(run.id);
    for (const client of second)
      expect(numbersOf(client.events)).toEqual(Array.from({ length: last - 2 }, (_, place) => place + 3));
  });

  it('shows that it lives while nothing happens, and lets a client go that takes nothing', async () => {
    const run = await user.create(playbookOf([gateStep('a', 'quiet')]));
    await waitFor(() => gate.begun.some((call) => call.name === 'quiet'));
    const watching = new AbortController();
    const client = await follow(run.id, { signal: watching.signal });
    await waitFor(() => client.comments.filter((comment) => comment === ': alive').length > 1);
    watching.abort();
    await expect(client.done).rejects.toThrow('abort');
    const followers = async () => {
      const metrics = await (await fetch(new URL('/metrics', runner.url))).text();
      return Number(/^run_followers\{.*\} (\d+)$/m.exec(metrics)?.[1]);
    };
    await waitFor(async () => (await followers()) === 0, { describe: 'nobody to follow' });
    // More than the buffers of a connection hold, in rows that follow the last event.
    await runner.database.query(
      `INSERT INTO event_outbox (source, aggregate_type, aggregate_id, aggregate_seq, type, version, user_id, root_id,
                                 run_id, run_seq, data, published_at)
       SELECT 'agent-runner', 'run', $1, n, 'step.completed', 1, $2, $1, $1, n,
              jsonb_build_object('filler', repeat('x', 60000)), now()
       FROM generate_series(1001, 1400) AS n`,
      [run.id, user.id],
    );
    const socket = connect(Number(new URL(runner.url).port), '127.0.0.1');
    await once(socket, 'connect');
    socket.pause();
    socket.write(
      `GET /v1/runs/${run.id}/events HTTP/1.1\r\nhost: test\r\nauthorization: Bearer ${user.token}\r\n\r\n`,
    );
    await waitFor(async () => (await followers()) === 1);
    await waitFor(async () => (await followers()) === 0, { describe: 'the stalled client to be let go' });
    socket.destroy();
    gate.open('quiet');
    await user.ended(run.id);
  });

  it('is for the owner of the run alone', async () => {
    const run = await user.create(playbookOf([gateStep('a', 'pass')]));
    const stranger = await newUser(runner.url);
    const refused = await stranger.request('GET', `/v1/runs/${run.id}/events`);
    expect(refused.status).toBe(404);
    expect(await refused.json()).toMatchObject({ code: 'run_not_found' });
    expect((await fetch(new URL(`/v1/runs/${run.id}/events`, runner.url))).status).toBe(401);
    await user.ended(run.id);
  });
});
