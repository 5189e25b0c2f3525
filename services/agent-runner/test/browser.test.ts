import { randomUUID } from 'node:crypto';
import { readdirSync, readFileSync } from 'node:fs';
import { mkdtemp, rm } from 'node:fs/promises';
import { createServer, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { text } from 'node:stream/consumers';
import { type ModelServer, startModelServer } from '@swissbrain/testkit/model-server';
import { afterAll, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import type { SandboxDriver, SandboxSession } from '../src/sandbox/driver.ts';
import { createLocalDriver } from '../src/sandbox/local-driver.ts';
import { createBrowserTool } from '../src/tools/browser/browser.ts';
import { findBrowser } from '../src/tools/browser/browser-place.ts';
import type { ToolContext, ToolResult } from '../src/tools/tool.ts';
import { newUser, type Runner, startRunner } from './support/runner.ts';

const choice = findBrowser({
  SANDBOX_DRIVER: 'local',
  PATH: process.env.PATH ?? '',
  BROWSER_CHROMIUM_PATH: process.env.BROWSER_CHROMIUM_PATH,
});
const missing = 'reason' in choice ? choice.reason : null;
if (missing) console.warn(`the tests of the browser are skipped: ${missing}`);

let server: Server;
let site: string;
/** Requests as `METHOD path body`. */
const seen: string[] = [];
const pages: Record<string, string> = {
  '/': `<title>Lakes</title><h1>Lakes</h1>
    <form action="/search" method="post"><label>Name <input name="q"></label>
      <label>Kind <select name="kind"><option value="1">Deep</option><option value="2">Shallow</option></select></label>
      <button>Search</button></form>
    <a href="/counter">Counter</a> <a href="/file" download="notes.txt">Notes</a>
    <button onclick="alert('Wet!')">Warn</button> <button onclick="window.open('/counter')">Window</button>`,
  '/search': '<title>Found</title><p>Two lakes</p>',
  '/counter': `<title>Counter</title><p id="n">0</p><button>More</button>
    <script>let n = 0; document.cookie = 'visited=yes; max-age=1000';
      document.querySelector('button').onclick = () => { n += 1; document.querySelector('#n').textContent = n; }</script>`,
};
beforeAll(async () => {
  server = createServer((request, response) => {
    void (async () => {
      const body = request.method === 'POST' ? ` ${await text(request)}` : '';
      seen.push(`${request.method} ${request.url}${body} ${request.headers.cookie ?? ''}`.trim());
      const page = pages[request.url ?? ''];
      if (request.url === '/file') response.end('of the lake');
      else if (request.url === '/slow') return;
      else if (page) response.writeHead(200, { 'content-type': 'text/html; charset=utf-8' }).end(page);
      else response.writeHead(404, { 'content-type': 'text/html' }).end('<title>Nothing</title>');
    })();
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  site = `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
});
afterAll(() => {
  server.closeAllConnections();
  server.close();
});
beforeEach(() => {
  seen.length = 0;
});

describe.skipIf(missing !== null)('a browser in a sandbox', () => {
  const tool = createBrowserTool(choice);
  let directory: string;
  let driver: SandboxDriver;
  let session: SandboxSession;
  const runId = randomUUID();
  beforeAll(async () => {
    directory = await mkdtemp(join(tmpdir(), 'swissbrain-browser-'));
    driver = createLocalDriver({
      ...{ directory, secret: 'the sandbox secret of this test, 32 characters', environment: 'test' },
      ...{ idleSeconds: 300, lifetimeSeconds: 600, searchPath: process.env.PATH ?? '' },
    });
    const limits = { tier: 'free', cpuMillis: 500, memoryMb: 512, diskMb: 1_024, seconds: 300 };
    session = await driver.openSession({ runId, sessionNo: 1, limits });
  }, 60_000);
  afterAll(async () => {
    await session?.close();
    await driver?.removeSession(runId, 1);
    await rm(directory, { recursive: true, force: true });
  });

  type Answer = ToolResult & { output: Record<string, unknown> };
  const call = (input: unknown, { stepId = randomUUID() as string, attempt = 1 } = {}) =>
    tool.run(tool.input.parse(input), {
      ...{ stepId, attempt, signal: new AbortController().signal, sandbox: async () => session },
    } as unknown as ToolContext) as Promise<Answer>;
  const opened = (path: string) => call({ action: 'open', address: `${site}${path}` });
  const read = async () => String((await call({ action: 'read' })).output.content);
  const refOf = (content: string, words: string) =>
    new RegExp(`${words}.*\\[ref=(\\w+)\\]`).exec(content)?.[1] ?? `no ${words} in ${content}`;

  const killHost = () => {
    const host = readdirSync('/proc').find((pid) => {
      if (!/^\d+$/.test(pid)) return false;
      try {
        const line = readFileSync(`/proc/${pid}/cmdline`, 'utf8');
        return line.includes(directory) && line.includes('.swissbrain/browser/');
      } catch {
        return false;
      }
    });
    process.kill(Number(host), 'SIGKILL');
  };

  it('opens, reads, types by ref and label, chooses, and sends a form', async () => {
    expect(await opened('/')).toEqual({
      output: { url: `${site}/`, title: 'Lakes', status: 200 },
      usage: [{ operation: 'browser.action', quantity: '1' }],
    });
    const content = await read();
    const typed = { action: 'type', target: { ref: refOf(content, 'textbox "Name') }, text: 'Zürich' };
    expect(await call(typed)).toMatchObject({ output: { title: 'Lakes' } });
    await call({ action: 'type', target: { text: 'Kind' }, text: 'Shallow' });
    expect(await call({ action: 'click', target: { text: 'Search' } })).toMatchObject({
      output: { url: `${site}/search`, title: 'Found' },
    });
    expect(seen).toContain('POST /search q=Z%C3%BCrich&kind=2');
    expect(await read()).toContain('Two lakes');
  });

  it('keeps the page between actions, and follows windows, dialogs and downloads', async () => {
    await opened('/counter');
    for (let n = 0; n < 2; n += 1) await call({ action: 'click', target: { selector: 'button' } });
    expect(await read()).toContain('2');
    await opened('/');
    const warned = await call({ action: 'click', target: { text: 'Warn' } });
    expect(warned.output.notes).toEqual(['the page showed a alert, which was dismissed: Wet!']);
    await call({ action: 'click', target: { text: 'Notes' } });
    await expect
      .poll(async () => (await session.listFiles()).map(({ path }) => path), { timeout: 10_000 })
      .toContain('downloads/notes.txt');
    await call({ action: 'click', target: { text: 'Window' } });
    expect(await call({ action: 'read' })).toMatchObject({ output: { url: `${site}/counter` } });
  });

  it('takes pictures of pages and of files of the workspace', async () => {
    await session.putFile('site/index.html', Buffer.from('<title>Mine</title><p>A page of mine</p>'));
    expect(await call({ action: 'open', address: 'site/index.html' })).toMatchObject({
      output: { title: 'Mine' },
    });
    const { output } = await call({ action: 'screenshot', path: 'artifacts/mine.png', full_page: true });
    const bytes: Uint8Array[] = [];
    for await (const chunk of session.getFile('artifacts/mine.png')) bytes.push(chunk);
    const picture = Buffer.concat(bytes);
    expect(picture.subarray(1, 4).toString('latin1')).toBe('PNG');
    expect(output).toMatchObject({ path: 'artifacts/mine.png', size_bytes: picture.length });
  });

  it('says what fails, for which nothing is charged, and goes on', async () => {
    expect((await opened('/nothing')).output).toMatchObject({ status: 404, title: 'Nothing' });
    await opened('/');
    const cases: [unknown, string][] = [
      [{ action: 'click', target: { ref: 'e999' } }, 'browser_'],
      [{ action: 'click', target: { selector: '][' } }, 'browser_failed'],
      [{ action: 'open', address: 'http://127.0.0.1:9/' }, 'browser_failed'],
      [{ action: 'open', address: 'site/none.html' }, 'browser_failed'],
    ];
    for (const [input, code] of cases) {
      expect(await call(input)).toMatchObject({
        usage: [],
        failure: { code: expect.stringContaining(code) },
      });
    }
    for (const address of [
      'file:///etc/passwd',
      'javascript:alert(1)',
      '/etc/passwd',
      '../x',
      'chrome://version',
    ]) {
      const parsed = tool.input.safeParse({ action: 'open', address });
      if (parsed.success) expect(await call({ action: 'open', address })).toMatchObject({ usage: [] });
    }
    expect(await opened('/')).toMatchObject({ output: { title: 'Lakes' } });
  });

  it('answers a step that comes again without doing it again', async () => {
    const stepId = randomUUID();
    await opened('/counter');
    const click = { action: 'click', target: { selector: 'button' } };
    const first = await call(click, { stepId });
    expect(await call(click, { stepId, attempt: 2 })).toEqual(first);
    const content = await read();
    expect(content).toMatch(/: "?1"?$/m);
  });

  it('is started again when it has ended, with its cookies and at its page', async () => {
    await opened('/counter');
    killHost();
    const { output } = await call({ action: 'read' });
    expect(output).toMatchObject({ url: `${site}/counter` });
    expect(String(output.notes)).toContain('started again');
    expect(seen.filter((line) => line.startsWith('GET /counter')).at(-1)).toBe('GET /counter visited=yes');
  });

  it('that ends in the middle of an action leaves its outcome unknown, also for a successor', async () => {
    const stepId = randomUUID();
    const loading = call({ action: 'open', address: `${site}/slow` }, { stepId });
    await expect.poll(() => seen, { timeout: 10_000 }).toContain('GET /slow visited=yes');
    killHost();
    expect(await loading).toMatchObject({ usage: [], failure: { code: 'browser_ended' } });
    const again = await call({ action: 'open', address: `${site}/slow` }, { stepId, attempt: 2 });
    expect(again).toMatchObject({ failure: { code: 'browser_ended' } });
    expect(seen.filter((line) => line.startsWith('GET /slow'))).toHaveLength(1);
    expect(await opened('/')).toMatchObject({ output: { title: 'Lakes' } });
  });
});

describe.skipIf(missing !== null)('a goal run with a browser', () => {
  let model: ModelServer;
  let runner: Runner;
  beforeAll(async () => {
    model = await startModelServer();
    const place = 'place' in choice ? (choice.place.chromium[0] ?? '') : '';
    runner = await startRunner({
      overrides: { MODEL_BASE_URL: model.url, MODEL_NAME: 'scripted', BROWSER_CHROMIUM_PATH: place },
    });
  });
  afterAll(async () => {
    await runner?.stop();
    await model?.stop();
  });

  it('works on one page over several actions and keeps the picture', async () => {
    const call = (input: unknown) => ({ calls: [{ name: 'browser', input }] });
    model.script = [
      call({ action: 'open', address: `${site}/counter` }),
      call({ action: 'click', target: { text: 'More' } }),
      call({ action: 'read' }),
      call({ action: 'screenshot' }),
      { text: 'One.' },
    ];
    const user = await newUser(runner.url);
    const run = await user.create({ goal: 'Count', mode: 'browser' });
    expect(await user.ended(run.id)).toMatchObject({
      status: 'completed',
      output: { text: 'One.', artifacts: [{ name: 'artifacts/screenshot.png' }] },
    });
    const steps = (await user.steps(run.id)).filter(({ tool }) => tool === 'browser');
    expect(steps.map(({ usage }) => usage)).toEqual(
      Array.from({ length: 4 }, () => [{ operation: 'browser.action', quantity: '1' }]),
    );
    expect(JSON.stringify(steps[2]?.output)).toContain('More');
  });
});

it('says where there is no browser, and what to set', () => {
  const nowhere = { SANDBOX_DRIVER: 'local' as const, PATH: '/nowhere' };
  expect(
    createBrowserTool(findBrowser({ ...nowhere, BROWSER_CHROMIUM_PATH: '/none' })).unavailable(),
  ).toContain('BROWSER_CHROMIUM_PATH');
  const image = (SANDBOX_IMAGE: string) =>
    createBrowserTool(findBrowser({ ...nowhere, SANDBOX_DRIVER: 'kubernetes', SANDBOX_IMAGE })).unavailable();
  expect(image('docker.io/swissbrain/sandbox-python:1')).toContain('sandbox-browser');
  expect(image('docker.io/swissbrain/sandbox-browser:1')).toBeNull();
});
