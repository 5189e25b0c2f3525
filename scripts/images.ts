// npm run images [NAME…]: builds the images that are not there yet, with Docker, else buildah. An image's tag is the
// hash of what goes into it, so what is built is built once. Prints the names.
import { spawn, spawnSync } from 'node:child_process';
import { once } from 'node:events';
import { join } from 'node:path';
import { parseArgs } from 'node:util';
import { imageName, imageOf, nextRelease, shippedImages } from './image-list.ts';

const root = join(import.meta.dirname, '..');

/** How images are built and looked for on this machine. */
export interface Builder {
  readonly build: readonly string[];
  there(name: string): boolean;
  /** A folder of programs that are copied into images as they are. */
  readonly programs?: string;
}

/** What a build is told beside the Dockerfile. */
interface Build {
  readonly full: string;
  readonly file: string;
  readonly context: string;
  readonly options: readonly string[];
}

/** As many as the smallest machine this is developed on has cores. */
const buildsAtOnce = 2;

/**
 * Builds what is missing.
 * @param names of images, without registry and tag
 * @returns their full names in the order asked for
 * @throws Error when a build fails
 */
export async function buildImages(names: readonly string[], builder: Builder): Promise<string[]> {
  const all = names.map((name): Build => {
    const { target, file, context, args } = imageOf(name);
    const given = Object.entries(args).flatMap(([key, value]) => ['--build-arg', `${key}=${value}`]);
    return { full: imageName(name), file, context, options: ['--target', target, ...given] };
  });
  await buildMissing(all, builder);
  return all.map(({ full }) => full);
}

/**
 * Builds the release after this one from images that are built already; resolves to their full names.
 * @throws Error when a build fails
 */
export async function buildNextRelease(builder: Builder): Promise<string[]> {
  const { file, context } = nextRelease;
  const all = nextRelease.names.map((name): Build => {
    const options = ['--build-arg', `IMAGE=${imageName(name)}`];
    return { full: nextRelease.nameOf(name), file, context, options };
  });
  await buildMissing(all, builder);
  return all.map(({ full }) => full);
}

async function buildMissing(all: readonly Build[], builder: Builder): Promise<void> {
  const missing = all.filter(({ full }) => !builder.there(full));
  // The first of each Dockerfile makes the layers that the others of it find.
  const first = missing.filter(
    ({ file }, place) => missing.findIndex((other) => other.file === file) === place,
  );
  for (const some of [first, missing.filter((one) => !first.includes(one))]) {
    const waiting = some.values();
    const build = async () => {
      for (const one of waiting) await buildOne(one, builder);
    };
    await Promise.all(Array.from({ length: buildsAtOnce }, build));
  }
}

async function buildOne({ full, file, context, options }: Build, builder: Builder): Promise<void> {
  const programs = builder.programs === undefined ? [] : ['--build-context', `programs=${builder.programs}`];
  const [command = '', ...words] = [
    ...builder.build,
    '-t',
    full,
    ...options,
    ...programs,
    '-f',
    file,
    context,
  ];
  const [code] = await once(spawn(command, words, { cwd: root, stdio: ['ignore', 2, 'inherit'] }), 'close');
  if (code !== 0) throw new Error(`building ${full} failed`);
}

/** @throws Error when this machine has neither */
export function dockerOrBuildah(): Builder {
  if (succeeds(['docker', 'version'])) {
    return {
      build: ['docker', 'build'],
      there: (name) => succeeds(['docker', 'image', 'inspect', name]),
    };
  }
  if (succeeds(['buildah', '--version'])) {
    return {
      build: ['buildah', 'build', '--layers'],
      there: (name) => succeeds(['buildah', 'inspect', '--type', 'image', name]),
    };
  }
  throw new Error('images are built with Docker or buildah, and neither is here');
}

function succeeds([command = '', ...args]: readonly string[]): boolean {
  return spawnSync(command, args, { cwd: root, stdio: 'ignore' }).status === 0;
}

if (import.meta.main) {
  const { positionals } = parseArgs({ allowPositionals: true });
  const names = positionals.length > 0 ? positionals : shippedImages;
  for (const name of await buildImages(names, dockerOrBuildah())) process.stdout.write(`${name}\n`);
}
