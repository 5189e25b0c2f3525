import { type ChildProcess, execFile, spawn } from 'node:child_process';
import { once } from 'node:events';
import { createServer } from 'node:net';
import { join, resolve } from 'node:path';
import { promisify } from 'node:util';
import { type Client, createClient } from '@swissbrain/client/client';
import { mintToken } from '@swissbrain/testkit/tokens';
import { waitFor } from '@swissbrain/testkit/wait';
import { Client as Postgres } from 'pg';
import { developmentValues, type Values } from '../../scripts/dev-values.ts';
import { kubectl } from './cluster.ts';
import { portSuffix } from './ingress-names.ts';

const run = promisify(execFile);
const root = resolve(import.meta.dirname, '../..');
export const chart = join(root, 'deploy/helm/swissbrain');
const devValues = join(chart, 'values-dev.yaml');
/** As values-dev.yaml says. */
const jwtSecret = 'development-only-secret-of-32-characters';

/** SwissBrain on the cluster, installed by its chart with values-dev.yaml. */
export interface Release extends AsyncDisposable {
  readonly name: string;
  readonly namespace: string;
  /** What names of its objects begin with. */
  readonly fullname: string;
  /** The address of its API, through the ingress. */
  readonly url: string;
  kubectl(...args: readonly string[]): Promise<string>;
  helm(...args: readonly string[]): Promise<string>;
  /** Brings it to other values; resolves when every pod is ready. @throws with what helm printed */
  upgrade(values: Values, ...options: readonly string[]): Promise<void>;
  /** `helm uninstall`: its objects go, its volumes stay. */
  remove(): Promise<void>;
  tokenOf(userId: string): Promise<string>;
  clientOf(userId: string): Client;
  /** Rows as the superuser sees them. */
  query<Row>(text: string, values?: readonly unknown[]): Promise<Row[]>;
}

/**
 * Installs the chart in a namespace under Pod Security `restricted` and waits until every pod is ready. Disposing of it
 * removes the release, its namespace and those of its sandboxes.
 */
export async function installRelease(name: string, namespace: string, values: Values = {}): Promise<Release> {
  await removeRelease(name, namespace);
  await kubectl('create', 'namespace', namespace);
  const labels = ['enforce', 'warn'].map((mode) => `pod-security.kubernetes.io/${mode}=restricted`);
  await kubectl('label', 'namespace', namespace, ...labels);
  const fullname = name.includes('swissbrain') ? name : `${name}-swissbrain`;
  const url = `http://${namespace}.test${portSuffix}`;
  const images = (process.env.SWISSBRAIN_CLUSTER_IMAGES ?? '').split(',').filter(Boolean);
  const database = forwardedDatabase(namespace, fullname);
  const release: Release = {
    ...{ name, namespace, fullname, url },
    kubectl: (...args) => kubectl('-n', namespace, ...args),
    helm: (...args) => helm([...args, '--namespace', namespace]),
    upgrade: async (more, ...options) => {
      const given = merge(developmentValues(images, url), values, more);
      const words = ['upgrade', '--install', name, chart, '--values', devValues, '--values', '-'];
      await helm([...words, '--wait', '--timeout', '6m', ...options, '--namespace', namespace], given);
    },
    remove: async () => {
      await database.close();
      await helm(['uninstall', name, '--wait', '--namespace', namespace]);
    },
    tokenOf: (userId) => mintToken({ sub: userId, secret: jwtSecret }),
    clientOf: (userId) =>
      createClient({ agentRunnerUrl: url, creditsUrl: url, token: () => release.tokenOf(userId) }),
    query: database.query,
    [Symbol.asyncDispose]: async () => {
      await database.close();
      // Nobody waits for it: whoever installs it again does, first.
      await helm(['uninstall', name, '--namespace', namespace]);
      await kubectl('delete', 'namespace', namespace, '--wait=false');
    },
  };
  await release.upgrade({});
  return release;
}

