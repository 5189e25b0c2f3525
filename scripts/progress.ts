import { performance } from 'node:perf_hooks';

/** Prints a line with the seconds since `startProgress`. */
export type Progress = (line: string) => void;

/** Lines on standard output, each led by the elapsed seconds. */
export function startProgress(): Progress {
  for (const stream of [process.stdout, process.stderr]) stream.on('error', ignoreClosedPipe);
  const start = performance.now();
  return (line) => {
    const seconds = ((performance.now() - start) / 1000).toFixed(1).padStart(6);
    for (const part of line.split('\n')) process.stdout.write(`${seconds} s  ${part}\n`);
  };
}

/** The words of a failure for a terminal: what we throw explains itself, a stack trace does not. */
export function wordsOf(error: unknown): string {
  return error instanceof Error ? error.message : String(error);
}

// Whoever read us is gone (`npm start | head`, or a Ctrl-C that ended `tee` first). What we run is not to suffer.
function ignoreClosedPipe(error: NodeJS.ErrnoException): void {
  if (error.code !== 'EPIPE') throw error;
}
