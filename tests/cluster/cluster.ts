import { execFile, spawn } from 'node:child_process';
import { randomUUID } from 'node:crypto';
import { once } from 'node:events';
import { writeFile } from 'node:fs/promises';
import { join, resolve } from 'node:path';
import { promisify } from 'node:util';
import { KubeConfig } from '@kubernetes/client-node';
import type { OpenSession, SandboxSession } from '@swissbrain/agent-runner/sandbox/driver';
import {
  createKubernetesDriver,
  type KubernetesDriver,
} from '@swissbrain/agent-runner/sandbox/kubernetes-driver';
import type { KubernetesSettings } from '@swissbrain/agent-runner/sandbox/kubernetes-settings';
import { createLogger } from '@swissbrain/service-kit/logger';
import { createMetrics, type Registry } from '@swissbrain/service-kit/metrics';

const run = promisify(execFile);
const root = resolve(import.meta.dirname, '../..');

/** The release that is installed for tests, or for who wants the same without disturbing them. */
const release = process.env.SWISSBRAIN_CLUSTER_RELEASE ?? 'sbtest';
export const sandboxNamespace = `${release}-sandbox-default`;
export const smallNamespace = `${release}-sandbox-small`;
export const serviceNamespace = release;
const driverSecret = 'the sandbox secret of agent-runner on the cluster of tests';

/** Runs kubectl as the cluster's administrator. @throws with what it printed */
export async function kubectl(...args: readonly string[]): Promise<string> {
  const { stdout } = await run('kubectl', [...args], { maxBuffer: 64 * 1024 * 1024 });
  return stdout;
}

/** Applies objects given as JSON; resolves to what was printed. @throws with the refusal */
export async function apply(object: unknown): Promise<string> {
  return kubectlWith(JSON.stringify(object), 'apply', '-f', '-');
}

/** Runs kubectl with a text on its standard input; resolves to all that was printed. @throws with the same */
export async function kubectlWith(input: string, ...args: readonly string[]): Promise<string> {
  const child = spawn('kubectl', args, { stdio: ['pipe', 'pipe', 'pipe'] });
  const output: Buffer[] = [];
  child.stdout.on('data', (data: Buffer) => output.push(data));
  child.stderr.on('data', (data: Buffer) => output.push(data));
  child.stdin.end(input);
  const code = await new Promise<number | null>((done) => child.once('close', done));
  const text = Buffer.concat(output).toString();
  if (code !== 0) throw new Error(text);
  return text;
}

/** The image of sandboxes that was built for these tests. */
export function imageOf(target: 'sandbox-node' | 'sandbox-python' | 'sandbox-browser'): string {
  const names = (process.env.SWISSBRAIN_CLUSTER_IMAGES ?? '').split(',');
  const name = names.find((one) => one.includes(`/${target}:`));
  const how = target === 'sandbox-node' ? 'test:cluster' : 'test:cluster -- --full';
  if (name === undefined) throw new Error(`run by \`npm run ${how}\`, which builds ${target}`);
  return name;
}

/** The address of services of this process as pods see it. */
export const testHost = process.env.SWISSBRAIN_CLUSTER_HOST ?? '127.0.0.1';

/** Makes an object that may be there already. */
async function create(...words: readonly string[]): Promise<void> {
  const created = await run('kubectl', ['create', ...words]).catch((error: Error) => error);
  if (created instanceof Error && !/already ?exists/i.test(created.message)) throw created;
}

/** Installs the sandbox part of the chart, or brings it up to date. */
async function installChart(): Promise<void> {
  await create('namespace', serviceNamespace);
  // The part of the chart that is installed here has no services, hence none of their accounts.
  await create('serviceaccount', 'agent-runner', '-n', serviceNamespace);
  const values = {
    sandbox: {
      warmSessions: 1,
      namespaces: {
        default: { quota: { pods: 60, cpu: '60', memory: '60Gi', ephemeralStorage: '400Gi' } },
        small: { quota: { pods: 1, cpu: '8', memory: '4Gi', ephemeralStorage: '40Gi' } },
      },
      agentRunner: { serviceAccount: 'agent-runner', extraCidrs: [`${testHost}/32`] },
      // Only sandboxes that ask for egress get any.
      internet: { enabled: true, nameservers: [testHost] },
    },
    // The sandbox part alone.
    secrets: { existingSecret: 'none' },
    setUp: { enabled: false },
    networkPolicy: { enabled: false },
    serviceDefaults: { enabled: false },
  };
  const arguments_ = [
    'upgrade',
    '--install',
    release,
    join(root, 'deploy/helm/swissbrain'),
    '-n',
    serviceNamespace,
  ];
  const helm = spawn('helm', [...arguments_, '-f', '-'], { stdio: ['pipe', 'ignore', 'inherit'] });
  helm.stdin.end(JSON.stringify(values));
  const code = await new Promise<number | null>((done) => helm.once('close', done));
  if (code !== 0) throw new Error('helm could not install the chart');
}

