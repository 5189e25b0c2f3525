import { randomUUID } from 'node:crypto';
import { afterAll, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import type { SandboxSession } from '../src/sandbox/driver.ts';
import { createBrowserTool } from '../src/tools/browser/browser.ts';
import type { BrowserChoice } from '../src/tools/browser/browser-place.ts';
import type { ToolContext, ToolResult } from '../src/tools/tool.ts';
import { type Site, startSite } from './browser-site.ts';

export interface BrowserUnderTest {
  readonly choice: BrowserChoice;
  readonly session: SandboxSession;
  /** Ends the program that operates the browser, at once. */
  killHost(): Promise<void>;
}

/**
 * What a browser does in the sandboxes of every driver.
 * @param address of this process as sandboxes see it
 * @param prepare opens a session that reaches the site, at that address
 */
export function describeBrowser(
  name: string,
  address: string,
  prepare: (port: number) => Promise<BrowserUnderTest>,
): void {
  describe(`a browser in a sandbox of the ${name}`, () => {
    let under: BrowserUnderTest;
    let session: SandboxSession;
    let pages: Site;
    let seen: string[];
    let site: string;
    beforeAll(async () => {
      pages = await startSite(address);
      ({ seen } = pages);
      site = `http://${address}:${pages.port}`;
      under = await prepare(pages.port);
      ({ session } = under);
    });
    afterAll(async () => {
      pages?.close();
      await session?.close();
    });
    beforeEach(() => {
      seen.length = 0;
    });

    type Answer = ToolResult & { output: Record<string, unknown> };
    const call = (input: unknown, { stepId = randomUUID() as string, attempt = 1 } = {}) => {
      const tool = createBrowserTool(under.choice);
      return tool.run(tool.input.parse(input), {
        ...{ stepId, attempt, signal: new AbortController().signal, sandbox: async () => session },
      } as unknown as ToolContext) as Promise<Answer>;
    };
    const accepts = (input: unknown) => createBrowserTool(under.choice).input.safeParse(input).success;
    const opened = (path: string) => call({ action: 'open', address: `${site}${path}` });
    const read = async () => String((await call({ action: 'read' })).output.content);
    const refOf = (content: string, words: string) =>
      new RegExp(`${words}.*\\[ref=(\\w+)\\]`).exec(content)?.[1] ?? `no ${words} in ${content}`;

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
        if (accepts({ action: 'open', address }))
          expect(await call({ action: 'open', address })).toMatchObject({ usage: [] });
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
      await under.killHost();
      const { output } = await call({ action: 'read' });
      expect(output).toMatchObject({ url: `${site}/counter` });
      expect(String(output.notes)).toContain('started again');
      expect(seen.filter((line) => line.startsWith('GET /counter')).at(-1)).toBe('GET /counter visited=yes');
    });

    it('that ends in the middle of an action leaves its outcome unknown, also for a successor', async () => {
      const stepId = randomUUID();
      const loading = call({ action: 'open', address: `${site}/slow` }, { stepId });
      await expect.poll(() => seen, { timeout: 10_000 }).toContain('GET /slow visited=yes');
      await under.killHost();
      expect(await loading).toMatchObject({ usage: [], failure: { code: 'browser_ended' } });
      const again = await call({ action: 'open', address: `${site}/slow` }, { stepId, attempt: 2 });
      expect(again).toMatchObject({ failure: { code: 'browser_ended' } });
      expect(seen.filter((line) => line.startsWith('GET /slow'))).toHaveLength(1);
      expect(await opened('/')).toMatchObject({ output: { title: 'Lakes' } });
    });
  });
}
