import createFetchClient from 'openapi-fetch';
import { type Api, bodyOf, given } from './api.ts';
import type { CallOptions } from './runs.ts';
import type { Transport } from './transport.ts';
import type { DeadLetterDetail, DeadLetterPage, RedriveView } from './types.ts';

export interface DeadLetterQuery {
  readonly limit?: number;
  readonly cursor?: string;
  readonly consumer?: string;
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

/** The dead letters of the service at the given address: all services have them alike. */
export function createDeadLetters({ fetch }: Transport, baseUrl: string): DeadLetters {
  const api: Api['collab'] = createFetchClient({ baseUrl, fetch });
  const at = (sequence: number) => ({ path: { sequence: `${sequence}` } });
  return {
    list: (query = {}, options) =>
      bodyOf(api.GET('/v1/admin/dead-letters', { params: { query }, ...options })),
    get: (sequence, options) =>
      bodyOf(api.GET('/v1/admin/dead-letters/{sequence}', { params: at(sequence), ...options })),
    redrive: (sequence, { idempotencyKey, ...options } = {}) => {
      const header = given({ 'idempotency-key': idempotencyKey });
      return bodyOf(
        api.POST('/v1/admin/dead-letters/{sequence}/redrive', {
          params: { ...at(sequence), header },
          ...options,
        }),
      );
    },
    async drop(sequence, options) {
      await api.DELETE('/v1/admin/dead-letters/{sequence}', { params: at(sequence), ...options });
    },
  };
}
