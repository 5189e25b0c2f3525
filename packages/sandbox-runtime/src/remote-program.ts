import { type CodeLink, fieldsOf } from './code-link.ts';
import { LinkBroken } from './link-frames.ts';
import type { ProcessTree } from './process-tree.ts';
import type { ProgramEnd, RunningProgram } from './program.ts';
import type { OutputStream } from './protocol.ts';

/** How long the code side may take to end what it was told to kill before it counts as out of order. */
const obeyMs = 60_000;
const nothing = { count: 0, memory: 0 };

/** The first byte of a piece of output says which stream it is of. */
export const streamMarks: Readonly<Record<OutputStream, number>> = { stdout: 1, stderr: 2 };

/**
 * A program in the code container. Its end is believed once: with `exited` its time is over, and with the answer all
 * its processes are gone. Should the connection break, it ends as lost.
 */
export function startRemoteProgram(
  link: CodeLink,
  executionId: string,
  onOutput: (stream: OutputStream, data: Buffer) => void,
): RunningProgram {
  const { promise: exited, resolve: tellExited } = Promise.withResolvers<ProgramEnd>();
  let end: ProgramEnd | null = null;
  let over = false;
  let surveyed: ((found: typeof nothing) => void) | null = null;
  let obeyTimer: NodeJS.Timeout | undefined;

  const expectEnd = () => {
    obeyTimer ??= setTimeout(() => link.break('the code container did not end a program'), obeyMs);
  };
  const exit = (how: ProgramEnd) => {
    end = how;
    tellExited(how);
    expectEnd();
  };
  const channel = link.open({ op: 'start', execution_id: executionId }, (message) => {
    const fields = fieldsOf(message);
    if ('exited' in fields) {
      if (end !== null) throw new LinkBroken('a second end of a program');
      exit(readEnd(fields.exited));
      return;
    }
    if (surveyed === null) throw new LinkBroken('a message that was not asked for');
    surveyed(readSurvey(fields.survey));
    surveyed = null;
  });

  const follow = async (): Promise<ProgramEnd> => {
    try {
      for await (const piece of channel.incoming) onOutput(streamOf(piece), piece.subarray(1));
      await channel.answer;
      if (end === null) throw new LinkBroken('a program without an end');
    } catch (error) {
      const why = error instanceof Error ? error.message : String(error);
      // What breaks the protocol here breaks the whole connection.
      if (error instanceof LinkBroken) link.break(why);
      if (end === null) exit({ exitCode: null, signal: null, spawnError: null, lost: why });
    }
    over = true;
    clearTimeout(obeyTimer);
    surveyed?.(nothing);
    return end ?? exited;
  };

  const tree: ProcessTree = {
    survey(memoryLimit) {
      if (over || surveyed !== null || link.brokenFor() !== null) return Promise.resolve(nothing);
      channel.send({ survey: memoryLimit });
      return new Promise((resolve) => {
        surveyed = resolve;
      });
    },
    signal: (signal) => {
      if (!over) channel.send({ signal });
    },
    destroy() {
      if (over) return Promise.resolve(true);
      channel.send({ destroy: true });
      expectEnd();
      return ended.then(() => true);
    },
  };
  const ended = follow();
  return { tree, exited, ended };
}

function streamOf(piece: Buffer): OutputStream {
  if (piece[0] === streamMarks.stdout) return 'stdout';
  if (piece[0] === streamMarks.stderr) return 'stderr';
  throw new LinkBroken('output of an unknown stream');
}

function readEnd(value: unknown): ProgramEnd {
  const { exit_code, signal, spawn_error, out_of_memory } = fieldsOf(value);
  const exitCode = exit_code === null ? null : wholeNumber(exit_code, 0xffff_ffff);
  if (!(signal === null || (typeof signal === 'string' && /^SIG[A-Z0-9+]{1,16}$/.test(signal)))) {
    throw new LinkBroken('an unknown signal');
  }
  if (!(spawn_error === null || (typeof spawn_error === 'string' && spawn_error.length <= 2_000))) {
    throw new LinkBroken('an end of unknown shape');
  }
  return { exitCode, signal, spawnError: spawn_error, outOfMemory: out_of_memory === true };
}

function readSurvey(value: unknown): typeof nothing {
  const { count, memory } = fieldsOf(value);
  return { count: wholeNumber(count, 10_000_000), memory: wholeNumber(memory, Number.MAX_SAFE_INTEGER) };
}

/** @throws LinkBroken */
export function wholeNumber(value: unknown, most: number): number {
  if (typeof value === 'number' && Number.isSafeInteger(value) && value >= 0 && value <= most) return value;
  throw new LinkBroken('a number out of its range');
}
