import type { OutputLog } from './output-log.ts';
import type { ExecutionLimits, OutputStream } from './protocol.ts';

const tailBytes = 8 * 1024;

export interface OutputTotals {
  readonly stdoutBytes: number;
  readonly stderrBytes: number;
  readonly stdoutTruncated: boolean;
  readonly stderrTruncated: boolean;
}

/** Takes output into a log up to the limit per stream and counts all of it, kept or not. */
export interface OutputCapture {
  take(stream: OutputStream, data: Buffer): void;
  totals(): OutputTotals;
  /** The last of what came on stderr, kept or not. */
  stderrTail(): string;
}

/** `onLimit` is told when output is dropped: beyond the limit, or because the disk takes no more. */
export function captureOutput(
  log: OutputLog,
  limits: ExecutionLimits,
  onLimit: (limit: 'output_limit' | 'disk') => void,
): OutputCapture {
  const seen = { stdout: 0, stderr: 0 };
  let tail = Buffer.alloc(0);
  let writable = true;

  const append = (stream: OutputStream, data: Buffer) => {
    try {
      if (writable) log.append(stream, data);
    } catch (error) {
      // A frame may have been written in part; nothing may follow it.
      writable = false;
      process.stderr.write(`output cannot be stored: ${String(error)}\n`);
      onLimit('disk');
    }
  };

  return {
    take(stream, data) {
      const room = limits.output_bytes - seen[stream];
      seen[stream] += data.length;
      if (stream === 'stderr') tail = Buffer.concat([tail, data.subarray(-tailBytes)]).subarray(-tailBytes);
      if (room > 0) append(stream, data.subarray(0, room));
      if (data.length > room) onLimit('output_limit');
    },
    totals: () => ({
      stdoutBytes: seen.stdout,
      stderrBytes: seen.stderr,
      stdoutTruncated: seen.stdout > limits.output_bytes || !writable,
      stderrTruncated: seen.stderr > limits.output_bytes || !writable,
    }),
    stderrTail: () => tail.toString('latin1'),
  };
}