/** Removes a release with all its data, where it is. */
async function removeRelease(name: string, namespace: string): Promise<void> {
  await helm(['uninstall', name, '--ignore-not-found', '--wait', '--namespace', namespace]);
  await kubectl('delete', 'namespace', namespace, '--ignore-not-found');
}

function merge(...all: readonly Values[]): Values {
  const result: Record<string, unknown> = {};
  for (const values of all) {
    for (const [key, value] of Object.entries(values)) {
      const before = result[key];
      result[key] = isValues(before) && isValues(value) ? merge(before, value) : value;
    }
  }
  return result;
}

function isValues(value: unknown): value is Values {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}

/** Runs helm, with values on its standard input. @throws with what it printed */
export async function helm(args: readonly string[], values?: Values): Promise<string> {
  const child = spawn('helm', args, { stdio: ['pipe', 'pipe', 'pipe'] });
  const output: Buffer[] = [];
  child.stdout.on('data', (data: Buffer) => output.push(data));
  child.stderr.on('data', (data: Buffer) => output.push(data));
  child.stdin.end(values === undefined ? '' : JSON.stringify(values));
  const [code] = (await once(child, 'close')) as [number | null];
  const text = Buffer.concat(output).toString();
  if (code !== 0) throw new Error(`helm ${args.join(' ')}:\n${text}`);
  return text;
}

/** The release's Postgres by way of the API server: another connection after its pod was deleted. */
function forwardedDatabase(namespace: string, fullname: string) {
  let open: Promise<{ readonly postgres: Postgres; readonly forward: ChildProcess }> | undefined;
  const lost = (forward: ChildProcess) => () => {
    open = undefined;
    forward.kill();
  };
  const connect = async () => {
    const port = await freePort();
    const target = `statefulset/${fullname}-postgres`;
    const forward = spawn('kubectl', ['-n', namespace, 'port-forward', target, `${port}:5432`], {
      stdio: 'ignore',
    });
    const encoded = await kubectl(
      '-n',
      namespace,
      'get',
      'secret',
      `${fullname}-secrets`,
      '-o',
      'jsonpath={.data.database-admin-password}',
    );
    const postgres = await waitFor(
      async () => {
        const password = Buffer.from(encoded, 'base64').toString();
        const client = new Postgres({
          host: '127.0.0.1',
          port,
          user: 'postgres',
          password,
          database: 'swissbrain',
        });
        // Until it is connected `connect` says what went wrong.
        client.on('error', () => undefined);
        return client.connect().then(
          () => client.on('error', lost(forward)),
          () => undefined,
        );
      },
      { describe: 'a connection to Postgres', timeoutMs: 30_000 },
    );
    return { postgres, forward };
  };
  return {
    query: async <Row>(text: string, values: readonly unknown[] = []): Promise<Row[]> => {
      open ??= connect();
      const { postgres } = await open;
      return (await postgres.query(text, [...values])).rows as Row[];
    },
    close: async (): Promise<void> => {
      const opened = await open;
      open = undefined;
      await opened?.postgres.end();
      opened?.forward.kill();
    },
  };
}

async function freePort(): Promise<number> {
  const server = createServer().listen(0, '127.0.0.1');
  await once(server, 'listening');
  const address = server.address();
  server.close();
  if (address === null || typeof address === 'string') throw new Error('no port was given');
  return address.port;
}

/** The command line, against a release as one of its users; resolves to what it prints. */
export async function swissbrain(
  release: Release,
  userId: string,
  ...args: readonly string[]
): Promise<string> {
  const names = join(import.meta.dirname, 'ingress-names.ts');
  const { stdout } = await run(
    process.execPath,
    ['--import', names, join(root, 'packages/cli/src/main.ts'), ...args],
    {
      env: {
        ...process.env,
        SWISSBRAIN_URL: release.url,
        SWISSBRAIN_TOKEN: await release.tokenOf(userId),
        NO_COLOR: '1',
      },
      cwd: root,
    },
  );
  return stdout;
}
