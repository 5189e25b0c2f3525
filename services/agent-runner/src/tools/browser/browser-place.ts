import { accessSync, constants } from 'node:fs';
import { createRequire } from 'node:module';
import { delimiter, dirname, isAbsolute, join } from 'node:path';
import type { Config } from '../../config.ts';
import type { BrowserPlace } from './browser-session.ts';

/** A browser in the sandboxes of this installation, or why there is none and what to set. */
export type BrowserChoice = { readonly place: BrowserPlace } | { readonly reason: string };

type BrowserConfig = Pick<
  Config,
  'SANDBOX_DRIVER' | 'SANDBOX_IMAGE' | 'PATH' | 'BROWSER_CHROMIUM_PATH' | 'BROWSER_PROXY_URL'
>;

/** The shell takes half of the memory of the whole browser. */
const names = [
  'chromium-headless-shell',
  'chromium',
  'chromium-browser',
  'google-chrome',
  'google-chrome-stable',
  'chrome',
];
const application = '/Applications/Google Chrome.app/Contents/MacOS/Google Chrome';
/** Of the image `sandbox-browser`. */
const ofImage = {
  playwright: '/opt/browser/node_modules/playwright-core',
  chromium: ['/usr/bin/chromium-headless-shell'],
};

function isProgram(path: string): boolean {
  try {
    accessSync(path, constants.X_OK);
    return true;
  } catch {
    return false;
  }
}

function findHere({ PATH: path, BROWSER_CHROMIUM_PATH: given }: BrowserConfig): string | undefined {
  if (given !== undefined) return isProgram(given) ? given : undefined;
  const folders = path.split(delimiter).filter((folder) => isAbsolute(folder));
  const candidates = folders.flatMap((folder) => names.map((name) => join(folder, name)));
  return [...candidates, application].find(isProgram);
}

/** Looks for a browser: in the image of sandboxes on a cluster, on this machine for the local driver. */
export function findBrowser(config: BrowserConfig): BrowserChoice {
  const { SANDBOX_IMAGE: image = '', BROWSER_CHROMIUM_PATH: given, BROWSER_PROXY_URL: proxy = '' } = config;
  if (config.SANDBOX_DRIVER === 'kubernetes') {
    if (given !== undefined) return { place: { ...ofImage, chromium: [given], proxy } };
    if (/(^|\/)sandbox-browser([:@]|$)/.test(image)) return { place: { ...ofImage, proxy } };
    return {
      reason:
        'the sandboxes have no browser: set SANDBOX_IMAGE to the image sandbox-browser, or BROWSER_CHROMIUM_PATH to ' +
        'the place of Chromium in one with playwright-core in /opt/browser',
    };
  }
  const chromium = findHere(config);
  if (chromium === undefined) {
    const where = given === undefined ? 'on PATH' : `at ${given}`;
    return {
      reason: `there is no Chromium ${where}: install one, or set BROWSER_CHROMIUM_PATH to its place`,
    };
  }
  const playwright = dirname(createRequire(import.meta.url).resolve('playwright-core/package.json'));
  return { place: { playwright, chromium: [chromium], proxy } };
}
