import type { OutputHead, OutputStream } from './protocol.ts';

/**
 * The output log is a sequence of frames: stream (1 byte: 1 stdout, 2 stderr), length (4 bytes, big-endian), data.
 * An offset is a position in that log, always at the start of a frame. What a program prints is only ever data.
 */
export const frameHeadBytes = 5;
/** A frame always fits into one answer. */
export const maxFrameDataBytes = 64 * 1024;

const codes: Readonly<Record<OutputStream, number>> = { stdout: 1, stderr: 2 };

export function encodeFrame(stream: OutputStream, data: Uint8Array): Buffer {
  const frame = Buffer.allocUnsafe(frameHeadBytes + data.length);
  frame.writeUInt8(codes[stream], 0);
  frame.writeUInt32BE(data.length, 1);
  frame.set(data, frameHeadBytes);
  return frame;
}

/** How many bytes at the start of `bytes` are whole frames; null when they cannot be frames. */
export function wholeFrames(bytes: Buffer): number | null {
  let position = 0;
  while (position + frameHeadBytes <= bytes.length) {
    const code = bytes.readUInt8(position);
    const length = bytes.readUInt32BE(position + 1);
    if ((code !== codes.stdout && code !== codes.stderr) || length === 0 || length > maxFrameDataBytes)
      return null;
    if (position + frameHeadBytes + length > bytes.length) break;
    position += frameHeadBytes + length;
  }
  return position;
}

export interface OutputFrame {
  readonly stream: OutputStream;
  readonly data: Buffer;
  /** Offset behind this frame. */
  readonly nextOffset: number;
}

/** The frames of a slice that starts at `offset`. @throws RangeError when it does not consist of whole frames */
export function decodeFrames(bytes: Buffer, offset: number): OutputFrame[] {
  if (wholeFrames(bytes) !== bytes.length) throw new RangeError('not a sequence of whole output frames');
  const frames: OutputFrame[] = [];
  for (let position = 0; position < bytes.length; ) {
    const stream = bytes.readUInt8(position) === codes.stdout ? 'stdout' : 'stderr';
    const end = position + frameHeadBytes + bytes.readUInt32BE(position + 1);
    frames.push({ stream, data: bytes.subarray(position + frameHeadBytes, end), nextOffset: offset + end });
    position = end;
  }
  return frames;
}

/** An answer to a question for output: length of the head (4 bytes, big-endian), head as JSON, frames. */
export function encodeOutputAnswer(head: OutputHead, frames: Buffer): Buffer {
  const json = Buffer.from(JSON.stringify(head));
  const length = Buffer.alloc(4);
  length.writeUInt32BE(json.length);
  return Buffer.concat([length, json, frames]);
}

/** Takes such an answer apart; the head is not yet validated. @throws RangeError, SyntaxError */
export function decodeOutputAnswer(body: Buffer): { readonly head: unknown; readonly frames: Buffer } {
  const length = body.readUInt32BE(0);
  if (4 + length > body.length) throw new RangeError('the head is longer than the answer');
  return { head: JSON.parse(body.toString('utf8', 4, 4 + length)), frames: body.subarray(4 + length) };
}
