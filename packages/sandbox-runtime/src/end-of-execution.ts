import type { ProgramEnd } from './program.ts';
import type { EndReason, ExecutionRequest } from './protocol.ts';

export interface JudgedEnd {
  readonly reason: EndReason;
  readonly message: string | null;
}

/** What V8 and Python say when a limit on memory stops them from inside. A program can say it too, of itself only. */
const memorySigns = /JavaScript heap out of memory|Array buffer allocation failed|^MemoryError\b/m;

/**
 * Why an execution ended. `stoppedFor` is the limit or request that we ended it for, if any: it wins over the exit
 * that followed from it.
 */
export function judgeEnd(
  end: ProgramEnd,
  stoppedFor: EndReason | null,
  stderrTail: string,
  { limits }: ExecutionRequest,
): JudgedEnd {
  if (end.spawnError !== null) {
    return { reason: 'spawn_error', message: `the program could not be started: ${end.spawnError}` };
  }
  if (end.lost !== undefined) {
    return { reason: 'lost', message: `the sandbox failed while this ran: ${end.lost}` };
  }
  if (stoppedFor === null && end.signal === 'SIGXFSZ') {
    return { reason: 'disk', message: 'a file of it reached the largest size that a file may have here' };
  }
  const outOfMemory = end.outOfMemory === true || (end.exitCode !== 0 && memorySigns.test(stderrTail));
  const reason = stoppedFor ?? (outOfMemory ? 'memory' : 'exited');
  switch (reason) {
    case 'timeout':
      return { reason, message: `the time limit of ${limits.wall_ms / 1000} s was reached` };
    case 'memory':
      return { reason, message: `the memory limit of ${limits.memory_mb} MB was reached` };
    case 'output_limit':
      return { reason, message: `the output limit of ${limits.output_bytes} bytes was reached` };
    case 'processes':
      return { reason, message: 'the limit on processes was reached' };
    case 'disk':
      return { reason, message: 'the disk is full: the workspace, or temporary files beside it' };
    case 'killed':
      return { reason, message: 'it was stopped' };
    case 'lost':
      return { reason, message: 'the sandbox was ended while this ran' };
    default:
      return { reason, message: null };
  }
}
