// npm run images [NAME…]: builds the images that are not there yet, with Docker, else buildah. An image's tag is the
// hash of what goes into it, so what is built is built once. Prints the names.
import { spawnSync } from 'node:child_process';
import { createHash } from 'node:crypto';
import { readdirSync, readFileSync } from 'node:fs';
import { join, relative } from 'node:path';
import { parseArgs } from 'node:util';

const root = join(import.meta.dirname, '..');

interface Image {
  readonly target: string;
  readonly file: string;
  /** What is copied into it. */
  readonly sources: readonly string[];
}

const sandboxSources = ['packages/sandbox-runtime/src', 'packages/sandbox-runtime/container'];
const sandbox = { file: 'deploy/docker/sandbox.Dockerfile', sources: sandboxSources };
const images: readonly Image[] = ['sandbox-node', 'sandbox-python', 'sandbox-browser'].map((target) => ({
  target,
  ...sandbox,
}));

/** The name of an image as it is now in the checkout, with the hash of its sources for a tag. */
export function imageName(target: string, repository = 'docker.io/swissbrain'): string {
  const image = images.find((known) => known.target === target);
  if (!image)
    throw new Error(`there is no image ${target}; there are ${images.map((known) => known.target)}`);
  const hash = createHash('sha256');
  for (const file of [image.file, ...image.sources.flatMap(filesBelow)].sort()) {
    hash
      .update(`${file}\0`)
      .update(readFileSync(join(root, file)))
      .update('\0');
  }
  return `${repository}/${target}:${hash.digest('hex').slice(0, 16)}`;
}

function filesBelow(directory: string): string[] {
  const entries = readdirSync(join(root, directory), { recursive: true, withFileTypes: true });
  return entries
    .filter((entry) => entry.isFile() && !entry.name.endsWith('.test.ts'))
    .map((entry) => relative(root, join(entry.parentPath, entry.name)));
}

/**
 * Builds what is missing.
 * @returns the names, and of those which were built just now
 */
export function buildImages(
  targets: readonly string[],
  builder: Builder,
): { readonly names: string[]; readonly built: string[] } {
  const names = targets.map((target) => imageName(target));
  const built: string[] = [];
  for (const [index, name] of names.entries()) {
    const image = images.find((known) => known.target === targets[index]);
    if (!image || builder.there(name)) continue;
    const words = ['-t', name, '--target', image.target, '-f', image.file, '.'];
    if (!run([...builder.build, ...words], 'inherit')) throw new Error(`building ${name} failed`);
    built.push(name);
  }
  return { names, built };
}

/** How images are built and looked for on this machine. */
export interface Builder {
  readonly build: readonly string[];
  there(name: string): boolean;
}

/** @throws Error when this machine has neither */
export function dockerOrBuildah(): Builder {
  if (run(['docker', 'version'], 'ignore')) {
    return {
      build: ['docker', 'build'],
      there: (name) => run(['docker', 'image', 'inspect', name], 'ignore'),
    };
  }
  if (run(['buildah', '--version'], 'ignore')) {
    return {
      build: ['buildah', 'build', '--layers'],
      there: (name) => run(['buildah', 'inspect', name], 'ignore'),
    };
  }
  throw new Error('images are built with Docker or buildah, and neither is here');
}

function run([command = '', ...args]: readonly string[], output: 'ignore' | 'inherit'): boolean {
  const stdio: ('ignore' | 'inherit' | 2)[] = ['ignore', output === 'inherit' ? 2 : 'ignore', output];
  return spawnSync(command, args, { cwd: root, stdio }).status === 0;
}

if (import.meta.main) {
  const { positionals } = parseArgs({ allowPositionals: true });
  const targets = positionals.length > 0 ? positionals : images.map((image) => image.target);
  for (const name of buildImages(targets, dockerOrBuildah()).names) process.stdout.write(`${name}\n`);
}
