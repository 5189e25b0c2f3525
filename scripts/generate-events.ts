// npm run events:generate [-- --check]: the JSON Schema of each version of each event, docs/asyncapi.json, and what
// the Helm chart must know of events.
import { mkdir, readFile, writeFile } from 'node:fs/promises';
import { dirname, join, relative } from 'node:path';
import { allEvents } from '@swissbrain/shared-schema/events/registry';
import { asyncApiOf } from './events/asyncapi.ts';
import { consumersFile, natsAuthorizationFile } from './events/chart-files.ts';
import { schemaOf, versionName } from './events/json-schema.ts';
import { breaksAgainst, publishedIn, publishedOnMain, retired } from './events/published.ts';

const root = dirname(import.meta.dirname);
const directory = 'packages/shared-schema/generated/events';

function generatedFiles(): Map<string, string> {
  const print = (value: unknown) => `${JSON.stringify(value, null, 2)}\n`;
  const schemas = allEvents.map(
    (definition) =>
      [join(root, directory, `${versionName(definition)}.json`), print(schemaOf(definition))] as const,
  );
  const chart = join(root, 'deploy/helm/swissbrain/files');
  return new Map([
    ...schemas,
    [join(root, 'docs/asyncapi.json'), print(asyncApiOf(allEvents))],
    [join(chart, 'nats-authorization.conf'), natsAuthorizationFile()],
    [join(chart, 'consumers.json'), consumersFile()],
  ]);
}

/** What keeps the definitions from being published as they are, in the words of who reads it. */
async function problems(): Promise<string[]> {
  const present = await publishedIn(join(root, directory));
  const broken = new Set([
    ...breaksAgainst(present, allEvents),
    ...breaksAgainst(await publishedOnMain(root, directory), allEvents),
  ]);
  const lines = [...broken];
  if (lines.length > 0)
    lines.push('A break is a new version beside the old: see "Adding an event" in CONTRIBUTING.md.');
  for (const name of retired(present, allEvents)) {
    lines.push(
      `${name} is published and not defined: define it again, or remove ${directory}/${name}.json when ` +
        'nothing reads it and the stream has outlived its last event',
    );
  }
  return lines;
}

async function outdated(files: ReadonlyMap<string, string>): Promise<string[]> {
  const differing: string[] = [];
  for (const [path, text] of files) {
    const present = await readFile(path, 'utf8').catch((error: NodeJS.ErrnoException) => {
      if (error.code === 'ENOENT') return undefined;
      throw error;
    });
    if (present !== text) differing.push(path);
  }
  return differing;
}

async function main(check: boolean): Promise<number> {
  const found = await problems();
  if (found.length > 0) {
    process.stderr.write(`${found.join('\n')}\n`);
    return 1;
  }
  const files = generatedFiles();
  const stale = await outdated(files);
  const names = stale.map((path) => relative(root, path));
  if (check) {
    if (names.length > 0) {
      process.stderr.write(`out of date, run \`npm run events:generate\`: ${names.join(', ')}\n`);
    }
    return names.length > 0 ? 1 : 0;
  }
  for (const path of stale) {
    await mkdir(dirname(path), { recursive: true });
    await writeFile(path, files.get(path) ?? '');
  }
  process.stdout.write(`${files.size} files, ${stale.length} written\n`);
  return 0;
}

process.exitCode = await main(process.argv.includes('--check'));
