import { isAbsolute } from 'node:path';
import { endpointVariable } from './protocol.ts';

/** How one runtime is set up. All of it comes from the environment of its process but the secret. */
export interface RuntimeConfig {
  readonly host: string;
  /** 0 takes a free one. */
  readonly port: number;
  /**
   * The Unix socket on which the code container is awaited; null where this process runs the programs itself, and
   * needs to know where.
   */
  readonly codeSocket: string | null;
  readonly workspace: string;
  /** HOME and TMPDIR of the programs. */
  readonly scratch: string;
  /** Records and output; never inside the workspace. */
  readonly stateDir: string;
  /** Where the address is announced; null when whoever starts the runtime knows it. */
  readonly endpointFile: string | null;
  readonly searchPath: string;
  readonly memoryMb: number;
  readonly diskMb: number;
  /** Longest time of one execution. */
  readonly wallSeconds: number;
  readonly maxProcesses: number;
  readonly killGraceMs: number;
  /** Ends the session after this long without a request while nothing runs. */
  readonly idleSeconds: number;
  /** Ends the session whatever it does. */
  readonly lifetimeSeconds: number;
}

type Environment = Readonly<Record<string, string | undefined>>;

/** Reads the configuration. @throws Error that names every problem at once */
export function readConfig(environment: Environment): RuntimeConfig {
  const problems: string[] = [];
  const directory = (name: string): string => {
    const value = environment[name] ?? '';
    if (!isAbsolute(value)) problems.push(`${name} must be an absolute path`);
    return value;
  };
  const whole = (name: string, otherwise: number | null, least: number, most: number): number => {
    const text = environment[name];
    if (text === undefined && otherwise !== null) return otherwise;
    const value = /^\d{1,9}$/.test(text ?? '') ? Number(text) : Number.NaN;
    if (!(value >= least && value <= most))
      problems.push(`${name} must be a whole number from ${least} to ${most}`);
    return value;
  };
  const codeSocket = environment.SANDBOX_CODE_SOCKET === undefined ? null : directory('SANDBOX_CODE_SOCKET');
  const here = (name: string) => (codeSocket === null ? directory(name) : '');
  const config: RuntimeConfig = {
    codeSocket,
    host: environment.SANDBOX_HOST ?? '127.0.0.1',
    port: whole('SANDBOX_PORT', 0, 0, 65_535),
    workspace: here('SANDBOX_WORKSPACE'),
    scratch: here('SANDBOX_SCRATCH'),
    stateDir: directory('SANDBOX_STATE'),
    endpointFile: environment[endpointVariable] === undefined ? null : directory(endpointVariable),
    searchPath: environment.PATH ?? '/usr/local/bin:/usr/bin:/bin',
    memoryMb: whole('SANDBOX_MEMORY_MB', null, 32, 1_048_576),
    diskMb: whole('SANDBOX_DISK_MB', null, 1, 1_048_576),
    wallSeconds: whole('SANDBOX_WALL_SECONDS', null, 1, 604_800),
    maxProcesses: whole('SANDBOX_MAX_PROCESSES', 128, 1, 100_000),
    killGraceMs: whole('SANDBOX_KILL_GRACE_MS', 2_000, 0, 60_000),
    idleSeconds: whole('SANDBOX_IDLE_SECONDS', 900, 1, 604_800),
    lifetimeSeconds: whole('SANDBOX_LIFETIME_SECONDS', 86_400, 1, 2_000_000),
  };
  if (problems.length > 0) throw new Error(`the sandbox runtime cannot start: ${problems.join('; ')}`);
  return config;
}
