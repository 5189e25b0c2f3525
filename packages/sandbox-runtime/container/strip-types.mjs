// node strip-types.mjs FROM TO: the runtime as plain JavaScript, so that a sandbox does not strip types while it starts.
import { mkdirSync, readdirSync, readFileSync, writeFileSync } from 'node:fs';
import { stripTypeScriptTypes } from 'node:module';
import { join } from 'node:path';

const [from = '', to = ''] = process.argv.slice(2);
mkdirSync(to, { recursive: true });
for (const name of readdirSync(from)) {
  if (!name.endsWith('.ts') || name.endsWith('.test.ts')) continue;
  const code = stripTypeScriptTypes(readFileSync(join(from, name), 'utf8'));
  const imports = code.replaceAll(/(from '\.\/[a-z0-9-]+)\.ts'/g, "$1.js'");
  writeFileSync(join(to, name.replace(/\.ts$/, '.js')), imports);
}
writeFileSync(join(to, 'package.json'), '{ "type": "module" }\n');
