import type { Socket } from 'node:net';
import { type ByteQueue, createByteQueue } from './byte-queue.ts';
import { RuntimeFault } from './faults.ts';
import {
  frameTypes,
  LinkBroken,
  type LinkFrame,
  LinkFrameReader,
  maxFrameFromRuntime,
  windowBytes,
} from './link-frames.ts';
import {
  type CreditedSender,
  createCreditedSender,
  createLinkWriter,
  creditPayload,
  type LinkWriter,
  readCredit,
} from './link-writer.ts';

/** One request of the runtime, as the code side sees it. */
export interface ServedRequest {
  readonly request: unknown;
  /** Bytes of the request. */
  readonly incoming: ByteQueue;
  /** Sends bytes of the answer, as far as there is credit. */
  write(bytes: Uint8Array, mark?: Uint8Array): Promise<void>;
  /** No more bytes; the answer itself still follows. */
  end(): Promise<void>;
  send(message: unknown): void;
  onMessage(take: (message: unknown) => void): void;
}

interface Served {
  readonly sender: CreditedSender;
  readonly incoming: ByteQueue;
  take(message: unknown): void;
  /** Nothing may be sent on the channel any more. */
  closed: boolean;
}

/**
 * The code container's end of the connection: hands each request to `serve` and sends what it resolves with, or its
 * RuntimeFault. Resolves when the connection has ended.
 */
export function serveLink(
  socket: Socket,
  serve: (request: ServedRequest) => Promise<unknown>,
): Promise<void> {
  const writer = createLinkWriter(socket);
  const reader = new LinkFrameReader(maxFrameFromRuntime);
  const open = new Map<number, Served>();

  const answer = async (channel: number, request: ServedRequest) => {
    let result: unknown;
    let fault: RuntimeFault | null = null;
    try {
      result = await serve(request);
    } catch (error) {
      fault = faultOf(error);
    }
    const served = open.get(channel);
    if (served) served.closed = true;
    open.delete(channel);
    served?.sender.stop('the request is over');
    if (fault === null) writer.sendJson(frameTypes.done, channel, result ?? null);
    else writer.sendJson(frameTypes.fault, channel, wireFault(fault));
  };

  socket.on('data', (bytes: Buffer) => {
    for (const frame of reader.push(bytes)) {
      if (frame.type === frameTypes.open) {
        const { served, request } = openServed(writer, frame);
        open.set(frame.channel, served);
        answer(frame.channel, request).catch((error: unknown) => socket.destroy(asError(error)));
      } else takeFrame(open.get(frame.channel), frame);
    }
  });
  return new Promise((resolve) => {
    socket.on('error', () => undefined);
    socket.once('close', () => {
      for (const served of open.values()) {
        served.sender.stop('the runtime has ended');
        served.incoming.fail(new LinkBroken('the runtime has ended'));
      }
      resolve();
    });
  });
}

function openServed(writer: LinkWriter, { channel, payload }: LinkFrame) {
  const sender = createCreditedSender(writer, channel, windowBytes);
  const grant = (bytes: number) => {
    if (!served.closed) writer.send(frameTypes.credit, channel, creditPayload(bytes));
  };
  const incoming = createByteQueue(grant, () => undefined);
  const early: unknown[] = [];
  const served: Served = {
    ...{ sender, incoming, closed: false },
    take: (message) => void early.push(message),
  };
  const request: ServedRequest = {
    request: JSON.parse(payload.toString('utf8')),
    incoming,
    write: (bytes, mark) => sender.write(bytes, mark),
    end: () => sender.end(),
    send(message) {
      if (!served.closed) writer.sendJson(frameTypes.message, channel, message);
    },
    onMessage(take) {
      served.take = take;
      for (const message of early.splice(0)) take(message);
    },
  };
  return { served, request };
}

/** Frames for a request that is over are late, not wrong: the runtime sent them before it knew. */
function takeFrame(served: Served | undefined, { type, payload }: LinkFrame): void {
  if (!served) return;
  if (type === frameTypes.data) served.incoming.push(payload);
  else if (type === frameTypes.end) served.incoming.end();
  else if (type === frameTypes.credit) served.sender.grant(readCredit(payload));
  else if (type === frameTypes.message) served.take(JSON.parse(payload.toString('utf8')));
  else if (type === frameTypes.cancel) {
    served.sender.stop('not wanted any more');
    served.incoming.fail(new LinkBroken('not wanted any more'));
  }
}

function wireFault({ status, code, message }: RuntimeFault) {
  return { status, code, message: message.slice(0, 1_000) };
}

function faultOf(error: unknown): RuntimeFault {
  if (error instanceof RuntimeFault) return error;
  if (!(error instanceof LinkBroken)) process.stderr.write(`a request failed: ${asError(error).stack}\n`);
  return new RuntimeFault(500, 'internal', 'the sandbox failed at this request');
}

function asError(error: unknown): Error {
  return error instanceof Error ? error : new Error(String(error));
}
