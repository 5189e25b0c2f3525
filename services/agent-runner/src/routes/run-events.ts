import { once } from 'node:events';
import { PassThrough } from 'node:stream';
import type { Database, Principal } from '@swissbrain/service-kit/database';
import { kitErrors } from '@swissbrain/service-kit/errors';
import { type Http, principalOf } from '@swissbrain/service-kit/http';
import { followQuery, runParams } from '@swissbrain/shared-schema/http/agent-runner';
import type { FastifyRequest } from 'fastify';
import { z } from 'zod';
import type { Deltas } from '../follow/deltas.ts';
import { createFollower, type FrameSink } from '../follow/follower.ts';
import type { LiveEvents } from '../follow/live-events.ts';
import { findOwnRun, readEvents } from '../operations/read-runs.ts';
import { eventView } from './views.ts';

/** Rows that wait in memory for a slow client, each at most 64 KiB. */
const pageSize = 100;
/** A client that has taken nothing for so many heartbeats in a row is let go; it may come back where it was. */
const mostStalledBeats = 6;
const finalStates: ReadonlySet<string> = new Set(['completed', 'failed', 'cancelled', 'timed_out']);

const lastEventId = z.string().regex(/^\d{1,15}$/);

/** The last event the client has: the header of a reconnection wins over the query of the first request. */
function startAfter(request: FastifyRequest, after: number | undefined): number {
  const header = request.headers['last-event-id'];
  if (header === undefined || header === '') return after ?? 0;
  const parsed = lastEventId.safeParse(header);
  if (!parsed.success)
    throw kitErrors.invalid_request('Last-Event-ID is not the id of an event of this stream');
  return Number(parsed.data);
}

function sinkOf(stream: PassThrough): FrameSink {
  return {
    write: (frame) => stream.writable && stream.write(frame),
    async drained() {
      if (stream.destroyed || !stream.writableNeedDrain) return;
      const either = new AbortController();
      const { signal } = either;
      await Promise.race([once(stream, 'drain', { signal }), once(stream, 'close', { signal })]);
      either.abort();
    },
    end: () => stream.end(),
  };
}

export interface EventRoutes {
  readonly database: Database;
  readonly live: LiveEvents;
  readonly deltas: Deltas;
  /** How many clients follow. */
  readonly followers: { inc(): void; dec(): void };
  /** So often a stream says that it lives, and looks for rows that were missed while NATS was away. */
  readonly heartbeatMs: number;
}

/** Sends a run's events into a stream until the run or the client ends. */
async function follow(
  { database, live, deltas, followers, heartbeatMs }: EventRoutes,
  request: FastifyRequest,
  principal: Principal,
  runId: string,
  after: number,
): Promise<PassThrough> {
  const run = await findOwnRun(database, principal, runId);
  const stream = new PassThrough();
  const from = Math.min(after, Number(run.run_seq));
  // A comment at once: proxies and clients see that the stream is open.
  stream.write('retry: 1000\n: following\n\n');
  if (finalStates.has(run.status) && from >= Number(run.run_seq)) {
    stream.end();
    return stream;
  }
  const follower = createFollower({
    after: from,
    pageSize,
    sink: sinkOf(stream),
    readRows: async (last) =>
      (await readEvents(database, principal, runId, BigInt(last), pageSize)).map(eventView),
    onFailure: (error) =>
      request.log.warn({ err: error, run_id: runId }, 'the events of a run cannot be read'),
  });
  const unlisten = await live.listen({ id: runId, rootId: run.root_run_id }, follower.offer);
  // Without an id: text as it is said is no event, and who is slow or late reads it in the messages.
  const unlistenText = deltas.listen(runId, (delta) => {
    if (!stream.writableNeedDrain) stream.write(`event: delta\ndata: ${JSON.stringify(delta)}\n\n`);
  });
  followers.inc();
  let stalledBeats = 0;
  const heartbeat = setInterval(() => {
    if (stream.writableNeedDrain) {
      stalledBeats += 1;
      if (stalledBeats >= mostStalledBeats) stream.destroy();
      return;
    }
    stalledBeats = 0;
    stream.write(': alive\n\n');
    follower.catchUp();
  }, heartbeatMs);
  stream.on('drain', () => {
    stalledBeats = 0;
  });
  stream.once('close', () => {
    followers.dec();
    clearInterval(heartbeat);
    unlisten();
    unlistenText();
    follower.stop();
  });
  follower.catchUp();
  return stream;
}

/** Following a run over server-sent events. */
export function registerEventRoutes(http: Http, deps: EventRoutes): void {
  http.get(
    '/v1/runs/:id/events',
    {
      schema: {
        operationId: 'followRun',
        summary: 'Follow the events of a run',
        description:
          'Server-sent events. The id of each is its place in the run (`run_seq`); come back with `Last-Event-ID`, or ' +
          '`after`, and nothing is missed or repeated. The stream ends after the closing event.',
        tags: ['runs'],
        params: runParams,
        querystring: followQuery,
        produces: ['text/event-stream'],
        response: { 200: z.string().describe('A stream of server-sent events') },
      },
    },
    async (request, reply) => {
      const after = startAfter(request, request.query.after);
      const stream = await follow(deps, request, principalOf(request), request.params.id, after);
      return reply
        .header('content-type', 'text/event-stream; charset=utf-8')
        .header('cache-control', 'no-store')
        .header('x-accel-buffering', 'no')
        .send(stream as unknown as string);
    },
  );
}
