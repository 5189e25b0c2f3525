// Runs inside the sandbox, as text whose types have been removed: it may import nothing but Node and playwright-core.
import {
  existsSync,
  lstatSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  renameSync,
  rmSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs';
import { dirname, join, resolve } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import { pathToFileURL } from 'node:url';
import type { Browser, BrowserContext, Download, Locator, Page } from 'playwright-core';

interface Settings {
  /** Its folder: `in`, `begun` and `out` hold an entry for each action. */
  readonly folder: string;
  readonly state: string;
  readonly playwright: string;
  /** Places; the first that is there. */
  readonly chromium: readonly string[];
  readonly proxy: string;
}
interface Target {
  readonly ref?: string;
  readonly text?: string;
  readonly selector?: string;
}
type Action =
  | { readonly action: 'open'; readonly address: string }
  | { readonly action: 'click'; readonly target: Target }
  | { readonly action: 'type'; readonly target: Target; readonly text: string; readonly submit: boolean }
  | { readonly action: 'read' }
  | { readonly action: 'screenshot'; readonly path: string; readonly full_page: boolean };
type Output = Record<string, unknown>;
interface State {
  readonly url: string;
  readonly storage: Awaited<ReturnType<BrowserContext['storageState']>>;
}

const settings = JSON.parse(process.argv[2] ?? '') as Settings;
const navigationMs = 30_000;
const actionMs = 10_000;
/** After a click: what it sets off is usually there by then. */
const settleMs = 2_000;
const idleMs = 15 * 60_000;
const pollMs = 40;
const longestRead = 60_000;

/** What happened beside the action, for its answer. */
let notes: string[] = [];
let page: Page;

function put(path: string, content: string): void {
  mkdirSync(dirname(path), { recursive: true });
  writeFileSync(`${path}.part`, content);
  renameSync(`${path}.part`, path);
}

function readState(): State | undefined {
  try {
    return JSON.parse(readFileSync(settings.state, 'utf8')) as State;
  } catch {
    // There is none yet, or a program of the run has put something else there: a browser without a past.
    return undefined;
  }
}

async function keepDownload(download: Download): Promise<void> {
  const name =
    download
      .suggestedFilename()
      .replaceAll(/[^\p{L}\p{N}._ -]/gu, '_')
      .slice(-100) || 'file';
  const path = `downloads/${name}`;
  await download.saveAs(path);
  notes.push(`downloaded ${path}`);
}

/** Follows a page: the newest is the one that is worked on. */
function follow(next: Page): void {
  page = next;
  next.on('dialog', (dialog) => {
    notes.push(`the page showed a ${dialog.type()}, which was dismissed: ${dialog.message().slice(0, 500)}`);
    dialog.dismiss().catch(() => undefined);
  });
  next.on('download', (download) => {
    keepDownload(download).catch((error: unknown) => notes.push(`a download failed: ${String(error)}`));
  });
  next.on('crash', () => notes.push('the page crashed'));
}

/**
 * The whole Chromium, unlike its shell, makes a socket in TMPDIR, whose path may have 108 characters: a long one gets a short
 * name. What a host that was killed has left of that kind is removed by the next.
 */
function temporaryFolder(chromium: string): string {
  const folder = process.env.TMPDIR ?? '/tmp';
  if (folder.length <= 40 || chromium.endsWith('headless-shell')) return folder;
  for (const name of readdirSync('/tmp').filter((each) => each.startsWith('sb-'))) {
    const link = join('/tmp', name, 't');
    const isDead = lstatSync(link, { throwIfNoEntry: false })?.isSymbolicLink() && !existsSync(link);
    if (isDead) rmSync(dirname(link), { recursive: true, force: true });
  }
  const short = mkdtempSync('/tmp/sb-');
  process.once('exit', () => rmSync(short, { recursive: true, force: true }));
  process.once('SIGTERM', () => process.exit(0));
  symlinkSync(folder, join(short, 't'));
  return join(short, 't');
}

async function launch(): Promise<BrowserContext> {
  const { chromium } = (await import(
    pathToFileURL(`${settings.playwright}/index.mjs`).href
  )) as typeof import('playwright-core');
  const executablePath = settings.chromium.find((path) => existsSync(path)) ?? '';
  const browser: Browser = await chromium.launch({
    executablePath,
    env: { ...process.env, TMPDIR: temporaryFolder(executablePath) },
    ...(settings.proxy ? { proxy: { server: settings.proxy } } : {}),
    args: [
      '--disable-dev-shm-usage',
      '--disable-gpu',
      '--disable-extensions',
      // One process for all pages: the sandbox holds no other user's, and memory is short.
      '--disable-site-isolation-trials',
      '--renderer-process-limit=2',
    ],
  });
  browser.on('disconnected', () => process.exit(7));
  const before = readState();
  const context = await browser.newContext({
    viewport: { width: 1280, height: 800 },
    acceptDownloads: true,
    ...(before ? { storageState: before.storage } : {}),
  });
  context.setDefaultTimeout(actionMs);
  context.setDefaultNavigationTimeout(navigationMs);
  context.on('page', follow);
  await context.newPage();
  if (before && before.url !== 'about:blank') {
    await page.goto(before.url).catch(() => undefined);
    notes.push('the browser was started again: what was typed into the page is lost');
  }
  return context;
}

/** Things of these words, most likely ones first: what can be clicked, or typed into, before mere text. */
function named(words: string, purpose: 'click' | 'type'): readonly Locator[] {
  const roles =
    purpose === 'click'
      ? (['button', 'link', 'tab', 'menuitem', 'checkbox', 'radio', 'option'] as const)
      : (['textbox', 'searchbox', 'combobox', 'spinbutton'] as const);
  const [first, ...rest] = roles.map((role) => page.getByRole(role, { name: words }));
  const byRole = rest.reduce((sum, next) => sum.or(next), first as Locator);
  return [byRole, page.getByLabel(words), page.getByPlaceholder(words), page.getByText(words)];
}

async function find({ ref, text, selector }: Target, purpose: 'click' | 'type'): Promise<Locator> {
  if (ref !== undefined) return page.getByRef(ref);
  if (selector !== undefined) return page.locator(selector).first();
  const candidates = named(text ?? '', purpose);
  for (const candidate of candidates) if ((await candidate.count()) > 0) return candidate.first();
  // Nothing is there yet: whatever comes.
  return candidates.reduce((sum, next) => sum.or(next)).first();
}

async function where(): Promise<Output> {
  return { url: page.url(), title: (await page.title()).slice(0, 500) };
}

async function open(address: string): Promise<Output> {
  const url = /^https?:/.test(address) ? address : pathToFileURL(resolve(address)).href;
  const response = await page.goto(url, { waitUntil: 'load' });
  return { ...(await where()), ...(response ? { status: response.status() } : {}) };
}

async function type(found: Locator, text: string, submit: boolean): Promise<void> {
  const tag = await found.evaluate((element) => element.tagName);
  if (tag === 'SELECT') await found.selectOption({ label: text }).catch(() => found.selectOption(text));
  else await found.fill(text);
  if (submit) await found.press('Enter');
}

/** Waits for what an action sets off, as far as it comes soon. */
async function settle(): Promise<void> {
  await page.waitForLoadState('load', { timeout: settleMs }).catch(() => undefined);
}

async function read(): Promise<Output> {
  const whole = await page.ariaSnapshot({ mode: 'ai' });
  const truncated = whole.length > longestRead;
  return { ...(await where()), content: whole.slice(0, longestRead), ...(truncated ? { truncated } : {}) };
}

async function screenshot(path: string, fullPage: boolean): Promise<Output> {
  const picture = await page.screenshot({ fullPage, type: 'png' });
  mkdirSync(dirname(path), { recursive: true });
  writeFileSync(path, picture);
  return { ...(await where()), path, size_bytes: picture.length };
}

async function perform(action: Action): Promise<Output> {
  switch (action.action) {
    case 'open':
      return open(action.address);
    case 'click':
      await (await find(action.target, 'click')).click();
      await settle();
      return where();
    case 'type':
      await type(await find(action.target, 'type'), action.text, action.submit);
      if (action.submit) await settle();
      return where();
    case 'read':
      return read();
    case 'screenshot':
      return screenshot(action.path, action.full_page);
  }
}

/** The first line of what playwright says: the rest is its own log. */
function failureOf(error: unknown): { code: string; message: string } {
  const name = error instanceof Error ? error.name : '';
  const message = (error instanceof Error ? error.message : String(error)).split('\nCall log')[0] ?? '';
  const code = name === 'TimeoutError' ? 'browser_timeout' : 'browser_failed';
  return { code, message: message.slice(0, 1_000) };
}

async function answer(context: BrowserContext, action: Action): Promise<unknown> {
  if (page.isClosed()) follow(context.pages().at(-1) ?? (await context.newPage()));
  try {
    const output = await perform(action);
    return { output: { ...output, ...(notes.length > 0 ? { notes: notes.slice(0, 20) } : {}) } };
  } catch (error) {
    const { code, message } = failureOf(error);
    return { failure: { code, message: [message, ...notes.slice(0, 5)].join('; ') } };
  } finally {
    notes = [];
  }
}

async function keepState(context: BrowserContext): Promise<void> {
  const state: State = { url: page.url(), storage: await context.storageState() };
  put(settings.state, JSON.stringify(state));
}

async function main(): Promise<void> {
  const { folder } = settings;
  for (const part of ['in', 'begun', 'out']) mkdirSync(`${folder}/${part}`, { recursive: true });
  const context = await launch();
  for (let quietMs = 0; quietMs < idleMs; ) {
    const [name] = readdirSync(`${folder}/in`)
      .filter((each) => each.endsWith('.json'))
      .sort();
    if (name === undefined) {
      await delay(pollMs);
      quietMs += pollMs;
      continue;
    }
    quietMs = 0;
    const action = JSON.parse(readFileSync(`${folder}/in/${name}`, 'utf8')) as Action;
    if (!existsSync(`${folder}/out/${name}`)) {
      put(`${folder}/begun/${name}`, '');
      const said = await answer(context, action);
      await keepState(context);
      put(`${folder}/out/${name}`, JSON.stringify(said));
    }
    rmSync(`${folder}/in/${name}`, { force: true });
  }
  process.exit(0);
}

try {
  await main();
} catch (error) {
  const words = error instanceof Error ? error.message : String(error);
  // What Chromium itself said stands in playwright's log.
  const [why = ''] = /FATAL:.*|\[err\].*rror.*/.exec(words) ?? [];
  process.stderr.write(`Error: ${words.split('\n')[0]} ${why}\n`);
  // The tool knows this code: another start would end the same way.
  process.exit(8);
}
