// Every image that is built from this repository, and the name of each as the checkout is now.
import { createHash } from 'node:crypto';
import { existsSync, readdirSync, readFileSync, statSync } from 'node:fs';
import { join } from 'node:path';
import { serviceNames } from '@swissbrain/shared-schema/ids';
import { z } from 'zod';

const root = join(import.meta.dirname, '..');

export interface Image {
  /** Its name without registry and tag. */
  readonly name: string;
  readonly target: string;
  readonly file: string;
  /** The folder that the Dockerfile copies from. */
  readonly context: string;
  /** What of it is copied. */
  readonly sources: readonly string[];
  readonly args: Readonly<Record<string, string>>;
}

const manifest = z.object({ dependencies: z.record(z.string(), z.string()).default({}) });
const notCopied = /(^|\/)(node_modules|test|\.swissbrain)\/|\.test\.ts$/;

const shipped = { context: '.', args: {} };
const sandboxes: readonly Image[] = ['sandbox-node', 'sandbox-python', 'sandbox-browser'].map((name) => ({
  ...{ ...shipped, name, target: name, file: 'deploy/docker/sandbox.Dockerfile' },
  sources: ['packages/sandbox-runtime/src', 'packages/sandbox-runtime/container'],
}));

const services: readonly Image[] = [
  ...serviceNames.map((name) => serviceImage(name, `services/${name}`, 'service')),
  serviceImage('migrate', 'db', 'migrate'),
];

function serviceImage(name: string, folder: string, target: string): Image {
  return {
    ...{ ...shipped, name, target, file: 'deploy/docker/Dockerfile' },
    sources: ['package.json', 'pnpm-lock.yaml', 'pnpm-workspace.yaml', ...standsOn(folder)],
    args: { SERVICE: folder.replace(/^services\//, '') },
  };
}

const development: Image = {
  ...{ ...shipped, name: 'development', target: 'development', file: 'deploy/docker/Dockerfile' },
  sources: ['package.json', 'pnpm-lock.yaml', 'pnpm-workspace.yaml', 'db', 'packages', 'services'],
};

/** For clusters that reach no registry: the stores of values-dev.yaml, from Debian's packages. */
const stores: readonly Image[] = ['postgres', 'nats', 'valkey', 's3'].map((target) => ({
  ...{ name: `test-${target}`, target, args: {} },
  ...{
    file: 'tests/cluster/images/Dockerfile',
    context: 'tests/cluster/images',
    sources: ['tests/cluster/images/Dockerfile', 'tests/cluster/images/postgres.sh'],
  },
}));

const nextFolder = 'tests/cluster/images/next';

/** What replaces an image of the release in the one after it, which tests of upgrades go to. */
export const nextRelease = {
  context: nextFolder,
  file: `${nextFolder}/Dockerfile`,
  /** Images that it has in another version. */
  names: services.map(({ name }) => name),
  /** The full name there of an image. */
  nameOf: (name: string): string => `${imageName(name)}-${hashOf(filesBelow(nextFolder)).slice(0, 8)}`,
} as const;

/** The images of a release. */
export const shippedImages: readonly string[] = [...services, ...sandboxes].map(({ name }) => name);
/** The images of a release that is tried out: one kind of sandbox. */
export const releaseImages: readonly string[] = [...services.map(({ name }) => name), 'sandbox-node'];
export const storeImages: readonly string[] = stores.map(({ name }) => name);

/** @throws Error when there is no image of this name */
export function imageOf(name: string): Image {
  const all = [...services, ...sandboxes, development, ...stores];
  const image = all.find((known) => known.name === name);
  if (image) return image;
  throw new Error(`there is no image ${name}; there are ${all.map((known) => known.name).join(', ')}`);
}

/** The name of an image as it is now in the checkout, with the hash of its sources for a tag. */
export function imageName(name: string, repository = 'docker.io/swissbrain'): string {
  const image = imageOf(name);
  const hash = hashOf([image.file, '.dockerignore', ...image.sources.flatMap(filesBelow)]);
  return `${repository}/${name}:${hash.slice(0, 16)}`;
}

function hashOf(files: readonly string[]): string {
  const hash = createHash('sha256');
  for (const file of [...new Set(files)].sort()) {
    hash
      .update(`${file}\0`)
      .update(readFileSync(join(root, file)))
      .update('\0');
  }
  return hash.digest('hex');
}

/** The files at or below a path of the repository, but tests. */
function filesBelow(path: string): string[] {
  if (statSync(join(root, path)).isFile()) return [path];
  return readdirSync(join(root, path), { withFileTypes: true }).flatMap((entry) => {
    const below = join(path, entry.name);
    if (notCopied.test(entry.isDirectory() ? `${below}/` : below)) return [];
    return entry.isDirectory() || entry.isFile() ? filesBelow(below) : [];
  });
}

/** The folders of a package of the workspace and of those that it depends on in production. */
function standsOn(folder: string): string[] {
  const known = new Set<string>();
  const visit = (one: string): void => {
    if (known.has(one)) return;
    known.add(one);
    const { dependencies } = manifest.parse(
      JSON.parse(readFileSync(join(root, one, 'package.json'), 'utf8')),
    );
    for (const [name, version] of Object.entries(dependencies))
      if (version.startsWith('workspace:')) visit(folderOf(name.replace('@swissbrain/', '')));
  };
  visit(folder);
  return [...known];
}

function folderOf(name: string): string {
  const found = ['.', 'packages', 'services'].find((parent) =>
    existsSync(join(root, parent, name, 'package.json')),
  );
  if (found === undefined) throw new Error(`no folder of the workspace is @swissbrain/${name}`);
  return join(found, name);
}
