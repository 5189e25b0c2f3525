// npm run images [NAME…]: builds the images that are not there yet, with Docker, else buildah. An image's tag is the
// hash of what goes into it, so what is built is built once. Prints the names.
import { spawnSync } from 'node:child_process';
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

/**
 * Builds what is missing.
 * @param names of images, without registry and tag
 * @returns their full names in the order asked for
 * @throws Error when a build fails
 */
export function buildImages(names: readonly string[], builder: Builder): string[] {
  return names.map((name) => {
    const full = imageName(name);
    if (builder.there(full)) return full;
    const { target, file, context, args } = imageOf(name);
    const given = Object.entries(args).flatMap(([key, value]) => ['--build-arg', `${key}=${value}`]);
    const programs =
      builder.programs === undefined ? [] : ['--build-context', `programs=${builder.programs}`];
    const words = ['-t', full, '--target', target, ...given, ...programs, '-f', file, context];
    if (!run([...builder.build, ...words], 'inherit')) throw new Error(`building ${full} failed`);
    return full;
  });
}

/**
 * Builds the release after this one from images that are built already; resolves to their full names.
 * @throws Error when a build fails
 */
export function buildNextRelease(builder: Builder): string[] {
  return nextRelease.names.map((name) => {
    const full = nextRelease.nameOf(name);
    if (builder.there(full)) return full;
    const { file, context } = nextRelease;
    const words = ['-t', full, '--build-arg', `IMAGE=${imageName(name)}`, '-f', file, context];
    if (!run([...builder.build, ...words], 'inherit')) throw new Error(`building ${full} failed`);
    return full;
  });
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
      there: (name) => run(['buildah', 'inspect', '--type', 'image', name], 'ignore'),
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
  const names = positionals.length > 0 ? positionals : shippedImages;
  for (const name of buildImages(names, dockerOrBuildah())) process.stdout.write(`${name}\n`);
}
