import { isAbsolute } from 'node:path';
import type { CodeHostOptions } from './code-host.ts';

/** How the code container is set up; nothing in it is secret. */
export interface CodeConfig {
  readonly socket: string;
  readonly workspace: string;
  /** HOME and TMPDIR of the programs. */
  readonly scratch: string;
  readonly searchPath: string;
  readonly diskMb: number;
  /** Set in a container, where this process is the first one. */
  readonly container: CodeHostOptions['container'];
}

/** What an image tells programs about itself. */
const imageVariables = ['NODE_PATH', 'CHROMIUM_PATH', 'MPLBACKEND', 'MPLCONFIGDIR'];

/** Reads the configuration. @throws Error that names every problem at once */
export function readCodeConfig(environment: Readonly<Record<string, string | undefined>>): CodeConfig {
  const problems: string[] = [];
  const path = (name: string): string => {
    const value = environment[name] ?? '';
    if (!isAbsolute(value)) problems.push(`${name} must be an absolute path`);
    return value;
  };
  const diskMb = Number(environment.SANDBOX_DISK_MB ?? '');
  if (!(Number.isInteger(diskMb) && diskMb >= 1)) problems.push('SANDBOX_DISK_MB must be a whole number');
  const config = {
    socket: path('SANDBOX_CODE_SOCKET'),
    workspace: path('SANDBOX_WORKSPACE'),
    scratch: path('SANDBOX_SCRATCH'),
    searchPath: environment.PATH ?? '/usr/local/bin:/usr/bin:/bin',
    diskMb,
    container:
      environment.SANDBOX_LAUNCHER === undefined
        ? undefined
        : { launcher: path('SANDBOX_LAUNCHER'), node: path('SANDBOX_NODE'), env: handedOn(environment) },
  };
  // Killing all other processes is right only where they can be nothing else than users' programs.
  if (config.container && process.pid !== 1)
    problems.push('SANDBOX_LAUNCHER is for the first process of a container');
  if (problems.length > 0) throw new Error(`the code container cannot start: ${problems.join('; ')}`);
  return config;
}

function handedOn(environment: Readonly<Record<string, string | undefined>>): Record<string, string> {
  const found = imageVariables.map((name) => [name, environment[name]] as const);
  return Object.fromEntries(found.flatMap(([name, value]) => (value === undefined ? [] : [[name, value]])));
}
