import { randomUUID } from 'node:crypto';
import { createSocket } from 'node:dgram';
import { once } from 'node:events';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { SandboxSession } from '@swissbrain/agent-runner/sandbox/driver';
import type { KubernetesSettings } from '@swissbrain/agent-runner/sandbox/kubernetes-settings';
import { createBrowserTool } from '@swissbrain/agent-runner/tools/browser/browser';
import { findBrowser } from '@swissbrain/agent-runner/tools/browser/browser-place';
import type { ToolContext, ToolResult } from '@swissbrain/agent-runner/tools/tool';
import type { CreateRunBody } from '@swissbrain/client/types';
import { waitFor } from '@swissbrain/testkit/wait';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { describeBrowser } from '../../services/agent-runner/test/browser-contract.ts';
import { auditRun, waitUntilSettled } from '../e2e/run-audit.ts';
import { startWholeStack, type WholeStack } from '../e2e/whole-stack.ts';
import {
  apply,
  type ClusterSandboxes,
  createClusterSandboxes,
  imageOf,
  kubectl,
  podOf,
  runnerOnCluster,
  sandboxNamespace,
  testHost,
} from './cluster.ts';
import { type OrdinaryPod, startOrdinaryPod } from './ordinary-pod.ts';

// The image takes minutes to build, so all of this is for `npm run test:cluster -- --full`.
const inFull = process.env.SWISSBRAIN_FULL !== undefined;

const image = () => imageOf('sandbox-browser');
const installed = () => ({ SANDBOX_DRIVER: 'kubernetes', SANDBOX_IMAGE: image(), PATH: '' }) as const;

const form = `<!doctype html><title>Lakes</title><h1>Lakes</h1>
  <form onsubmit="event.preventDefault(); document.querySelector('p').textContent = 'Found ' + document.querySelector('input').value">
    <label>Name <input></label> <button>Search</button></form><p>Nothing yet</p>`;
/** A page that never finishes loading. */
const endless = '<!doctype html><title>Endless</title><script>for (;;);</script>';

const playbook = (...steps: readonly Record<string, unknown>[]): CreateRunBody =>
  ({
    playbook: {
      name: 'browser',
      steps: steps.map((step, index) => ({
        id: `step${index}`,
        ...(index === 0 ? {} : { needs: [`step${index - 1}`] }),
        ...step,
      })),
    },
  }) as unknown as CreateRunBody;
const write = (content: string) => ({ tool: 'file', with: { action: 'write', path: 'page.html', content } });
const browser = (input: Record<string, unknown>, more: Record<string, unknown> = {}) => ({
  tool: 'browser',
  with: input,
  ...more,
});
const open = browser({ action: 'open', address: 'page.html' });