/** The cluster as agent-runner's service account sees it: with the rights of the chart and no others. */
async function runnerConfig(): Promise<KubeConfig> {
  const admin = new KubeConfig();
  admin.loadFromDefault();
  const cluster = admin.getCurrentCluster();
  if (!cluster) throw new Error('KUBECONFIG names no cluster');
  const token = await kubectl('-n', serviceNamespace, 'create', 'token', 'agent-runner', '--duration=6h');
  const config = new KubeConfig();
  config.loadFromClusterAndUser(cluster, { name: 'agent-runner', token: token.trim() });
  return config;
}

export interface ClusterSandboxes {
  /** Of all drivers of these. */
  readonly metrics: Registry;
  driver(overrides?: Partial<KubernetesSettings>): KubernetesDriver;
  request(overrides?: Partial<OpenSession>): OpenSession;
  /** What a driver of these is made with. */
  settings(overrides?: Partial<KubernetesSettings>): KubernetesSettings;
  open(overrides?: Partial<OpenSession>, settings?: Partial<KubernetesSettings>): Promise<SandboxSession>;
  /** Ends every session and watch of these. */
  clear(): Promise<void>;
}

/** The settings of an agent-runner, as environment, that keeps its sandboxes on the cluster. */
export async function runnerOnCluster(
  directory: string,
  overrides: Readonly<Record<string, string>> = {},
): Promise<Record<string, string>> {
  await installChart();
  const file = join(directory, `kubeconfig-${randomUUID()}`);
  await writeFile(file, (await runnerConfig()).exportConfig(), { mode: 0o600 });
  return {
    KUBECONFIG: file,
    SANDBOX_DRIVER: 'kubernetes',
    SANDBOX_IMAGE: imageOf('sandbox-node'),
    SANDBOX_NAMESPACES: `default=${sandboxNamespace}`,
    SANDBOX_INSTANCE: `test-${randomUUID().slice(0, 8)}`,
    ...overrides,
  };
}

/** True where the tests may stop nodes and the API server: on a cluster that is theirs alone. */
export const mayBreakCluster = process.env.SWISSBRAIN_CLUSTER_COMMAND !== undefined;

/** Breaks the cluster, or mends it. What this starts outlives the tests, so it gets nothing of their environment. */
export async function breakCluster(
  ...words: readonly ['node-kill' | 'node-start', string] | readonly ['api-stop' | 'api-start']
): Promise<void> {
  const [command = '', ...args] = (process.env.SWISSBRAIN_CLUSTER_COMMAND ?? '').split(' ');
  const { PATH, HOME } = process.env;
  const child = spawn(command, [...args, ...words], { stdio: 'ignore', env: { PATH, HOME } });
  const [code] = await once(child, 'exit');
  if (code !== 0) throw new Error(`the cluster could not ${words.join(' ')}: exit code ${code}`);
}

/** Sandboxes of a test file, under an instance of its own. */
export async function createClusterSandboxes(): Promise<ClusterSandboxes> {
  await installChart();
  const config = await runnerConfig();
  const instance = `test-${randomUUID().slice(0, 8)}`;
  const drivers: KubernetesDriver[] = [];
  const log = createLogger({ service: 'test', level: 'silent' });
  const metrics = createMetrics('test');
  const sandboxes: ClusterSandboxes = {
    metrics,
    settings: (overrides = {}) => ({
      secret: driverSecret,
      namespaces: new Map([
        ['default', sandboxNamespace],
        ['small', smallNamespace],
      ]),
      image: imageOf('sandbox-node'),
      imagePullPolicy: 'IfNotPresent',
      instance,
      runtimeClass: undefined,
      hostUsers: true,
      egress: 'none',
      nameservers: [],
      startSeconds: 180,
      idleSeconds: 600,
      lifetimeSeconds: 3_600,
      warmSessions: 0,
      ...overrides,
    }),
    driver(overrides) {
      const settings = sandboxes.settings(overrides);
      const driver = createKubernetesDriver(config, settings, { log, metrics });
      drivers.push(driver);
      return driver;
    },
    request: (overrides = {}) => ({
      runId: randomUUID(),
      sessionNo: 1,
      limits: { tier: 'default', cpuMillis: 1_000, memoryMb: 256, diskMb: 64, seconds: 120 },
      ...overrides,
    }),
    open: (overrides, settings) => sandboxes.driver(settings).openSession(sandboxes.request(overrides)),
    async clear() {
      await drivers[0]?.sweep(async () => false);
      await Promise.all(drivers.map((driver) => driver.stop()));
    },
  };
  return sandboxes;
}

/** The name of the pod of a session. */
export async function podOf(session: SandboxSession, namespace = sandboxNamespace): Promise<string> {
  const selector = `batch.kubernetes.io/job-name=${session.name}`;
  const names = await kubectl('-n', namespace, 'get', 'pods', '-l', selector, '-o', 'name');
  return names.trim();
}
