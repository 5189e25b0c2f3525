// The types of the client, made of the documents in openapi/. With --check: whether they still are.
import { readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { serviceNames } from '@swissbrain/shared-schema/ids';
import openapiTypes, { astToString } from 'openapi-typescript';

const documentOf = (service: string) => join(import.meta.dirname, 'openapi', `${service}.json`);
const typesOf = (service: string) => join(import.meta.dirname, 'src/generated', `${service}.ts`);

async function typesFrom(service: string): Promise<string> {
  const head = '// Made by npm run client:generate; changes are lost.\n\n';
  return head + astToString(await openapiTypes(await readFile(documentOf(service), 'utf8')));
}

const check = process.argv.includes('--check');
const outdated: string[] = [];
for (const service of serviceNames) {
  const types = await typesFrom(service);
  if (!check) await writeFile(typesOf(service), types);
  else if ((await readFile(typesOf(service), 'utf8')) !== types) outdated.push(service);
}
if (outdated.length > 0) {
  process.stdout.write(
    `the client's types of ${outdated.join(', ')} are outdated: npm run client:generate\n`,
  );
  process.exitCode = 1;
}
