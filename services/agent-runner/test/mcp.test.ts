import { randomUUID } from 'node:crypto';
import { existsSync, readFileSync } from 'node:fs';
import { mkdtemp, rm } from 'node:fs/promises';
import { createServer, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { NodeStreamableHTTPServerTransport, toNodeHandler } from '@modelcontextprotocol/node';
import { createMcpHandler } from '@modelcontextprotocol/server';
import { systemClock } from '@swissbrain/service-kit/clock';
import { createLogger } from '@swissbrain/service-kit/logger';
import { waitFor } from '@swissbrain/testkit/wait';
import { afterEach, beforeEach, describe, expect, it, onTestFinished } from 'vitest';
import { type McpSecrets, mcpConfig } from '../src/tools/mcp/mcp-config.ts';
import { type McpServers, openMcpServers } from '../src/tools/mcp/mcp-servers.ts';
import type { ToolContext, ToolResult } from '../src/tools/tool.ts';
import { createProbeServer } from './support/mcp-server.ts';

let directory: string;
let notes: string;
let lines: string[];
beforeEach(async () => {
  directory = await mkdtemp(join(tmpdir(), 'swissbrain-mcp-'));
  notes = join(directory, 'notes');
  lines = [];
});
afterEach(() => rm(directory, { recursive: true, force: true }));

const secret = 'a-secret-of-the-operator';
const noted = () => (existsSync(notes) ? readFileSync(notes, 'utf8').trim().split('\n') : []);
const program = (more: Record<string, unknown> = {}, env: Record<string, string> = {}) => ({
  command: process.execPath,
  ...{ args: [join(import.meta.dirname, 'support/mcp-stdio.ts')] },
  env: { NOTES: notes, TOKEN: '${MCP_SECRET_PROBE}', ...env },
  connect_seconds: 30,
  ...more,
});

async function openServers(
  servers: Record<string, unknown>,
  secrets: McpSecrets = { MCP_SECRET_PROBE: secret },
) {
  const log = createLogger({ service: 'test', level: 'debug' }, { write: (line) => void lines.push(line) });
  const opened = openMcpServers(mcpConfig.parse({ servers }), {
    ...{ log, secrets, clock: systemClock, retryMs: 20 },
  });
  onTestFinished(() => opened.close());
  await opened.tried;
  return opened;
}

/** Calls a tool as a step would. */
function call(servers: McpServers, name: string, input: unknown = {}, signal = new AbortController().signal) {
  const tool = servers.find(name);
  if (!tool) throw new Error(`there is no tool ${name}`);
  return tool.run(tool.input.parse(input), { signal, stepId: randomUUID() } as ToolContext) as Promise<
    ToolResult & { output: { text: string } }
  >;
}

/** Serves the probe over HTTP on a port; with sessions, as servers before 2026 kept them. */
async function serveHttp(port: number, { sessions = false, token = '' } = {}): Promise<Server> {
  const transports = new Map<string, NodeStreamableHTTPServerTransport>();
  const handler = toNodeHandler(createMcpHandler(() => createProbeServer({ notes })));
  const server = createServer((request, response) => {
    const refuse = (status: number) => response.writeHead(status).end();
    if (token && request.headers.authorization !== `Bearer ${token}`) return void refuse(401);
    if (!sessions) return void handler(request, response);
    void (async () => {
      const id = String(request.headers['mcp-session-id'] ?? '');
      if (id && !transports.has(id)) return refuse(404);
      let transport = transports.get(id);
      if (!transport) {
        transport = new NodeStreamableHTTPServerTransport({
          sessionIdGenerator: randomUUID,
          onsessioninitialized: (made) => void transports.set(made, transport as never),
        });
        await createProbeServer({ notes }).connect(transport);
      }
      await transport.handleRequest(request, response);
    })();
  });
  await new Promise<void>((resolve) => server.listen(port, '127.0.0.1', resolve));
  onTestFinished(() => stopHttp(server));
  return server;
}
const portOf = (server: Server) => (server.address() as AddressInfo).port;
const stopHttp = (server: Server) =>
  new Promise<void>((resolve) => {
    server.close(() => resolve());
    server.closeAllConnections();
  });
const urlOf = (port: number) => `http://127.0.0.1:${port}/mcp`;

describe.each([
  ['a program', () => program()],
  ['a program of the older protocol', () => program({}, { PROTOCOL: 'old' })],
  ['a server over HTTP', async () => ({ url: urlOf(portOf(await serveHttp(0))) })],
  [
    'a server over HTTP with sessions',
    async () => ({ url: urlOf(portOf(await serveHttp(0, { sessions: true }))) }),
  ],
])('%s', (_, described) => {
  it('gives its tools with their schema and what they may change, and answers', async () => {
    const servers = await openServers({ probe: await described() });
    const tools = Object.fromEntries(servers.list().map((tool) => [tool.name, tool]));
    const lookUp = servers.list().find(({ name }) => name.startsWith('mcp__probe__look_up_'));
    expect(lookUp).toMatchObject({
      description: 'Look up: Finds a word',
      effect: 'read',
      resume: 'repeat',
      type: 'connector',
      inputSchema: { type: 'object', properties: { word: { type: 'string' } }, required: ['word'] },
    });
    expect(tools.mcp__probe__remove).toMatchObject({ effect: 'destructive', resume: 'unknown' });
    expect(tools.mcp__probe__unsaid).toMatchObject({ effect: 'destructive', resume: 'unknown' });
    expect(tools.mcp__probe__add).toMatchObject({ effect: 'write', resume: 'unknown' });
    expect(lookUp?.unavailable()).toBeNull();
    const answer = await call(servers, lookUp?.name ?? '', { word: 'lake' });
    expect(answer).toEqual({
      output: { text: 'found lake', structured: { found: 'lake' } },
      usage: [{ operation: 'connector.call', quantity: '1' }],
    });
    expect(noted()[0]).toMatch(/^look up lake [0-9a-f-]{36}$/);
    const refused = lookUp?.input.safeParse({ word: 7, limit: 0, more: 1 });
    expect(refused?.error?.issues.map(({ path }) => path.join('.')).sort()).toEqual(['', 'limit', 'word']);
  });

  it('may fail, say too much or show what cannot be shown', async () => {
    const servers = await openServers({ probe: await described() });
    expect(await call(servers, 'mcp__probe__fail')).toMatchObject({
      usage: [],
      failure: { code: 'mcp_tool_failed', message: 'no such word' },
    });
    const much = await call(servers, 'mcp__probe__much');
    expect(much.output).toMatchObject({ truncated: true });
    expect(much.output.text).toHaveLength(256 * 1024);
    expect((await call(servers, 'mcp__probe__picture')).output.text).toBe(
      '[image image/png, 30 bytes, not shown]',
    );
  });
});

describe('a program', () => {
  it('gets its secret and nothing else of the service, and no word of it goes out', async () => {
    process.env.AUTH_JWT_SECRET = 'of the service';
    onTestFinished(() => void delete process.env.AUTH_JWT_SECRET);
    const servers = await openServers({ probe: program() });
    const answer = await call(servers, 'mcp__probe__secret');
    expect(answer.output.text).toBe('the token is [secret], the rest is not here');
    await waitFor(async () =>
      lines.some((line) => line.includes('started with [secret]')) ? true : undefined,
    );
    expect(lines.join()).not.toContain(secret);
  });

  it('that ends in a call is started again: what only reads is asked once more, the rest is not', async () => {
    const servers = await openServers({ probe: program() });
    const wrote = await call(servers, 'mcp__probe__die_writing');
    expect(wrote.failure).toMatchObject({ code: 'mcp_failed' });
    expect(wrote.failure?.message).toContain('whether it was done is not known');
    const read = await call(servers, 'mcp__probe__die', { once: true });
    expect(read.failure).toMatchObject({ code: 'mcp_failed' });
    expect(noted()).toEqual(['die_writing', 'die', 'die']);
    const again = await waitFor(async () => {
      const answer = await call(servers, 'mcp__probe__add', { name: 'one' });
      return answer.failure ? undefined : answer;
    });
    expect(again.output.text).toBe('added one');
  });

  it('that does not answer is given up, at its time or when the run ends', async () => {
    const servers = await openServers({ probe: program({ timeout_seconds: 1 }) });
    expect((await call(servers, 'mcp__probe__hang')).failure).toEqual({
      code: 'mcp_timeout',
      message: 'the MCP server "probe" did not answer in time',
    });
    const stop = new AbortController();
    const hanging = call(servers, 'mcp__probe__hang', {}, stop.signal);
    stop.abort(new Error('the run has ended'));
    await expect(hanging).rejects.toThrow('the run has ended');
    expect((await call(servers, 'mcp__probe__unsaid')).output.text).toBe('done');
  });

  it('may offer more later', async () => {
    const servers = await openServers({ probe: program() });
    expect(servers.list().map(({ name }) => name)).not.toContain('mcp__probe__grown');
    await call(servers, 'mcp__probe__grow');
    await waitFor(async () => servers.list().find(({ name }) => name === 'mcp__probe__grown'));
    expect((await call(servers, 'mcp__probe__grown')).output.text).toBe('I am new');
  });

  it('that cannot be started is named with the reason, and so are its tools', async () => {
    const servers = await openServers({ gone: { command: join(directory, 'nothing') } });
    const [stand] = servers.list();
    expect(stand).toMatchObject({ name: 'mcp__gone', offered: false });
    expect(stand?.unavailable()).toContain('the MCP server "gone" cannot be reached');
    expect(servers.find('mcp__gone__anything')?.unavailable()).toContain('cannot be reached');
    expect(servers.find('mcp__other__anything')).toBeUndefined();
  });
});

describe('a server over HTTP', () => {
  it('that is away is reached when it comes, and again after it was restarted', async () => {
    const first = await serveHttp(0, { sessions: true });
    const port = portOf(first);
    await stopHttp(first);
    const servers = await openServers({ probe: { url: urlOf(port) } });
    expect(servers.list()[0]?.unavailable()).toContain('ECONNREFUSED');
    const second = await serveHttp(port, { sessions: true });
    await waitFor(async () => servers.list().find(({ name }) => name === 'mcp__probe__add'));
    await stopHttp(second);
    // Forgets the session: the call is refused, not done, and made in a new one.
    await serveHttp(port, { sessions: true });
    expect((await call(servers, 'mcp__probe__add', { name: 'two' })).output.text).toBe('added two');
    expect(noted()).toEqual(['add two']);
  });

  it('gets the secret in its header; without, the reason names the refusal and not the secret', async () => {
    const port = portOf(await serveHttp(0, { token: secret }));
    const entry = { url: urlOf(port), headers: { authorization: 'Bearer ${MCP_SECRET_PROBE}' } };
    const servers = await openServers({ probe: entry });
    expect((await call(servers, 'mcp__probe__unsaid')).output.text).toBe('done');
    const refused = await openServers({ probe: entry }, { MCP_SECRET_PROBE: 'another-secret' });
    expect(refused.list()[0]?.unavailable()).toContain('401');
    expect(lines.join()).not.toContain('another-secret');
  });

  it('is taken at the operator’s word: which tools, what they change, what they cost', async () => {
    const port = portOf(await serveHttp(0));
    const servers = await openServers({
      probe: {
        url: urlOf(port),
        tools: ['re*', 'unsaid'],
        effects: { remove: 'write', '*': 'read' },
        charged: false,
      },
    });
    expect(servers.list().map(({ name, effect }) => [name, effect])).toEqual([
      ['mcp__probe__remove', 'write'],
      ['mcp__probe__unsaid', 'read'],
    ]);
    expect((await call(servers, 'mcp__probe__unsaid')).usage).toEqual([]);
    expect(servers.find('mcp__probe__add')?.unavailable()).toContain('has no such tool');
  });
});
