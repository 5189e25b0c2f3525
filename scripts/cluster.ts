// The cluster that the tests of the project `cluster` run on, and the only file that knows how one is started.
import { spawnSync } from 'node:child_process';
import { existsSync, mkdtempSync, readFileSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join, resolve } from 'node:path';
import { parseArgs } from 'node:util';
import { isBuilt, loadImages } from './cluster-images.ts';
import { imageName, releaseImages, storeImages } from './image-list.ts';
import { buildImages, buildNextRelease, dockerOrBuildah } from './images.ts';

import type { Progress } from './progress.ts';

const root = join(import.meta.dirname, '..');
const wanted = process.env.SWISSBRAIN_CLUSTER_TARGETS?.split(',') ?? releaseImages;

/** How tests reach a cluster. */
export interface ClusterAccess {
  /** Words before the command of the tests, so that they run where pods can be reached. */
  readonly prefix: readonly string[];
  readonly env: Readonly<Record<string, string>>;
  /** The cluster as this machine sees it. */
  readonly outside: {
    readonly env: Readonly<Record<string, string>>;
    /** The images that were built, by their full names. */
    readonly images: readonly string[];
    /** The address of its ingress, by the name that every machine has for itself. */
    readonly url: string;
  };
}

/**
 * Starts the cluster beside the checkout (or where SWISSBRAIN_CLUSTER says) and puts the images onto it; else
 * takes the one that KUBECONFIG names, whose pods this machine must reach and whose nodes must find the images.
 * Null when there is none.
 * @param withNext the images of the release after this one, too
 * @param images without registry and tag; the stores come with the services
 */
export async function prepareCluster(
  progress: Progress,
  withNext = false,
  images: readonly string[] = wanted,
): Promise<ClusterAccess | null> {
  const folder = resolve(root, process.env.SWISSBRAIN_CLUSTER ?? '../shared/cluster');
  const command = join(folder, 'cluster');
  if (existsSync(command)) return prepareOwn(command, progress, withNext, images);
  if (process.env.KUBECONFIG === undefined) return null;
  progress('building the images, where they are not there yet');
  const builder = dockerOrBuildah();
  const names = await buildImages(images, builder);
  const next = withNext ? await buildNextRelease(builder) : [];
  loadIntoKind([...names, ...next], progress);
  const url = process.env.SWISSBRAIN_CLUSTER_URL ?? 'http://localhost';
  return {
    prefix: [],
    env: { SWISSBRAIN_CLUSTER_IMAGES: names.join(','), SWISSBRAIN_CLUSTER_NEXT: next.join(',') },
    outside: { env: {}, images: names, url },
  };
}

/** kind has no registry: its nodes are given the images. Other clusters must find them themselves. */
function loadIntoKind(names: readonly string[], progress: Progress): void {
  const context = must(['kubectl', 'config', 'current-context']).trim();
  if (!context.startsWith('kind-')) return;
  progress('loading the images into kind');
  must(['kind', 'load', 'docker-image', '--name', context.slice('kind-'.length), ...names]);
}

async function prepareOwn(
  command: string,
  progress: Progress,
  withNext: boolean,
  images: readonly string[],
): Promise<ClusterAccess> {
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
  progress('building the images, where they are not there yet');
  const programs = dirname(must(['sh', '-c', 'command -v versitygw'], { PATH: path }).trim());
  const builder = { build: [command, 'build', '--layers'], there: isBuilt, programs };
  const stores = images.includes('migrate') ? storeImages : [];
  const names = await buildImages([...images, ...stores], builder);
  const kubeconfig = { KUBECONFIG: env.KUBECONFIG ?? '', PATH: path };
  const next = withNext ? await buildNextRelease(builder) : [];
  await loadMissing([...names, ...next], kubeconfig, progress);
  const inside = insideConfig(readFileSync(kubeconfig.KUBECONFIG, 'utf8'));
  return {
    outside: {
      env: kubeconfig,
      images: names,
      url: `${env.CLUSTER_INGRESS?.replace('127.0.0.1', 'localhost')}`,
    },
    // `inside` sets a KUBECONFIG of its own.
    prefix: [command, 'inside', 'node-1', 'env', `KUBECONFIG=${inside}`],
    env: {
      PATH: path,
      KUBECONFIG: inside,
      // Tests run in a node's network; what starts and stops nodes belongs to this machine's own.
      SWISSBRAIN_CLUSTER_COMMAND: `nsenter --target ${process.pid} --net --mount -- ${command}`,
      SWISSBRAIN_CLUSTER_IMAGES: names.join(','),
      SWISSBRAIN_CLUSTER_NEXT: next.join(','),
      // The address of the tests' own services as pods see them.
      SWISSBRAIN_CLUSTER_HOST: '172.30.0.11',
      SWISSBRAIN_CLUSTER_INGRESS: '172.30.0.11:30080',
      NODE_NO_WARNINGS: '1',
    },
  };
}

/** Puts the images onto the nodes that lack them. */
async function loadMissing(
  names: readonly string[],
  env: Readonly<Record<string, string>>,
  progress: Progress,
): Promise<void> {
  const query = 'jsonpath={.items[*].status.images[*].names[*]}';
  const there = must(['kubectl', 'get', 'nodes', '-o', query], env).split(/\s+/);
  // Each node tells of what it has.
  const missing = names.filter((name) => there.filter((one) => one === name).length < 2);
  if (missing.length === 0) return;
  progress(`loading ${missing.join(', ')}`);
  await loadImages(missing, dirname(env.KUBECONFIG ?? ''));
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

/** Starts it before it is needed, `--next` with the next release, too; prints what is on it. */
if (import.meta.main) {
  const { values } = parseArgs({ options: { next: { type: 'boolean', default: false } } });
  const access = await prepareCluster((line) => process.stderr.write(`${line}\n`), values.next);
  process.stdout.write(`${JSON.stringify(access ?? { missing: wanted.map((name) => imageName(name)) })}\n`);
}