describe.runIf(inFull)('a run with a browser', () => {
  let directory: string;
  let stack: WholeStack;
  beforeAll(async () => {
    directory = await mkdtemp(join(tmpdir(), 'swissbrain-browser-'));
    stack = await startWholeStack(await runnerOnCluster(directory, { SANDBOX_IMAGE: image() }));
  });
  afterAll(async () => {
    await stack?.[Symbol.asyncDispose]();
    await rm(directory, { recursive: true, force: true });
  });

  const sandboxesOf = (runId: string) =>
    kubectl('-n', sandboxNamespace, 'get', 'jobs', '-l', `swissbrain.dev/run=${runId}`, '-o', 'name');
  const gone = (runId: string) =>
    waitFor(async () => (await sandboxesOf(runId)) === '', {
      describe: 'the sandbox to be gone',
      timeoutMs: 90_000,
    });
  /** What was charged for actions of the browser, in micro-credits. */
  const charges = (runId: string) =>
    stack.query<{ cost_micro: string }>(
      `select cost_micro from public.credit_transactions
       where run_id = $1 and kind = 'consume' and operation = 'browser.action'`,
      [runId],
    );

  it('fills in a form, reads the page and keeps a picture of it, at two credits an action', async () => {
    const { runs, artifacts } = stack.clientOf(randomUUID());
    const { id } = await runs.create(
      playbook(
        write(form),
        open,
        browser({ action: 'type', target: { text: 'Name' }, text: 'Zürichsee' }),
        browser({ action: 'click', target: { text: 'Search' } }),
        browser({ action: 'read' }),
        browser({ action: 'screenshot', path: 'page.png' }, { artifacts: ['page.png'] }),
      ),
    );
    const { held_micro, released_micro } = await waitUntilSettled(stack, id, 180_000);
    await auditRun(stack, id);
    const steps = await Array.fromAsync(runs.steps(id));
    expect({ run: await runs.get(id), steps }).toMatchObject({ run: { status: 'completed' } });
    expect(steps.find(({ key }) => key === 'step4')?.output).toMatchObject({
      title: 'Lakes',
      content: expect.stringContaining('Found Zürichsee'),
    });
    const [picture] = await runs.artifacts(id);
    expect(picture?.name).toBe('page.png');
    const response = await fetch((await artifacts.get(picture?.id ?? '')).url);
    const bytes = Buffer.from(await response.arrayBuffer());
    expect(bytes.subarray(0, 8).toString('latin1')).toBe('\x89PNG\r\n\x1a\n');
    // Width and height of the window.
    expect([bytes.readUInt32BE(16), bytes.readUInt32BE(20)]).toEqual([1280, 800]);
    expect(await charges(id)).toEqual(Array.from({ length: 5 }, () => ({ cost_micro: '2000000' })));
    expect(BigInt(held_micro) - BigInt(released_micro)).toBe(10_000_000n);
    await gone(id);
  });

  it('is cancelled in the middle of an action: its sandbox goes and what was held is released', async () => {
    const { runs } = stack.clientOf(randomUUID());
    const { id } = await runs.create(playbook(write(endless), open, browser({ action: 'read' })));
    await waitFor(
      async () => {
        const [pod = ''] = (
          await kubectl('-n', sandboxNamespace, 'get', 'pods', '-l', `swissbrain.dev/run=${id}`, '-o', 'name')
        ).split('\n');
        const look = ['ls', '/workspace/.swissbrain/browser/0/begun'];
        return (
          (await kubectl('-n', sandboxNamespace, 'exec', pod, '-c', 'code', '--', ...look)).trim() !== ''
        );
      },
      { describe: 'the browser to begin with the page', timeoutMs: 120_000 },
    );
    await runs.cancel(id);
    const { held_micro, consumed_micro, released_micro } = await waitUntilSettled(stack, id);
    await auditRun(stack, id);
    expect(await runs.get(id)).toMatchObject({ status: 'cancelled' });
    expect({ consumed_micro, released_micro }).toEqual({ consumed_micro: '0', released_micro: held_micro });
    expect(BigInt(held_micro)).toBeGreaterThan(0n);
    expect(await charges(id)).toEqual([]);
    await gone(id);
  });
});

describe.runIf(inFull)('the network of a browser', () => {
  const metadata = 'http://169.254.169.254/';
  const internet = 'http://203.0.113.10/';
  const named = 'http://lakes.test/';
  let sandboxes: ClusterSandboxes;
  let ordinary: OrdinaryPod;
  let names: NameServer;
  beforeAll(async () => {
    sandboxes = await createClusterSandboxes();
    [ordinary, names] = await Promise.all([
      startOrdinaryPod(),
      startNameServer('lakes.test', '203.0.113.10'),
    ]);
  });
  afterAll(async () => {
    names?.close();
    await ordinary?.remove();
    await sandboxes?.clear();
  });

  /** What an action comes to in a sandbox of its own, which begins with a page of the workspace. */
  const browserOn = async (settings: Partial<KubernetesSettings>) => {
    const limits = { ...sandboxes.request().limits, memoryMb: 512, diskMb: 256 };
    const session = await sandboxes.open({ limits }, { image: image(), ...settings });
    const tool = createBrowserTool(findBrowser(installed()));
    const call = (input: unknown) => tool.run(tool.input.parse(input), contextOf(session));
    await session.putFile('page.html', Buffer.from(form, 'utf8'));
    expect(await call({ action: 'open', address: 'page.html' })).toMatchObject({
      output: { title: 'Lakes' },
    });
    return call;
  };
  const contextOf = (session: SandboxSession) => {
    const context = { stepId: randomUUID(), attempt: 1, signal: new AbortController().signal };
    return { ...context, sandbox: async () => session } as unknown as ToolContext;
  };
  const refused: Partial<ToolResult> = {
    output: null,
    usage: [],
    failure: { code: expect.stringMatching(/^browser_(failed|timeout)$/), message: expect.any(String) },
  };
  const fromOrdinaryPod = (address: string) =>
    ordinary.run(`console.log(await (await fetch('${address}')).text())`);

  it('is closed: neither the metadata service nor the internet, which an ordinary pod reaches', async () => {
    const call = await browserOn({ egress: 'none' });
    for (const [address, words] of [
      [metadata, 'secret-of-the-cloud'],
      [internet, 'the internet'],
    ] as const) {
      expect(await fromOrdinaryPod(address)).toContain(words);
      expect(await call({ action: 'open', address })).toMatchObject(refused);
    }
  });

  it('reaches with egress the internet, by name too, and nothing else', async () => {
    const call = await browserOn({ egress: 'internet', nameservers: [testHost] });
    for (const address of [internet, named]) {
      expect(await call({ action: 'open', address })).toMatchObject({
        output: { url: address, status: 200 },
      });
      expect(await call({ action: 'read' })).toMatchObject({
        output: { content: expect.stringContaining('the internet') },
      });
    }
    const cluster = 'http://10.96.0.1:443/';
    expect(await fromOrdinaryPod(metadata)).toContain('secret-of-the-cloud');
    expect(await fromOrdinaryPod(cluster)).toContain('HTTPS');
    for (const address of [metadata, cluster, 'http://nowhere.test/'])
      expect(await call({ action: 'open', address })).toMatchObject(refused);
    // The browser has nothing to say to anybody but whom it is told to visit.
    expect(names.asked).toEqual(new Set(['lakes.test', 'nowhere.test']));
  });
});

