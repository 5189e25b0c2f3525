// The cluster that the tests of the project `cluster` run on, and the only file that knows how one is started.
import { spawnSync } from 'node:child_process';
import { existsSync, mkdtempSync, readFileSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join, resolve } from 'node:path';
import { buildImages, dockerOrBuildah, imageName } from './images.ts';

const root = join(import.meta.dirname, '..');
const targets = (process.env.SWISSBRAIN_CLUSTER_TARGETS ?? 'sandbox-node').split(',');

/** How tests reach a cluster. */
export interface ClusterAccess {
  /** Words before the command of the tests, so that they run where pods can be reached. */
  readonly prefix: readonly string[];
  readonly env: Readonly<Record<string, string>>;
}

/**
 * Starts the cluster beside the checkout (or where SWISSBRAIN_CLUSTER says) and puts the sandbox images onto it; else
 * takes the one that KUBECONFIG names, whose pods this machine must reach and whose nodes must find the images.
 * Null when there is none.
 */
export function prepareCluster(progress: (line: string) => void): ClusterAccess | null {
  const folder = resolve(root, process.env.SWISSBRAIN_CLUSTER ?? '../shared/cluster');
  const command = join(folder, 'cluster');
  if (existsSync(command)) return prepareOwn(command, progress);
  if (process.env.KUBECONFIG === undefined) return null;
  progress('building the sandbox images');
  const { names } = buildImages(targets, dockerOrBuildah());
  return { prefix: [], env: { SWISSBRAIN_CLUSTER_IMAGES: names.join(',') } };
}

function prepareOwn(command: string, progress: (line: string) => void): ClusterAccess {
  progress('starting the cluster');
  must([command, 'up']);
  const env = Object.fromEntries(
    must([command, 'env'])
      .replace('export ', '')
      .trim()
      .split(' ')
      .map((pair) => pair.split('=', 2) as [string, string]),
  );
  const path = `${env.PATH?.replace('$PATH', process.env.PATH ?? '')}`;
  must([command, 'base-image']);
  progress('building the sandbox images, where they are not there yet');
  const buildah = { ...process.env, STORAGE_DRIVER: 'overlay', BUILDAH_ISOLATION: 'chroot' };
  const there = (name: string) =>
    spawnSync('buildah', ['inspect', '--type', 'image', name], { env: buildah, stdio: 'ignore' }).status ===
    0;
  const { names } = buildImages(targets, { build: [command, 'build', '--layers'], there });
  const kubeconfig = { KUBECONFIG: env.KUBECONFIG ?? '', PATH: path };
  const onNodes = must(
    ['kubectl', 'get', 'nodes', '-o', 'jsonpath={.items[*].status.images[*].names[*]}'],
    kubeconfig,
  );
  for (const name of names) {
    // Each node tells of what it has.
    if (onNodes.split(/\s+/).filter((one) => one === name).length >= 2) continue;
    progress(`loading ${name}`);
    must([command, 'load', name]);
  }
  const inside = insideConfig(readFileSync(kubeconfig.KUBECONFIG, 'utf8'));
  return {
    // `inside` sets a KUBECONFIG of its own.
    prefix: [command, 'inside', 'node-1', 'env', `KUBECONFIG=${inside}`],
    env: {
      PATH: path,
      KUBECONFIG: inside,
      SWISSBRAIN_CLUSTER_COMMAND: command,
      SWISSBRAIN_CLUSTER_IMAGES: names.join(','),
      // The address of the tests' own services as pods see them.
      SWISSBRAIN_CLUSTER_HOST: '172.30.0.11',
      NODE_NO_WARNINGS: '1',
    },
  };
}

/** From within a node's network the API server has another address than from the machine's own. */
function insideConfig(text: string): string {
  const file = join(mkdtempSync(join(tmpdir(), 'swissbrain-cluster-')), 'kubeconfig');
  writeFileSync(file, text.replace(/https:\/\/127\.0\.0\.1:\d+/, 'https://172.30.0.11:6443'), {
    mode: 0o600,
  });
  return file;
}

function must(
  [program = '', ...args]: readonly string[],
  env: Readonly<Record<string, string>> = {},
): string {
  const { status, stdout, error } = spawnSync(program, args, {
    cwd: root,
    encoding: 'utf8',
    stdio: ['ignore', 'pipe', 'inherit'],
    env: { ...process.env, ...env },
  });
  if (status === 0) return stdout;
  throw new Error(`${program} ${args.join(' ')} failed: ${error?.message ?? `exit code ${status}`}`);
}

/** For those who want to look: starts it and prints the names of the images on it. */
if (import.meta.main) {
  const access = prepareCluster((line) => process.stderr.write(`${line}\n`));
  process.stdout.write(
    `${JSON.stringify(access ?? { missing: targets.map((target) => imageName(target)) })}\n`,
  );
}
