import type { Socket } from 'node:net';
import { encodeLinkFrame, type FrameType, frameTypes, LinkBroken, maxDataBytes } from './link-frames.ts';

/** Sends frames on a connection that may go at any time. */
export interface LinkWriter {
  send(type: FrameType, channel: number, payload?: Uint8Array): void;
  sendJson(type: FrameType, channel: number, value: unknown): void;
}

/** A writer of frames; what is sent after the connection has gone is dropped, since its end is told elsewhere. */
export function createLinkWriter(socket: Socket): LinkWriter {
  const send = (type: FrameType, channel: number, payload: Uint8Array = new Uint8Array()) => {
    if (!socket.destroyed) socket.write(encodeLinkFrame(type, channel, payload));
  };
  return {
    send,
    sendJson: (type, channel, value) => send(type, channel, Buffer.from(JSON.stringify(value))),
  };
}

/** The sending half of a channel: no byte goes out for which the other side has given no credit. */
export interface CreditedSender {
  /** Resolves when all of it has been sent, each frame with `mark` before it. @throws LinkBroken once stopped */
  write(bytes: Uint8Array, mark?: Uint8Array): Promise<void>;
  /** Says that no more will come, behind what is still being sent. */
  end(): Promise<void>;
  grant(bytes: number): void;
  /** Wakes who waits for credit with an error. */
  stop(why: string): void;
}

/** Sends `data` frames on a channel within the credit given. */
export function createCreditedSender(
  writer: LinkWriter,
  channel: number,
  initialCredit: number,
): CreditedSender {
  let credit = initialCredit;
  let stopped: string | null = null;
  let waiting: (() => void)[] = [];
  let tail: Promise<void> = Promise.resolve();
  const wake = () => {
    const resume = waiting;
    waiting = [];
    for (const one of resume) one();
  };
  const sendAll = async (bytes: Uint8Array, mark: Uint8Array) => {
    for (let at = 0; at < bytes.length; ) {
      while (credit <= mark.length && stopped === null) {
        await new Promise<void>((resolve) => waiting.push(resolve));
      }
      if (stopped !== null) throw new LinkBroken(stopped);
      const length = Math.min(bytes.length - at, Math.min(maxDataBytes, credit) - mark.length);
      const piece = bytes.subarray(at, at + length);
      writer.send(frameTypes.data, channel, mark.length === 0 ? piece : Buffer.concat([mark, piece]));
      credit -= length + mark.length;
      at += length;
    }
  };
  return {
    write(bytes, mark = new Uint8Array()) {
      // One write after the other: two that wait for credit must not mix their bytes.
      const written = tail.then(() => sendAll(bytes, mark));
      tail = written.catch(() => undefined);
      return written;
    },
    end: () => tail.then(() => writer.send(frameTypes.end, channel)),
    grant(bytes) {
      credit += bytes;
      wake();
    },
    stop(why) {
      stopped ??= why;
      wake();
    },
  };
}

/** The number of a `credit` frame. @throws LinkBroken */
export function readCredit(payload: Buffer): number {
  if (payload.length !== 4) throw new LinkBroken('a credit that is no number');
  return payload.readUInt32BE(0);
}

/** A `credit` frame's payload. */
export function creditPayload(bytes: number): Buffer {
  const payload = Buffer.alloc(4);
  payload.writeUInt32BE(bytes, 0);
  return payload;
}