describe.runIf(inFull)('Chromium of the image', () => {
  const policy = 'to-the-pages-of-a-test';
  let sandboxes: ClusterSandboxes;
  afterAll(async () => {
    await kubectl('-n', sandboxNamespace, 'delete', 'networkpolicy', policy, '--ignore-not-found');
    await sandboxes?.clear();
  });

  describeBrowser('Kubernetes driver', testHost, async (port) => {
    sandboxes = await createClusterSandboxes();
    // What an operator adds to let sandboxes with egress reach a site with a private address.
    await apply({
      apiVersion: 'networking.k8s.io/v1',
      kind: 'NetworkPolicy',
      metadata: { name: policy, namespace: sandboxNamespace },
      spec: {
        podSelector: { matchLabels: { 'swissbrain.dev/egress': 'internet' } },
        policyTypes: ['Egress'],
        egress: [{ to: [{ ipBlock: { cidr: `${testHost}/32` } }], ports: [{ port, protocol: 'TCP' }] }],
      },
    });
    const limits = { ...sandboxes.request().limits, memoryMb: 512, diskMb: 1_024, seconds: 300 };
    const session = await sandboxes.open({ limits }, { image: image(), egress: 'internet' });
    const pod = await podOf(session);
    const killHost = async () => {
      await kubectl('-n', sandboxNamespace, 'exec', pod, '-c', 'code', '--', 'node', '-e', killer);
    };
    return { choice: findBrowser(installed()), session, killHost };
  });
});

/** Ends the program that operates the browser; it runs beside it. */
const killer = `const { readdirSync, readFileSync } = require('node:fs');
  const said = (pid) => { try { return readFileSync('/proc/' + pid + '/cmdline', 'utf8'); } catch { return ''; } };
  const isHost = (pid) => /^[0-9]+$/.test(pid) && Number(pid) !== process.pid && said(pid).includes('.swissbrain/browser/');
  process.kill(Number(readdirSync('/proc').find(isHost)), 'SIGKILL');`;

interface NameServer {
  /** The names that were looked up. */
  readonly asked: Set<string>;
  close(): void;
}

/** A name server, at the address of this process, that knows one name of IPv4. */
async function startNameServer(name: string, address: string): Promise<NameServer> {
  const server = createSocket('udp4');
  const asked = new Set<string>();
  server.on('message', (query, { port, address: from }) => {
    const { words, end } = questionOf(query);
    asked.add(words);
    const isKnown = words === name;
    const isIpv4 = query.readUInt16BE(end) === 1;
    const header = Buffer.from(query.subarray(0, 12));
    // A response, recursion desired and available; 3 is a name that is not there.
    header.writeUInt16BE(0x8180 | (isKnown ? 0 : 3), 2);
    header.writeUInt16BE(isKnown && isIpv4 ? 1 : 0, 6);
    header.writeUInt32BE(0, 8);
    const answer = Buffer.from([0xc0, 12, 0, 1, 0, 1, 0, 0, 0, 60, 0, 4, ...address.split('.').map(Number)]);
    const parts = [header, query.subarray(12, end + 4), ...(isKnown && isIpv4 ? [answer] : [])];
    server.send(Buffer.concat(parts), port, from);
  });
  server.bind(53, testHost);
  await once(server, 'listening');
  return { asked, close: () => server.close() };
}

/** The name that a query asks for, and where its type begins. */
function questionOf(query: Buffer): { readonly words: string; readonly end: number } {
  const labels: string[] = [];
  let place = 12;
  for (let length = query[place] ?? 0; length > 0; length = query[place] ?? 0) {
    labels.push(query.toString('latin1', place + 1, place + 1 + length));
    place += 1 + length;
  }
  return { words: labels.join('.').toLowerCase(), end: place + 1 };
}
