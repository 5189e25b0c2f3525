// npm run dev:cluster: builds the images of this checkout, installs them with values-dev.yaml on the cluster that KUBECONFIG
// names (or the one beside the checkout) and follows the logs until Ctrl-C. What `tilt up` does, without Tilt.
//   -- --no-follow     ends when every pod is ready
//   -- --demo          runs the demo when every pod is ready, and ends
//   -- --ingress       first installs the ingress controller that kind's documentation names
//   -- --token         prints how to reach what is installed already, with the token of a new user
import { spawn, spawnSync } from 'node:child_process';
import { createHmac, randomUUID } from 'node:crypto';
import { join } from 'node:path';
import process from 'node:process';
import { parseArgs } from 'node:util';
import { systemClock } from '@swissbrain/service-kit/clock';
import { type ClusterAccess, prepareCluster } from './cluster.ts';
import { developmentValues } from './dev-values.ts';

const root = join(import.meta.dirname, '..');
const chart = 'deploy/helm/swissbrain';
const place = ['--namespace', 'swissbrain'];
/** The same as in the Tiltfile: whatever else the current context is, it may be someone's production. */
const contexts = /^(kind-.+|docker-desktop|minikube|orbstack|rancher-desktop|test-cluster)$/;
/** As values-dev.yaml says. */
const jwtSecret = 'development-only-secret-of-32-characters';

const { values: options } = parseArgs({
  options: {
    demo: { type: 'boolean', default: false },
    ingress: { type: 'boolean', default: false },
    follow: { type: 'boolean', default: true },
    token: { type: 'boolean', default: false },
  },
  allowNegative: true,
});
const say = (line: string) => process.stderr.write(`${line}\n`);

async function main(): Promise<number> {
  if (options.token) {
    printConnection(process.env.SWISSBRAIN_CLUSTER_URL ?? 'http://localhost');
    return 0;
  }
  const access = await prepareCluster(say);
  if (access === null)
    throw new Error(
      'there is no cluster: set KUBECONFIG, or kind create cluster --config deploy/kind/cluster.yaml',
    );
  const context = output(access, ['kubectl', 'config', 'current-context']).trim();
  if (!contexts.test(context))
    throw new Error(`the context ${context} is not that of a cluster of one's own`);
  if (options.ingress) installIngress(access);
  install(access);
  const connection = printConnection(access.outside.url);
  const demo = ['npm', 'run', '--silent', 'swissbrain', '--', 'run', 'examples/seattle-weather.yaml'];
  if (options.demo) return run(access, demo, connection);
  if (!options.follow) return 0;
  const logs = ['logs', '--follow', '--prefix', '--all-containers', '--max-log-requests=40'];
  return run(access, ['kubectl', ...place, ...logs, '-l', 'app.kubernetes.io/instance=swissbrain']);
}

/** A token of a new user, good for a day. */
function developmentToken(): string {
  const now = Math.floor(systemClock.now().getTime() / 1_000);
  const claims = { sub: randomUUID(), role: 'authenticated', iat: now, exp: now + 86_400 };
  const encoded = [{ alg: 'HS256', typ: 'JWT' }, claims].map((part) =>
    Buffer.from(JSON.stringify(part)).toString('base64url'),
  );
  const signed = encoded.join('.');
  return `${signed}.${createHmac('sha256', jwtSecret).update(signed).digest('base64url')}`;
}

/** Prints and returns what the command line reads. */
function printConnection(url: string): Readonly<Record<string, string>> {
  const connection = {
    SWISSBRAIN_URL: url,
    SWISSBRAIN_TOKEN: developmentToken(),
  };
  const settings = Object.entries(connection).map(([name, value]) => `${name}=${value}`);
  process.stdout.write(`export ${settings.join(' ')}\n`);
  return connection;
}

const ingressManifest = 'https://kind.sigs.k8s.io/examples/ingress/deploy-ingress-nginx.yaml';

function installIngress(access: ClusterAccess): void {
  say(`installing the ingress controller of ${ingressManifest}`);
  output(access, ['kubectl', 'apply', '-f', ingressManifest]);
  const controller = ['deployment/ingress-nginx-controller', '-n', 'ingress-nginx', '--timeout=5m'];
  output(access, ['kubectl', 'rollout', 'status', ...controller]);
}

function install(access: ClusterAccess): void {
  say('installing the chart');
  const { images, url } = access.outside;
  const files = ['--values', `${chart}/values-dev.yaml`, '--values', '-'];
  const words = ['helm', 'upgrade', '--install', 'swissbrain', chart, ...place, '--create-namespace'];
  output(
    access,
    [...words, ...files, '--wait', '--timeout', '10m'],
    JSON.stringify(developmentValues(images, url)),
  );
}

function output(access: ClusterAccess, [program = '', ...args]: readonly string[], input = ''): string {
  const env = { ...process.env, ...access.outside.env };
  const { status, stdout, error } = spawnSync(program, args, {
    cwd: root,
    env,
    input,
    encoding: 'utf8',
    stdio: ['pipe', 'pipe', 'inherit'],
  });
  if (status === 0) return stdout;
  throw new Error(`${program} ${args.join(' ')} failed: ${error?.message ?? `exit code ${status}`}`);
}

/** Runs a program in the foreground; resolves to how it ended. */
function run(
  access: ClusterAccess,
  [program = '', ...args]: readonly string[],
  more: Readonly<Record<string, string>> = {},
): Promise<number> {
  const env = { ...process.env, ...access.outside.env, ...more };
  const child = spawn(program, args, { cwd: root, env, stdio: 'inherit' });
  return new Promise((resolve, reject) => {
    child.once('error', reject);
    child.once('exit', (code) => resolve(code ?? 1));
  });
}

process.exitCode = await main().catch((error: unknown) => {
  say(error instanceof Error ? error.message : String(error));
  return 1;
});
