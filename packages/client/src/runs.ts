import { defaultFollow, type FollowOptions, type FollowSettings, followRun } from './follow.ts';
import type { Transport } from './transport.ts';
import type {
  ArtifactList,
  ArtifactView,
  CreateRunBody,
  MessagePage,
  RunEvent,
  RunPage,
  RunStatus,
  RunView,
  StepPage,
  StepView,
  ToolList,
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

export interface RunQuery {
  readonly limit?: number | undefined;
  readonly cursor?: string | undefined;
  readonly status?: RunStatus | undefined;
}

export interface NumberedQuery {
  /** The last number already read; -1, the default, starts at the beginning. */
  readonly after?: number;
  readonly limit?: number;
}

/** The runs API at the given address of agent-runner. */
export function createRuns(
  transport: Transport,
  baseUrl: string,
  settings: FollowSettings = defaultFollow,
): Runs {
  const runUrl = (runId: string, rest = '', query = {}) =>
    urlOf(baseUrl, `/v1/runs/${encodeURIComponent(runId)}${rest}`, query);
  const read = <T>(url: URL, options?: CallOptions) =>
    transport.json<T>({ method: 'GET', url, signal: options?.signal });

  return {
    create: (body, options) =>
      transport.json({
        method: 'POST',
        url: urlOf(baseUrl, '/v1/runs'),
        body,
        headers: { 'idempotency-key': options?.idempotencyKey ?? crypto.randomUUID() },
        repeatable: true,
        signal: options?.signal,
      }),
    get: (runId, options) => read(runUrl(runId), options),
    list: (query, options) => read(urlOf(baseUrl, '/v1/runs', { ...query }), options),
    async *steps(runId, options) {
      for (let after: number | null = -1; after !== null; ) {
        const page: StepPage = await read(runUrl(runId, '/steps', { after, limit: 500 }), options);
        yield* page.items;
        after = page.next_after;
      }
    },
    messages: (runId, query, options) => read(runUrl(runId, '/messages', { ...query }), options),
    artifacts: async (runId, options) =>
      (await read<ArtifactList>(runUrl(runId, '/artifacts'), options)).items,
    cancel: (runId, options) =>
      transport.json({
        method: 'POST',
        url: runUrl(runId, '/cancel'),
        repeatable: true,
        signal: options?.signal,
      }),
    follow: (runId, options) =>
      followRun(
        {
          transport,
          eventsUrl: runUrl(runId, '/events'),
          settings,
          readRun: () => read<RunView>(runUrl(runId)),
        },
        options,
      ),
    tools: async (options) => (await read<ToolList>(urlOf(baseUrl, '/v1/tools'), options)).items,
  };
}
