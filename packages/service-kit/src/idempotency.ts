import { createHash } from 'node:crypto';
import type { FastifyRequest } from 'fastify';
import { sql } from 'kysely';
import { z } from 'zod';
import type { Database, Tx } from './database.ts';
import { kitErrors } from './errors.ts';
import { principalOf } from './http-auth.ts';

export interface IdempotentResult<T> {
  readonly status: number;
  readonly body: T;
  readonly replayed: boolean;
}

const keySchema = z.string().regex(/^[\x21-\x7e]{1,200}$/);
interface StoredResponse<T> {
  readonly request_hash: string;
  readonly response_status: number | null;
  readonly response_body: T;
}

/**
 * Runs `work` at most once per user, route and `Idempotency-Key`, and stores its answer in the same
 * transaction; a repeat within 24 hours gets the stored answer and the header `Idempotency-Replayed: true`.
 * The key's row is inserted first, so that of two racing requests one waits for the other. A failure stores
 * nothing: the same key may be tried again.
 * @throws AppError 400 `idempotency_key_required`; 409 `idempotency_key_reused` for another body
 */
export async function runIdempotent<T>(
  database: Database,
  request: FastifyRequest,
  work: (tx: Tx) => Promise<{ readonly status: number; readonly body: T }>,
): Promise<IdempotentResult<T>> {
  const principal = principalOf(request);
  const key = idempotencyKeyOf(request);
  const route = `${request.method} ${request.routeOptions.url ?? request.url}`;
  const identity = sql`user_id = ${principal.userId}::uuid AND source = ${database.service} AND route = ${route} AND key = ${key}`;
  const hash = hashOf(request);

  const result = await database.withUser(principal, async (tx): Promise<IdempotentResult<T>> => {
    const claimed = await sql`
      INSERT INTO api_idempotency AS i (user_id, source, route, key, request_hash)
      VALUES (${principal.userId}::uuid, ${database.service}, ${route}, ${key}, ${hash})
      ON CONFLICT (user_id, source, route, key) DO UPDATE
        SET request_hash = excluded.request_hash, created_at = now(), response_status = NULL, response_body = NULL
        WHERE i.created_at < now() - interval '24 hours'
      RETURNING 1`.execute(tx);
    if (claimed.rows.length === 0) {
      const stored = await sql<StoredResponse<T>>`
        SELECT request_hash, response_status, response_body FROM api_idempotency WHERE ${identity}`.execute(
        tx,
      );
      return replay(stored.rows[0], hash);
    }
    const { status, body } = await work(tx);
    await sql`
      UPDATE api_idempotency SET response_status = ${status}, response_body = ${JSON.stringify(body) ?? null}::jsonb
      WHERE ${identity}`.execute(tx);
    return { status, body, replayed: false };
  });
  request.idempotencyReplayed = result.replayed;
  return result;
}

/**
 * The `Idempotency-Key` of a request, for operations that keep it with what they have done.
 * @throws AppError 400 `idempotency_key_required`
 */
export function idempotencyKeyOf(request: FastifyRequest): string {
  const key = keySchema.safeParse(request.headers['idempotency-key']);
  if (key.success) return key.data;
  throw kitErrors.idempotency_key_required(
    'send an Idempotency-Key header of 1 to 200 visible ASCII characters',
  );
}

function replay<T>(stored: StoredResponse<T> | undefined, hash: string): IdempotentResult<T> {
  if (!stored || stored.response_status === null) {
    throw kitErrors.database_conflict('the first request with this Idempotency-Key has not been stored');
  }
  if (stored.request_hash !== hash) {
    throw kitErrors.idempotency_key_reused('this Idempotency-Key belongs to a request with other content');
  }
  return { status: stored.response_status, body: stored.response_body, replayed: true };
}

/** Of what the client asked, whatever the order of its keys. */
function hashOf(request: FastifyRequest): string {
  const content = JSON.stringify(
    sortKeys({ params: request.params, query: request.query, body: request.body ?? null }),
  );
  return createHash('sha256').update(content).digest('hex');
}

function sortKeys(value: unknown): unknown {
  if (Array.isArray(value)) return value.map(sortKeys);
  if (typeof value === 'bigint') return value.toString();
  if (value === null || typeof value !== 'object' || value instanceof Date) return value;
  const entries = Object.entries(value).sort(([a], [b]) => (a < b ? -1 : 1));
  return Object.fromEntries(entries.map(([name, inner]) => [name, sortKeys(inner)]));
}
