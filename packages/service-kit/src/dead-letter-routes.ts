import type { JsMsg } from '@nats-io/jetstream';
import {
  type DeadLetterDetail,
  type DeadLetterView,
  deadLetterConsumer,
  deadLetterDetail,
  deadLetterPage,
  deadLetterParams,
  redriveView,
} from '@swissbrain/shared-schema/http/dead-letters';
import type { FastifyRequest } from 'fastify';
import { z } from 'zod';
import type { ConsumerDefinition } from './consumer-definition.ts';
import { pageQuery } from './cursor.ts';
import { createRedrive } from './dead-letter-redrive.ts';
import { createDeadLetterStore } from './dead-letter-store.ts';
import { consumerOf, deadLetterHeaders } from './dead-letters.ts';
import { kitErrors } from './errors.ts';
import { principalOf } from './http-auth.ts';
import { runIdempotent } from './idempotency.ts';
import { operatorsOnly } from './operators.ts';
import type { Platform } from './platform.ts';

const tags = ['operators'];
const path = '/v1/admin/dead-letters';
const query = pageQuery.extend({ consumer: deadLetterConsumer.optional() });

/**
 * Adds the routes under /v1/admin/dead-letters, for operators alone: the events that consumers of this service
 * could not take. Whatever is done there is in the log, under `audit`.
 * @param definitions the consumers of the service, which take the events that are driven again
 */
export function serveDeadLetters(
  platform: Pick<Platform, 'http' | 'nats' | 'service' | 'database'>,
  definitions: readonly ConsumerDefinition[],
): void {
  const { http, database } = platform;
  const letters = createDeadLetterStore(platform.nats, platform.service);
  const redrive = createRedrive(platform, definitions, letters);
  const onRequest = operatorsOnly;
  const describe = (summary: string, response: Readonly<Record<number, z.ZodType>>) => ({
    ...{ tags, summary, response },
  });

  http.get(
    path,
    { onRequest, schema: { ...describe('List dead events', { 200: deadLetterPage }), querystring: query } },
    async (request) => {
      const { limit, cursor, consumer } = request.query;
      const from = cursor === undefined ? 1 : afterCursor(cursor);
      const found = await letters.list({ from, most: limit + 1, consumer });
      audit(request, 'dead_letters.list', { consumer, found: found.length });
      const items = found.slice(0, limit).map(toView);
      const last = found.length > limit ? items.at(-1) : undefined;
      return { items, next_cursor: last ? String(last.sequence) : null };
    },
  );
  const one = { onRequest };
  const params = deadLetterParams;
  http.get(
    `${path}/:sequence`,
    { ...one, schema: { ...describe('Get a dead event', { 200: deadLetterDetail }), params } },
    async (request) => {
      const { sequence } = request.params;
      const letter = await letters.get(sequence);
      audit(request, 'dead_letters.show', { sequence });
      return toDetail(letter);
    },
  );
  http.post(
    `${path}/:sequence/redrive`,
    {
      ...one,
      schema: { ...describe('Give a dead event to its consumer again', { 200: redriveView }), params },
    },
    async (request, reply) => {
      const { sequence } = request.params;
      const { status, body } = await runIdempotent(database, request, async () => {
        const result = await redrive(sequence);
        audit(request, 'dead_letters.redrive', result);
        return { status: 200 as const, body: result };
      });
      return reply.status(status as 200).send(body);
    },
  );
  http.delete(
    `${path}/:sequence`,
    { ...one, schema: { ...describe('Drop a dead event for good', { 204: z.undefined() }), params } },
    async (request, reply) => {
      const { sequence } = request.params;
      await letters.drop(sequence);
      audit(request, 'dead_letters.drop', { sequence });
      return reply.status(204).send();
    },
  );
}

function audit(request: FastifyRequest, action: string, about: Readonly<Record<string, unknown>>): void {
  request.log.info({ audit: action, user: principalOf(request).userId, ...about }, 'operator');
}

function afterCursor(cursor: string): number {
  if (!/^\d{1,15}$/.test(cursor)) {
    throw kitErrors.invalid_cursor('the cursor does not come from an earlier page of this list');
  }
  return Number(cursor) + 1;
}

function toView(letter: JsMsg): DeadLetterView {
  const header = (name: string) => letter.headers?.get(name) || null;
  const count = (name: string) => {
    const text = header(name);
    return text !== null && /^\d{1,15}$/.test(text) ? Number(text) : null;
  };
  return {
    sequence: letter.seq,
    consumer: consumerOf(letter),
    error: header(deadLetterHeaders.error) ?? 'unknown',
    attempts: count(deadLetterHeaders.attempts),
    died_at: letter.time.toISOString(),
    subject: header(deadLetterHeaders.subject),
    stream_sequence: count(deadLetterHeaders.streamSeq),
    event: {
      id: header('ce-id'),
      type: header('ce-type'),
      version: header('ce-dataversion'),
      source: header('ce-source'),
      time: header('ce-time'),
      user_id: header('ce-userid'),
      root_id: header('ce-rootid'),
    },
  };
}

function toDetail(letter: JsMsg): DeadLetterDetail {
  const headers = Object.fromEntries(letter.headers ?? []);
  return { ...toView(letter), headers, body: letter.string() };
}
