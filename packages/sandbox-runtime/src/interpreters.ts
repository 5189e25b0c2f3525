import { execFile } from 'node:child_process';
import { constants } from 'node:fs';
import { access } from 'node:fs/promises';
import { delimiter, isAbsolute, join } from 'node:path';
import { promisify } from 'node:util';
import { type Language, type LanguageStatus, languages } from './protocol.ts';

const run = promisify(execFile);

export interface Interpreters {
  /** Absolute path and version of an interpreter, or null when this machine has none. */
  find(language: Language): Promise<Interpreter | null>;
  /** Absolute path of prlimit, or null where there is none (macOS): then no limits per process are set. */
  prlimit(): Promise<string | null>;
}

export interface Interpreter {
  readonly path: string;
  readonly version: string;
}

/** Looks once, in the background, what this machine can run; `searchPath` is a PATH, `node` a path of this version. */
export function findInterpreters(searchPath: string, node: string): Interpreters {
  const javascript = Promise.resolve({ path: node, version: process.versions.node });
  const found = { javascript, python: findPython(searchPath) };
  const prlimit = findOnPath('prlimit', searchPath);
  return { find: (language) => found[language], prlimit: () => prlimit };
}

/** What can be run here, as it is told to callers. */
export async function languageStatuses(interpreters: Interpreters): Promise<LanguageStatus[]> {
  return Promise.all(
    languages.map(async (language) => {
      const found = await interpreters.find(language);
      return { language, available: found !== null, version: found?.version ?? null };
    }),
  );
}

/**
 * Asked for its own path, since what is on PATH may be a shim that is slow and adds to the environment. Null when it
 * does not run: on macOS without developer tools, `python3` is there but only asks for them.
 */
async function findPython(searchPath: string): Promise<Interpreter | null> {
  const command = await findOnPath('python3', searchPath);
  if (command === null) return null;
  const question = 'import platform, sys; print(platform.python_version()); print(sys.executable)';
  try {
    const env = { PATH: searchPath };
    const { stdout } = await run(command, ['-I', '-c', question], { timeout: 10_000, env });
    const [version = '', path = ''] = stdout.trim().split('\n');
    return { version, path: isAbsolute(path) ? path : command };
  } catch {
    return null;
  }
}

async function findOnPath(name: string, searchPath: string): Promise<string | null> {
  for (const directory of searchPath.split(delimiter)) {
    if (!isAbsolute(directory)) continue;
    const candidate = join(directory, name);
    const executable = await access(candidate, constants.X_OK).then(
      () => true,
      () => false,
    );
    if (executable) return candidate;
  }
  return null;
}
