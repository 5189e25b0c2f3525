import { createServer, type IncomingMessage, type Server, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import { text } from 'node:stream/consumers';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { createSearchTool } from './search.ts';
import { chooseSearch } from './search-providers.ts';
import type { ToolContext } from './tool.ts';

let server: Server;
let base: string;
let answer: (request: IncomingMessage, response: ServerResponse) => void | Promise<void>;
beforeEach(async () => {
  server = createServer((request, response) => void answer(request, response));
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  base = `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
});
afterEach(() => {
  server.closeAllConnections();
  server.close();
});

const none = { SEARCH_BRAVE_URL: 'http://127.0.0.1:9', SEARCH_TAVILY_URL: 'http://127.0.0.1:9' };
const context = (signal = new AbortController().signal) => ({ signal }) as ToolContext;
const json = (response: ServerResponse, body: unknown, status = 200) =>
  response.writeHead(status, { 'content-type': 'application/json' }).end(JSON.stringify(body));
const searxng = () => createSearchTool(chooseSearch({ ...none, SEARCH_SEARXNG_URL: `${base}/sub/` }));
const search = (tool: ReturnType<typeof createSearchTool>, limit = 8) =>
  tool.run({ query: 'zürich & "lakes"', limit }, context());

const hit = { title: 'Lake', url: 'https://example.org/lake', snippet: 'of Zürich' };
const charged = [{ operation: 'web.search', quantity: '1' }];

describe('the search tool', () => {
  it('asks SearXNG below the operator’s address', async () => {
    answer = (request, response) => {
      const url = new URL(request.url ?? '', base);
      expect([request.method, url.pathname]).toEqual(['GET', '/sub/search']);
      expect(Object.fromEntries(url.searchParams)).toEqual({ q: 'zürich & "lakes"', format: 'json' });
      json(response, {
        results: [
          { title: 'Lake', url: hit.url, content: hit.snippet, engine: 'x' },
          { title: 'bad', url: 'javascript:alert(1)', content: '' },
          { title: 'not a link', url: 'lake', content: null },
          { url: 'https://example.org/bare' },
        ],
      });
    };
    const bare = { title: 'https://example.org/bare', url: 'https://example.org/bare', snippet: '' };
    expect(await search(searxng())).toEqual({ output: { results: [hit, bare] }, usage: charged });
    expect(await search(searxng(), 1)).toMatchObject({ output: { results: [hit] } });
  });

  it('asks Brave with its key', async () => {
    answer = (request, response) => {
      expect(request.headers['x-subscription-token']).toBe('key');
      expect(request.url).toBe('/res/v1/web/search?q=z%C3%BCrich+%26+%22lakes%22&count=8');
      json(response, { web: { results: [{ title: 'Lake', url: hit.url, description: hit.snippet }] } });
    };
    const tool = createSearchTool(
      chooseSearch({ ...none, SEARCH_BRAVE_API_KEY: 'key', SEARCH_BRAVE_URL: base }),
    );
    expect(await search(tool)).toEqual({ output: { results: [hit] }, usage: charged });
    answer = (_, response) => void json(response, { query: {} });
    expect(await search(tool)).toEqual({ output: { results: [] }, usage: charged });
  });

  it('asks Tavily with its key', async () => {
    answer = async (request, response) => {
      expect([request.method, request.url, request.headers.authorization]).toEqual([
        'POST',
        '/search',
        'Bearer key',
      ]);
      expect(JSON.parse(await text(request))).toEqual({ query: 'zürich & "lakes"', max_results: 8 });
      json(response, { results: [{ title: 'Lake', url: hit.url, content: hit.snippet, score: 0.9 }] });
    };
    const tool = createSearchTool(
      chooseSearch({ ...none, SEARCH_TAVILY_API_KEY: 'key', SEARCH_TAVILY_URL: base }),
    );
    expect(await search(tool)).toEqual({ output: { results: [hit] }, usage: charged });
  });

  it('says what to set where nothing is configured', () => {
    const tool = createSearchTool(chooseSearch(none));
    expect(tool.unavailable()).toMatch(/SEARCH_SEARXNG_URL.*SEARCH_BRAVE_API_KEY.*SEARCH_TAVILY_API_KEY/);
    expect(searxng().unavailable()).toBeNull();
  });

  const brave = () =>
    createSearchTool(chooseSearch({ ...none, SEARCH_BRAVE_API_KEY: 'key', SEARCH_BRAVE_URL: base }));
  const tavily = () =>
    createSearchTool(chooseSearch({ ...none, SEARCH_TAVILY_API_KEY: 'key', SEARCH_TAVILY_URL: base }));

  describe.each([
    ['SearXNG', searxng],
    ['Brave', brave],
    ['Tavily', tavily],
  ])('with %s', (name, made) => {
    it.each([
      [401, 'search_unauthorized'],
      [403, 'search_unauthorized'],
      [402, 'search_quota_exceeded'],
      [432, 'search_quota_exceeded'],
      [429, 'search_rate_limited'],
      [422, 'search_unavailable'],
      [500, 'search_unavailable'],
    ])('tells of an answer %i and charges nothing', async (status, code) => {
      answer = (_, response) => void json(response, { secret: 'of the server' }, status);
      const result = await search(made());
      expect(result).toMatchObject({ output: null, usage: [], failure: { code } });
      expect(result.failure?.message).toContain(name);
      expect(JSON.stringify(result)).not.toMatch(/of the server|key/);
    });

    it('takes no nonsense for results, nor a server that breaks off', async () => {
      for (const body of ['<html>', '{"results": "many", "web": 1}', '[]']) {
        answer = (_, response) => void response.end(body);
        expect(await search(made())).toMatchObject({ usage: [], failure: { code: 'search_bad_answer' } });
      }
      const breaks: ((response: ServerResponse) => void)[] = [
        (response) => response.destroy(),
        (response) => {
          response.writeHead(200, { 'content-length': '1000' });
          response.write('{"results": [', () => response.destroy());
        },
      ];
      for (const broken of breaks) {
        answer = (_, response) => broken(response);
        expect(await search(made())).toMatchObject({ usage: [], failure: { code: 'search_unavailable' } });
      }
    });
  });

  it('says what a SearXNG may lack that refuses', async () => {
    answer = (_, response) => void json(response, {}, 403);
    expect((await search(searxng())).failure?.message).toContain('search.formats');
  });

  it.each([
    ['no JSON', '<html>'],
    ['another shape', '{"results": "many"}'],
    ['results that are none', '{"results": [{"title": 1}]}'],
    ['far too much', `{"results": [], "more": "${'x'.repeat(5 * 1024 * 1024)}"}`],
  ])('does not take %s for results', async (_, body) => {
    answer = (_request, response) => void response.end(body);
    expect(await search(searxng())).toMatchObject({ usage: [], failure: { code: 'search_bad_answer' } });
  });

  it('follows no redirect, also not to an address inside', async () => {
    const asked: (string | undefined)[] = [];
    answer = (request, response) => {
      asked.push(request.url);
      response.writeHead(302, { location: '/sub/metadata' }).end();
    };
    expect(await search(searxng())).toMatchObject({ failure: { code: 'search_unavailable' } });
    expect(asked).toHaveLength(1);
  });

  it('stops with its run', async () => {
    const stop = new AbortController();
    answer = () => stop.abort(new Error('the run is over'));
    await expect(searxng().run({ query: 'q', limit: 1 }, context(stop.signal))).rejects.toThrow(
      'the run is over',
    );
  });

  it.each([
    [{}],
    [{ query: '' }],
    [{ query: 'q'.repeat(401) }],
    [{ query: 'q', limit: 0 }],
    [{ query: 'q', limit: 21 }],
    [{ query: 'q', url: 'http://169.254.169.254/' }],
  ])('refuses the input %j', (input) => {
    expect(searxng().input.safeParse(input).success).toBe(false);
  });
});
