import { closeSync, fstatSync, openSync, readSync, writeSync } from 'node:fs';
import { RuntimeFault } from './faults.ts';
import { encodeFrame, frameHeadBytes, maxFrameDataBytes, wholeFrames } from './output-frames.ts';
import { maxOutputSliceBytes, type OutputStream } from './protocol.ts';

export interface OutputLog {
  size(): number;
  append(stream: OutputStream, data: Buffer): void;
  /** Whole frames from `offset` on, at most 256 KiB. @throws RuntimeFault 416 when no frame starts there */
  read(offset: number): Buffer;
  /** Resolves when the log has grown past `offset`, was ended, or the signal fired. */
  grown(offset: number, signal: AbortSignal): Promise<void>;
  /** No more will be written. */
  end(): void;
}

/**
 * Output on disk, so that it outlives a reader and takes no memory. Writes are synchronous: they keep stdout and
 * stderr in the order they came, and the output limit bounds how many there are.
 */
export function openOutputLog(file: string, options: { readonly writable: boolean }): OutputLog {
  let descriptor: number | null = options.writable ? openSync(file, 'ax+', 0o600) : null;
  let size = options.writable ? 0 : sizeOf(file);
  const waiting = new Set<() => void>();
  const wake = () => {
    for (const resume of waiting) resume();
    waiting.clear();
  };

  return {
    size: () => size,
    append(stream, data) {
      if (descriptor === null) throw new Error('the output log has ended');
      for (let start = 0; start < data.length; start += maxFrameDataBytes) {
        const frame = encodeFrame(stream, data.subarray(start, start + maxFrameDataBytes));
        writeWhole(descriptor, frame);
        size += frame.length;
      }
      wake();
    },
    read(offset) {
      if (offset > size) throw misplaced();
      if (offset === size) return Buffer.alloc(0);
      const reading = openSync(file, 'r');
      try {
        return readFrames(reading, offset, size);
      } finally {
        closeSync(reading);
      }
    },
    async grown(offset, signal) {
      if (offset < size || descriptor === null || signal.aborted) return;
      const { promise, resolve } = Promise.withResolvers<void>();
      waiting.add(resolve);
      signal.addEventListener('abort', () => resolve(), { once: true });
      await promise;
      waiting.delete(resolve);
    },
    end() {
      if (descriptor !== null) closeSync(descriptor);
      descriptor = null;
      wake();
    },
  };
}

function readFrames(descriptor: number, offset: number, size: number): Buffer {
  const bytes = Buffer.alloc(Math.min(size - offset, maxOutputSliceBytes));
  const got = readSync(descriptor, bytes, 0, bytes.length, offset);
  const whole = wholeFrames(bytes.subarray(0, got));
  if (whole === null || whole === 0) throw misplaced();
  return bytes.subarray(0, whole);
}

function misplaced(): RuntimeFault {
  return new RuntimeFault(416, 'offset_invalid', 'no output frame starts at this offset');
}

function writeWhole(descriptor: number, bytes: Buffer): void {
  for (let done = 0; done < bytes.length; ) done += writeSync(descriptor, bytes, done);
}

/** A log that was cut by a crash ends behind its last whole frame. */
function sizeOf(file: string): number {
  const descriptor = openSync(file, 'r');
  try {
    const { size } = fstatSync(descriptor);
    let position = 0;
    while (position + frameHeadBytes <= size) {
      const frames = wholeFrames(readChunk(descriptor, position, size));
      if (frames === null || frames === 0) break;
      position += frames;
    }
    return position;
  } finally {
    closeSync(descriptor);
  }
}

function readChunk(descriptor: number, position: number, size: number): Buffer {
  const bytes = Buffer.alloc(Math.min(size - position, maxOutputSliceBytes));
  return bytes.subarray(0, readSync(descriptor, bytes, 0, bytes.length, position));
}
