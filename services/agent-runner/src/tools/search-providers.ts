import { z } from 'zod';
import type { Config } from '../config.ts';
import { readBounded } from './read-bounded.ts';

/** One hit of a web search. */
export interface SearchHit {
  readonly title: string;
  readonly url: string;
  readonly snippet: string;
}

/** A search engine as the operator has configured it. */
export interface SearchProvider {
  readonly name: string;
  search(query: string, limit: number, signal: AbortSignal): Promise<readonly SearchHit[]>;
}

/** The search engine cannot be used or does not answer as it should. */
export class SearchFailure extends Error {
  override readonly name = 'SearchFailure';
  readonly code:
    | 'search_unauthorized'
    | 'search_quota_exceeded'
    | 'search_rate_limited'
    | 'search_unavailable'
    | 'search_bad_answer';

  constructor(code: SearchFailure['code'], message: string) {
    super(message);
    this.code = code;
  }
}

const maxAnswerBytes = 4 * 1024 * 1024;
const searxngHint = ': its settings must allow the format json (search.formats)';
const text = z.string().nullish();
const searxngAnswer = z.object({
  results: z.array(z.object({ title: text, url: z.string(), content: text })),
});
const braveAnswer = z.object({
  web: z
    .object({ results: z.array(z.object({ title: text, url: z.string(), description: text })) })
    .optional(),
});
const tavilyAnswer = searxngAnswer;

interface Request {
  readonly url: URL;
  readonly headers?: Readonly<Record<string, string>>;
  readonly body?: unknown;
  /** What may be wrong when it is refused. */
  readonly hint?: string;
}

async function send({ url, headers = {}, body }: Request, signal: AbortSignal) {
  const response = await fetch(url, {
    method: body === undefined ? 'GET' : 'POST',
    headers: { accept: 'application/json', 'content-type': 'application/json', ...headers },
    ...(body === undefined ? {} : { body: JSON.stringify(body) }),
    redirect: 'error',
    signal,
  });
  if (!response.body) return { response, bytes: Buffer.alloc(0), truncated: false };
  return { response, ...(await readBounded(response.body, maxAnswerBytes)) };
}

/**
 * Asks a search engine. Only the address that the operator has configured is asked: the query is a parameter and no
 * redirect is followed.
 */
async function ask<T>(name: string, schema: z.ZodType<T>, request: Request, signal: AbortSignal): Promise<T> {
  const { hint = '' } = request;
  let answer: Awaited<ReturnType<typeof send>>;
  try {
    answer = await send(request, signal);
  } catch (error) {
    signal.throwIfAborted();
    const reason = error instanceof Error ? error.message : String(error);
    throw new SearchFailure('search_unavailable', `${name} cannot be reached: ${reason}`);
  }
  const { response, bytes, truncated } = answer;
  if (response.status === 401 || response.status === 403)
    throw new SearchFailure('search_unauthorized', `${name} refused the request (${response.status})${hint}`);
  // 402 of Brave, 432 and 433 of Tavily: the plan, or what may be paid beyond it.
  if ([402, 432, 433].includes(response.status))
    throw new SearchFailure('search_quota_exceeded', `the quota at ${name} is used up`);
  if (response.status === 429)
    throw new SearchFailure('search_rate_limited', `${name} limits the rate of searches`);
  if (!response.ok) throw new SearchFailure('search_unavailable', `${name} answered ${response.status}`);
  const parsed = truncated ? undefined : schema.safeParse(jsonOf(bytes));
  if (parsed?.success) return parsed.data;
  throw new SearchFailure('search_bad_answer', `${name} answered with something that is no list of results`);
}

function jsonOf(bytes: Buffer): unknown {
  try {
    return JSON.parse(bytes.toString('utf8'));
  } catch {
    return undefined;
  }
}

interface Found {
  readonly title?: string | null | undefined;
  readonly url: string;
  readonly content?: string | null | undefined;
}

/** Only links that a browser would open, in bounded length. */
function hitsOf(found: readonly Found[], limit: number): readonly SearchHit[] {
  const web = found.filter(({ url }) => URL.canParse(url) && /^https?:$/.test(new URL(url).protocol));
  return web.slice(0, limit).map(({ title, url, content }) => ({
    title: (title ?? url).slice(0, 500),
    url: url.slice(0, 2_000),
    snippet: (content ?? '').slice(0, 2_000),
  }));
}

/** A path below the operator's address, which may have a path of its own. */
function below(base: string, path: string, query: Readonly<Record<string, string>> = {}): URL {
  const url = new URL(`${base.replace(/\/+$/, '')}${path}`);
  url.search = new URLSearchParams(query).toString();
  return url;
}

type SearchConfig = Pick<
  Config,
  | 'SEARCH_SEARXNG_URL'
  | 'SEARCH_BRAVE_API_KEY'
  | 'SEARCH_BRAVE_URL'
  | 'SEARCH_TAVILY_API_KEY'
  | 'SEARCH_TAVILY_URL'
>;

/** The configured search engine: SearXNG, else Brave, else Tavily; null when there is none. */
export function chooseSearch(config: SearchConfig): SearchProvider | null {
  const { SEARCH_SEARXNG_URL: searxng, SEARCH_BRAVE_API_KEY: brave, SEARCH_TAVILY_API_KEY: tavily } = config;
  if (searxng) {
    return {
      name: 'SearXNG',
      async search(query, limit, signal) {
        const url = below(searxng, '/search', { q: query, format: 'json' });
        return hitsOf(
          (await ask('SearXNG', searxngAnswer, { url, hint: searxngHint }, signal)).results,
          limit,
        );
      },
    };
  }
  if (brave) {
    return {
      name: 'Brave',
      async search(query, limit, signal) {
        const url = below(config.SEARCH_BRAVE_URL, '/res/v1/web/search', { q: query, count: String(limit) });
        const headers = { 'x-subscription-token': brave };
        const { web } = await ask('Brave', braveAnswer, { url, headers }, signal);
        const found = web?.results ?? [];
        return hitsOf(
          found.map(({ description, ...rest }) => ({ ...rest, content: description })),
          limit,
        );
      },
    };
  }
  if (tavily) {
    return {
      name: 'Tavily',
      async search(query, limit, signal) {
        const url = below(config.SEARCH_TAVILY_URL, '/search');
        const headers = { authorization: `Bearer ${tavily}` };
        const body = { query, max_results: limit };
        return hitsOf((await ask('Tavily', tavilyAnswer, { url, headers, body }, signal)).results, limit);
      },
    };
  }
  return null;
}
