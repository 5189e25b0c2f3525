import { randomUUID } from 'node:crypto';
import { readdirSync, readFileSync } from 'node:fs';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { type ModelServer, startModelServer } from '@swissbrain/testkit/model-server';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import type { SandboxDriver } from '../src/sandbox/driver.ts';
import { createLocalDriver } from '../src/sandbox/local-driver.ts';
import { createBrowserTool } from '../src/tools/browser/browser.ts';
import { findBrowser } from '../src/tools/browser/browser-place.ts';
import { describeBrowser } from './browser-contract.ts';
import { type Site, startSite } from './browser-site.ts';
import { newUser, type Runner, startRunner } from './support/runner.ts';

const choice = findBrowser({
  SANDBOX_DRIVER: 'local',
  PATH: process.env.PATH ?? '',
  BROWSER_CHROMIUM_PATH: process.env.BROWSER_CHROMIUM_PATH,
});
const missing = 'reason' in choice ? choice.reason : null;
if (missing) console.warn(`the tests of the browser are skipped: ${missing}`);

describe.skipIf(missing !== null)('Chromium of this machine', () => {
  const runId = randomUUID();
  let directory: string;
  let driver: SandboxDriver;
  afterAll(async () => {
    await driver?.removeSession(runId, 1);
    await rm(directory, { recursive: true, force: true });
  });

  describeBrowser('local driver', '127.0.0.1', async () => {
    directory = await mkdtemp(join(tmpdir(), 'swissbrain-browser-'));
    driver = createLocalDriver({
      ...{ directory, secret: 'the sandbox secret of this test, 32 characters', environment: 'test' },
      ...{ idleSeconds: 300, lifetimeSeconds: 600, searchPath: process.env.PATH ?? '' },
    });
    const limits = { tier: 'free', cpuMillis: 500, memoryMb: 512, diskMb: 1_024, seconds: 300 };
    const session = await driver.openSession({ runId, sessionNo: 1, limits });
    const killHost = async () => {
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
    return { choice, session, killHost };
  });
});

describe.skipIf(missing !== null)('a goal run with a browser', () => {
  let site: Site;
  let model: ModelServer;
  let runner: Runner;
  beforeAll(async () => {
    site = await startSite('127.0.0.1');
    model = await startModelServer();
    const place = 'place' in choice ? (choice.place.chromium[0] ?? '') : '';
    runner = await startRunner({
      overrides: { MODEL_BASE_URL: model.url, MODEL_NAME: 'scripted', BROWSER_CHROMIUM_PATH: place },
    });
  });
  afterAll(async () => {
    await runner?.stop();
    await model?.stop();
    site?.close();
  });

  it('works on one page over several actions and keeps the picture', async () => {
    const call = (input: unknown) => ({ calls: [{ name: 'browser', input }] });
    model.script = [
      call({ action: 'open', address: `http://127.0.0.1:${site.port}/counter` }),
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
