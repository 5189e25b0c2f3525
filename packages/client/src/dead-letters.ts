import type { CallOptions } from './runs.ts';
import type { Transport } from './transport.ts';
import type { DeadLetterDetail, DeadLetterPage, RedriveView } from './types.ts';
import { urlOf } from './url.ts';

export interface DeadLetterQuery {
  readonly limit?: number | undefined;
  readonly cursor?: string | undefined;
  readonly consumer?: string | undefined;
}

/** The events that consumers of one service could not take. For operators. Throws ApiProblem or ConnectionError. */
export interface DeadLetters {
  /** Oldest first. */
  list(query?: DeadLetterQuery, options?: CallOptions): Promise<DeadLetterPage>;
  get(sequence: number, options?: CallOptions): Promise<DeadLetterDetail>;
  /** Gives the event to its consumer again; repeating with the same key is harmless. */
  redrive(
    sequence: number,
    options?: CallOptions & { readonly idempotencyKey?: string },
  ): Promise<RedriveView>;
  /** Removes a letter for good. */
  drop(sequence: number, options?: CallOptions): Promise<void>;
}

/** The dead letters of the service at the given address. */
export function createDeadLetters(transport: Transport, baseUrl: string): DeadLetters {
  const path = '/v1/admin/dead-letters';
  const at = (sequence: number, more = '') => urlOf(baseUrl, `${path}/${sequence}${more}`);
  return {
    list: (query = {}, options) =>
      transport.json({ method: 'GET', url: urlOf(baseUrl, path, { ...query }), signal: options?.signal }),
    get: (sequence, options) => transport.json({ method: 'GET', url: at(sequence), signal: options?.signal }),
    redrive: (sequence, { signal, idempotencyKey = crypto.randomUUID() } = {}) =>
      transport.json({
        method: 'POST',
        url: at(sequence, '/redrive'),
        headers: { 'idempotency-key': idempotencyKey },
        repeatable: true,
        signal,
      }),
    async drop(sequence, options) {
      await transport.open({ method: 'DELETE', url: at(sequence), signal: options?.signal });
    },
  };
}
