import { createHmac } from 'node:crypto';
import { ByteReader } from './byte-reader.ts';
import { macMatches } from './signing.ts';

const maxFrameBytes = 256 * 1024;
const macBytes = 32;

/**
 * Bodies too large to hash before they are sent travel as frames: length (4 bytes, big-endian), payload, MAC over
 * nonce, frame number, length and payload. A frame of length 0 ends the stream, so a cut is never taken for an end.
 */
export async function* sealStream(
  source: AsyncIterable<Uint8Array>,
  key: Buffer,
  nonce: string,
): AsyncGenerator<Buffer> {
  let number = 0;
  for await (const chunk of source) {
    for (let start = 0; start < chunk.length; start += maxFrameBytes) {
      yield sealFrame(key, nonce, number, chunk.subarray(start, start + maxFrameBytes));
      number += 1;
    }
  }
  yield sealFrame(key, nonce, number, new Uint8Array(0));
}

/** Thrown when a sealed stream was changed, cut or continued. */
export class SealBroken extends Error {
  constructor(message: string) {
    super(message);
    this.name = 'SealBroken';
  }
}

/**
 * The payload of a sealed stream; each piece was verified before it is handed on.
 * @throws SealBroken
 */
export async function* unsealStream(
  source: AsyncIterable<Uint8Array>,
  key: Buffer,
  nonce: string,
): AsyncGenerator<Buffer> {
  const reader = new ByteReader(source);
  for (let number = 0; ; number += 1) {
    const head = await reader.read(4);
    if (head.length < 4) throw new SealBroken('the stream was cut');
    const length = head.readUInt32BE();
    if (length > maxFrameBytes) throw new SealBroken('a frame is too long');
    const rest = await reader.read(length + macBytes);
    if (rest.length < length + macBytes) throw new SealBroken('the stream was cut');
    const payload = rest.subarray(0, length);
    const expected = frameMac(key, nonce, number, head, payload).toString('hex');
    if (!macMatches(rest.subarray(length).toString('hex'), expected)) {
      throw new SealBroken('a frame is not authentic');
    }
    if (length === 0) {
      if ((await reader.read(1)).length > 0) throw new SealBroken('the stream goes on after its end');
      return;
    }
    yield payload;
  }
}

function sealFrame(key: Buffer, nonce: string, number: number, payload: Uint8Array): Buffer {
  const head = Buffer.alloc(4);
  head.writeUInt32BE(payload.length);
  return Buffer.concat([head, payload, frameMac(key, nonce, number, head, payload)]);
}

function frameMac(key: Buffer, nonce: string, number: number, head: Buffer, payload: Uint8Array): Buffer {
  return createHmac('sha256', key).update(`${nonce}\n${number}\n`).update(head).update(payload).digest();
}
