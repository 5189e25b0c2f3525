import { constants, setPriority } from 'node:os';
import { dirname, resolve } from 'node:path';
import { type Clock, systemClock } from '@swissbrain/service-kit/clock';
import { createStyle, type Style, wantsColour } from './style.ts';

/** Where text goes; a terminal redraws, anything else is a plain log. */
export interface Sink {
  readonly isTty: boolean;
  readonly columns: number;
  write(text: string): void;
}

/** Everything a command gets from outside, so that a test can give it something else. */
export interface Context {
  readonly stdout: Sink;
  readonly stderr: Sink;
  readonly style: Style;
  readonly errorStyle: Style;
  readonly environment: Readonly<Record<string, string | undefined>>;
  /** Where the person stands; paths on the command line start here. */
  readonly directory: string;
  /** The checkout whose local stack is used. */
  readonly root: string;
  readonly clock: Clock;
  /** Fires on Ctrl-C. */
  readonly signal: AbortSignal;
  /** From now on every other process of the machine goes first. */
  yieldProcessor(): void;
  /** Sets the exit status of a command that worked but has bad news. */
  setExitCode(code: number): void;
  exitCode(): number;
}

const checkout = dirname(dirname(dirname(import.meta.dirname)));

/** The context of a real process. npm changes the directory and tells the original one in INIT_CWD. */
export function processContext(signal: AbortSignal): Context {
  const { env } = process;
  const directory = env.INIT_CWD ?? process.cwd();
  return createContext({
    stdout: sinkOf(process.stdout),
    stderr: sinkOf(process.stderr),
    environment: env,
    directory,
    root: env.SWISSBRAIN_ROOT ? resolve(directory, env.SWISSBRAIN_ROOT) : checkout,
    clock: systemClock,
    signal,
    yieldProcessor: () => setPriority(constants.priority.PRIORITY_LOW),
  });
}

/** Completes the outside world with styles and an exit status. */
export function createContext(
  outside: Omit<Context, 'style' | 'errorStyle' | 'setExitCode' | 'exitCode'>,
): Context {
  let exitCode = 0;
  return {
    ...outside,
    style: createStyle(wantsColour(outside.stdout.isTty, outside.environment)),
    errorStyle: createStyle(wantsColour(outside.stderr.isTty, outside.environment)),
    setExitCode: (code) => {
      exitCode = code;
    },
    exitCode: () => exitCode,
  };
}

function sinkOf(stream: NodeJS.WriteStream): Sink {
  return {
    isTty: stream.isTTY === true,
    get columns() {
      return stream.columns ?? 100;
    },
    write: (text) => {
      stream.write(text);
    },
  };
}
