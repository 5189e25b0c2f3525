import createFetchClient, { type Client as TypedClient } from 'openapi-fetch';
import type { paths as AgentRunner } from './generated/agent-runner.ts';
import type { paths as Collab } from './generated/collab.ts';
import type { paths as Connectors } from './generated/connectors.ts';
import type { paths as Credits } from './generated/credits.ts';
import type { paths as Scheduler } from './generated/scheduler.ts';
import type { paths as WideResearch } from './generated/wide-research.ts';
import type { Transport } from './transport.ts';

/** Where each service answers; behind one gateway all are the same. */
export interface ServiceUrls {
  readonly agentRunner: string;
  readonly collab: string;
  readonly connectors: string;
  readonly credits: string;
  readonly scheduler: string;
  readonly wideResearch: string;
}

/**
 * Every endpoint of every service by its path, with the types that the services give of themselves:
 * `api.agentRunner.POST('/v1/runs/{id}/pause', { params: { path: { id } } })`. What is not a success is thrown as
 * ApiProblem or ConnectionError, so `data` is the body of a success.
 */
export interface Api {
  readonly agentRunner: TypedClient<AgentRunner>;
  readonly collab: TypedClient<Collab>;
  readonly connectors: TypedClient<Connectors>;
  readonly credits: TypedClient<Credits>;
  readonly scheduler: TypedClient<Scheduler>;
  readonly wideResearch: TypedClient<WideResearch>;
}

/** The API of all services over one transport. */
export function createApi({ fetch }: Transport, urls: ServiceUrls): Api {
  return {
    agentRunner: createFetchClient({ baseUrl: urls.agentRunner, fetch }),
    collab: createFetchClient({ baseUrl: urls.collab, fetch }),
    connectors: createFetchClient({ baseUrl: urls.connectors, fetch }),
    credits: createFetchClient({ baseUrl: urls.credits, fetch }),
    scheduler: createFetchClient({ baseUrl: urls.scheduler, fetch }),
    wideResearch: createFetchClient({ baseUrl: urls.wideResearch, fetch }),
  };
}

/**
 * The body of an answer.
 * @throws ApiProblem or ConnectionError, which the transport threw
 */
export async function bodyOf<T>(answer: Promise<{ readonly data?: T }>): Promise<T> {
  return (await answer).data as T;
}

/** Values that were given: what is undefined is left out. */
export function given<T extends object>(values: T): { [K in keyof T]?: Exclude<T[K], undefined> } {
  const entries = Object.entries(values).filter(([, value]) => value !== undefined);
  return Object.fromEntries(entries) as { [K in keyof T]?: Exclude<T[K], undefined> };
}
