import type { ServerResponse } from 'node:http';
import { describe, expect, it } from 'vitest';
import { agentRunnerAt, type Handler, reply, startServer } from '../test/server.ts';
import type { FollowOptions } from './follow.ts';
import { createRuns } from './runs.ts';
import { createTransport } from './transport.ts';

const retry = { attempts: 4, baseMs: 1, capMs: 2 };
const transport = createTransport({ token: 't', retry });
const types = ['run.requested', 'run.queued', 'run.started', 'step.completed', 'run.completed'];

function frame(seq: number): string {
  const type = types[seq - 1];
  return `id: ${seq}\nevent: ${type}\ndata: ${JSON.stringify({ type, run_seq: seq })}\n\n`;
}

function stream(response: ServerResponse): ServerResponse {
  return response.writeHead(200, { 'content-type': 'text/event-stream' });
}

async function follow(handler: Handler, options?: FollowOptions) {
  await using server = await startServer(handler);
  const runs = createRuns(transport, agentRunnerAt(transport, server.url), server.url, {
    retry,
    idleMs: 100,
  });
  const seen: number[] = [];
  let error: unknown = null;
  try {
    for await (const event of runs.follow('r', options)) seen.push(event.run_seq);
  } catch (thrown) {
    error = thrown;
  }
  return { seen, error, requests: server.requests };
}

describe('follow', () => {
  it('yields every event and ends with the closing one', async () => {
    const { seen, error } = await follow((_, response) => {
      stream(response).write(`: hello\n\n${[1, 2, 3, 4, 5].map(frame).join('')}`);
    });
    expect(error).toBeNull();
    expect(seen).toEqual([1, 2, 3, 4, 5]);
  });

  it('resumes after a connection that broke in the middle of a frame', async () => {
    let connections = 0;
    const reconnects: number[] = [];
    const { seen, requests } = await follow(
      (request, response) => {
        connections += 1;
        if (connections === 1) {
          stream(response).write(frame(1) + frame(2) + frame(3).slice(0, 20), () => request.socket.destroy());
        } else {
          stream(response).end(frame(3) + frame(4) + frame(5));
        }
      },
      { onReconnect: ({ after }) => reconnects.push(after) },
    );
    expect(seen).toEqual([1, 2, 3, 4, 5]);
    expect(reconnects).toEqual([2]);
    expect(requests.map((request) => request.headers['last-event-id'])).toEqual([undefined, '2']);
  });

  it('drops what it has already seen', async () => {
    let connections = 0;
    const { seen } = await follow((request, response) => {
      connections += 1;
      if (connections === 1) stream(response).write(frame(1) + frame(2), () => request.socket.destroy());
      else stream(response).end(frame(1) + frame(2) + frame(2) + frame(3) + frame(5));
    });
    expect(seen).toEqual([1, 2, 3, 5]);
  });

  it('takes a silent connection for a lost one', async () => {
    let connections = 0;
    const { seen } = await follow((_, response) => {
      connections += 1;
      if (connections === 1) stream(response).write(frame(1));
      else stream(response).end([2, 3, 4, 5].map(frame).join(''));
    });
    expect(connections).toBe(2);
    expect(seen).toEqual([1, 2, 3, 4, 5]);
  });

  it('comes back after the server was away and answered 503', async () => {
    let connections = 0;
    const { seen, error } = await follow((request, response) => {
      connections += 1;
      if (connections === 1) request.socket.destroy();
      else if (connections === 2) reply(response, 503, { title: 'Starting' });
      else stream(response).end([1, 2, 3, 4, 5].map(frame).join(''));
    });
    expect(error).toBeNull();
    expect(seen).toEqual([1, 2, 3, 4, 5]);
  });

  it('starts where it is told and ends at once when the run was over before', async () => {
    const { seen, error, requests } = await follow(
      (request, response) => {
        if (request.url?.endsWith('/events')) stream(response).end();
        else reply(response, 200, { status: 'completed', run_seq: 5 });
      },
      { after: 5 },
    );
    expect({ seen, error }).toEqual({ seen: [], error: null });
    expect(requests[0]?.headers['last-event-id']).toBe('5');
  });

  it('gives up when the server stays away, with its last error', async () => {
    const { error, requests } = await follow((_, response) => reply(response, 502, { title: 'Bad gateway' }));
    expect(String(error)).toContain('Bad gateway');
    expect(requests).toHaveLength(retry.attempts);
  });

  it('starts counting anew after each event that came', async () => {
    let connections = 0;
    const { seen, error } = await follow((request, response) => {
      connections += 1;
      const next = Math.ceil(connections / 3);
      if (connections % 3 !== 0) request.socket.destroy();
      else stream(response).write(frame(next), () => request.socket.destroy());
    });
    expect(error).toBeNull();
    expect(seen).toEqual([1, 2, 3, 4, 5]);
  });

  it('does not insist when the run does not exist', async () => {
    const { error, requests } = await follow((_, response) =>
      reply(response, 404, { title: 'No such run', code: 'run_not_found' }),
    );
    expect(error).toMatchObject({ status: 404, code: 'run_not_found' });
    expect(requests).toHaveLength(1);
  });
});
