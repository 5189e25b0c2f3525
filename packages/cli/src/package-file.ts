import { existsSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { CliError } from './cli-error.ts';

const pattern = /^npm:((?:@[a-z0-9~][a-z0-9._~-]*\/)?[a-z0-9~][a-z0-9._~-]*)\/(.+)$/;

/** True for `npm:<package>/<path>`. */
export function isPackageFile(text: string): boolean {
  return text.startsWith('npm:');
}

/**
 * The path of a file inside an installed npm package, found as Node finds packages: in `node_modules` of the
 * given directories and of all above them.
 * @throws CliError when the text is malformed or nothing is there
 */
export function resolvePackageFile(text: string, from: readonly string[]): string {
  const match = pattern.exec(text);
  const [, name = '', path = ''] = match ?? [];
  if (!match || path.split('/').includes('..')) {
    throw new CliError(`not a file of a package: ${text}`, { hint: 'Write npm:<package>/<path in it>.' });
  }
  for (const start of from) {
    for (let directory = start; ; directory = dirname(directory)) {
      const candidate = join(directory, 'node_modules', name, path);
      if (existsSync(candidate)) return candidate;
      if (directory === dirname(directory)) break;
    }
  }
  throw new CliError(`${text} is not installed`, { hint: `Install it with: npm install ${name}` });
}
