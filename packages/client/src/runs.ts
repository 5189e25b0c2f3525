import { type Api, bodyOf, given } from './api.ts';
import { defaultFollow, type FollowOptions, type FollowSettings, followRun } from './follow.ts';
import type { paths as AgentRunner } from './generated/agent-runner.ts';
import type { Transport } from './transport.ts';
import type {
  ArtifactView,
  CreateRunBody,
  MessagePage,
  RunEvent,
  RunPage,
  RunView,
  StepPage,
  StepView,
  ToolView,
} from './types.ts';
import { urlOf } from './url.ts';

export interface CallOptions {
  readonly signal?: AbortSignal | undefined;
}

export interface CreateOptions extends CallOptions {
  /** One key means one run: a caller that may crash between asking and knowing passes its own. */
  readonly idempotencyKey?: string;
}

/** The runs of the token's user. Every method throws ApiProblem or ConnectionError. */
export interface Runs {
  /** Starts a run. The idempotency key is made once and kept across retries, so at most one run starts. */
  create(body: CreateRunBody, options?: CreateOptions): Promise<RunView>;
  get(runId: string, options?: CallOptions): Promise<RunView>;
  /** Newest first. */
  list(query?: RunQuery, options?: CallOptions): Promise<RunPage>;
  /** All steps in order, page by page. */
  steps(runId: string, options?: CallOptions): AsyncGenerator<StepView>;
  messages(runId: string, query?: NumberedQuery, options?: CallOptions): Promise<MessagePage>;
  artifacts(runId: string, options?: CallOptions): Promise<readonly ArtifactView[]>;
  /** Asks for the end of a run; it is over when its status says so. Repeating it is harmless. */
  cancel(runId: string, options?: CallOptions): Promise<RunView>;
  /** The run's events, resumed over dropped connections; see `followRun`. */
  follow(runId: string, options?: FollowOptions): AsyncGenerator<RunEvent>;
  /** The tools a step may use, and why one is not available. */
  tools(options?: CallOptions): Promise<readonly ToolView[]>;
}

export type RunQuery = NonNullable<AgentRunner['/v1/runs']['get']['parameters']['query']>;

export interface NumberedQuery {
  /** The last number already read; -1, the default, starts at the beginning. */
  readonly after?: number;
  readonly limit?: number;
}

/** The usual ways through the runs API; events come from the given address of agent-runner. */
export function createRuns(
  transport: Transport,
  api: Api['agentRunner'],
  baseUrl: string,
  settings: FollowSettings = defaultFollow,
): Runs {
  const pathOf = (id: string) => ({ path: { id } });
  const get = (runId: string, options?: CallOptions) =>
    bodyOf(api.GET('/v1/runs/{id}', { params: pathOf(runId), ...options }));

  return {
    create: (body, { idempotencyKey, ...options } = {}) => {
      const header = given({ 'idempotency-key': idempotencyKey });
      return bodyOf(api.POST('/v1/runs', { params: { header }, body, ...options }));
    },
    get,
    list: (query = {}, options) => bodyOf(api.GET('/v1/runs', { params: { query }, ...options })),
    async *steps(runId, options) {
      for (let after: number | null = -1; after !== null; ) {
        const params = { ...pathOf(runId), query: { after, limit: 500 } };
        const page: StepPage = await bodyOf(api.GET('/v1/runs/{id}/steps', { params, ...options }));
        yield* page.items;
        after = page.next_after;
      }
    },
    messages: (runId, query = {}, options) =>
      bodyOf(api.GET('/v1/runs/{id}/messages', { params: { ...pathOf(runId), query }, ...options })),
    artifacts: async (runId, options) => {
      const list = await bodyOf(api.GET('/v1/runs/{id}/artifacts', { params: pathOf(runId), ...options }));
      return list.items;
    },
    cancel: (runId, options) =>
      bodyOf(api.POST('/v1/runs/{id}/cancel', { params: pathOf(runId), ...options })),
    follow: (runId, options) =>
      followRun(
        {
          transport,
          eventsUrl: urlOf(baseUrl, `/v1/runs/${encodeURIComponent(runId)}/events`),
          settings,
          readRun: () => get(runId),
        },
        options,
      ),
    tools: async (options) => (await bodyOf(api.GET('/v1/tools', { ...options }))).items,
  };
}
