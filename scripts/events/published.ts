import { execFile } from 'node:child_process';
import { readdir, readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { promisify } from 'node:util';
import type { EventDefinition } from '@swissbrain/shared-schema/events/envelope';
import { breaksOf } from './compatibility.ts';
import { type JsonSchema, schemaOf, versionName } from './json-schema.ts';

const run = promisify(execFile);

/** Schemas by the name of their version. */
export type Published = ReadonlyMap<string, JsonSchema>;

const ending = '.json';

/** The schemas in a folder of the working tree; none when it is not there. */
export async function publishedIn(directory: string): Promise<Published> {
  const names = await readdir(directory).catch((error: NodeJS.ErrnoException) => {
    if (error.code === 'ENOENT') return [];
    throw error;
  });
  const files = names.filter((name) => name.endsWith(ending));
  return new Map(
    await Promise.all(
      files.map(
        async (name) =>
          [name.slice(0, -ending.length), JSON.parse(await readFile(join(directory, name), 'utf8'))] as const,
      ),
    ),
  );
}

/**
 * The schemas in a folder of the commit where this branch left `main`, so that a file that was edited or removed
 * on the branch still counts. None where there is no such commit: an archive, a clone of one branch.
 * @param directory relative to `root`
 */
export async function publishedOnMain(root: string, directory: string): Promise<Published> {
  const git = async (...args: string[]) => (await run('git', args, { cwd: root, maxBuffer: 2 ** 26 })).stdout;
  const base = async (branch: string) => (await git('merge-base', 'HEAD', branch)).trim();
  const commit = await base('origin/main')
    .catch(() => base('main'))
    .catch(() => undefined);
  if (commit === undefined) return new Map();
  const names = (await git('ls-tree', '--name-only', `${commit}:${directory}`).catch(() => '')).split('\n');
  const published = new Map<string, JsonSchema>();
  for (const name of names.filter((file) => file.endsWith(ending))) {
    published.set(
      name.slice(0, -ending.length),
      JSON.parse(await git('show', `${commit}:${directory}/${name}`)),
    );
  }
  return published;
}

/** What the definitions break of what was published, a line each: type, version, path and problem. */
export function breaksAgainst(published: Published, definitions: readonly EventDefinition[]): string[] {
  return definitions.flatMap((definition) => {
    const before = published.get(versionName(definition));
    if (!before) return [];
    return breaksOf(before, schemaOf(definition)).map(
      ({ path, problem }) => `${definition.type} version ${definition.version}: ${path}: ${problem}`,
    );
  });
}

/** Published versions that are not defined any more. */
export function retired(published: Published, definitions: readonly EventDefinition[]): string[] {
  const defined = new Set(definitions.map(versionName));
  return [...published.keys()].filter((name) => !defined.has(name));
}
