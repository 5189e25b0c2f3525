import type { Socket } from 'node:net';
import { type ByteQueue, createByteQueue } from './byte-queue.ts';
import { errnoOf, RuntimeFault } from './faults.ts';
import {
  frameTypes,
  LinkBroken,
  type LinkFrame,
  LinkFrameReader,
  maxDataBytes,
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

/** One request to the code side. */
export interface CodeChannel {
  /** The final answer. Rejects with the code side's RuntimeFault, or LinkBroken. */
  readonly answer: Promise<unknown>;
  /** Bytes of the answer, in order; they must be read for more to come. */
  readonly incoming: ByteQueue;
  send(message: unknown): void;
  write(bytes: Uint8Array): Promise<void>;
  end(): Promise<void>;
  /** The answer is not wanted any more; what still comes of it is dropped. */
  cancel(): void;
}

/** The runtime's end of the connection to the code container. */
export interface CodeLink {
  /** Sends a request. `onMessage` takes what the code side says meanwhile, and throws LinkBroken at what it may not. */
  open(request: unknown, onMessage?: (message: unknown) => void): CodeChannel;
  /** Gives the connection up: everything open rejects, and `broken` resolves. */
  break(why: string): void;
  /** Resolves with the reason when the connection has ended, for whatever reason. */
  readonly broken: Promise<string>;
  /** The reason once it has ended. */
  brokenFor(): string | null;
}

interface OpenChannel {
  readonly sender: CreditedSender;
  readonly incoming: ByteQueue;
  /** Bytes that the code side may still send. */
  window: number;
  ended: boolean;
  dropped: boolean;
  onMessage(message: unknown): void;
  resolve(answer: unknown): void;
  reject(error: unknown): void;
}

const maxChannels = 4_096;
const faultCodePattern = /^[a-z_]{1,64}$/;

/**
 * Speaks with the code container. Its end runs beside users' programs, so a frame that breaks the protocol in any way
 * (size, type, channel, credit, shape) ends the connection, and nothing it says is held without bound.
 */
export function createCodeLink(socket: Socket): CodeLink {
  const channels = new Map<number, OpenChannel>();
  const writer = createLinkWriter(socket);
  const reader = new LinkFrameReader(maxDataBytes);
  const { promise: broken, resolve: tellBroken } = Promise.withResolvers<string>();
  let reason: string | null = null;
  let lastChannel = 0;

  const breakOff = (why: string) => {
    if (reason !== null) return;
    reason = why;
    socket.destroy();
    for (const channel of channels.values()) {
      channel.sender.stop(why);
      channel.incoming.fail(new LinkBroken(why));
      channel.reject(new LinkBroken(why));
    }
    channels.clear();
    tellBroken(why);
  };

  socket.on('data', (bytes: Buffer) => {
    try {
      for (const frame of reader.push(bytes)) take(channels, frame);
    } catch (error) {
      if (!(error instanceof LinkBroken)) throw error;
      breakOff(`the code container broke the protocol: ${error.message}`);
    }
  });
  // `close` follows and says the same of every failure: whoever was there is gone.
  socket.on('error', (error) => process.stderr.write(`code container: ${errnoOf(error) ?? error.message}\n`));
  socket.on('close', () => breakOff('the code container has ended'));

  return {
    open(request, onMessage = refuseMessage) {
      lastChannel += 1;
      return openChannel({ channels, writer, number: lastChannel, reason }, request, onMessage);
    },
    break: breakOff,
    broken,
    brokenFor: () => reason,
  };
}

interface Opening {
  readonly channels: Map<number, OpenChannel>;
  readonly writer: LinkWriter;
  readonly number: number;
  readonly reason: string | null;
}

function openChannel(
  { channels, writer, number, reason }: Opening,
  request: unknown,
  onMessage: (message: unknown) => void,
): CodeChannel {
  if (channels.size >= maxChannels) throw new RuntimeFault(429, 'busy', 'too many requests at once');
  const { promise: answer, resolve, reject } = Promise.withResolvers<unknown>();
  // Who only reads the bytes learns of a failure from them.
  answer.catch(() => undefined);
  const sender = createCreditedSender(writer, number, windowBytes);
  const take = (bytes: number) => {
    const channel = channels.get(number);
    if (!channel) return;
    channel.window += bytes;
    writer.send(frameTypes.credit, number, creditPayload(bytes));
  };
  const cancel = () => {
    const channel = channels.get(number);
    if (!channel || channel.dropped) return;
    channel.dropped = true;
    writer.send(frameTypes.cancel, number);
  };
  const incoming = createByteQueue(take, cancel);
  if (reason === null) {
    const state = { window: windowBytes, ended: false, dropped: false };
    channels.set(number, { ...state, sender, incoming, onMessage, resolve, reject });
    writer.sendJson(frameTypes.open, number, request);
  } else {
    sender.stop(reason);
    incoming.fail(new LinkBroken(reason));
    reject(new LinkBroken(reason));
  }
  return {
    answer,
    incoming,
    send: (message) => writer.sendJson(frameTypes.message, number, message),
    write: (bytes) => sender.write(bytes),
    end: () => sender.end(),
    cancel,
  };
}

function take(channels: Map<number, OpenChannel>, frame: LinkFrame): void {
  const channel = channels.get(frame.channel);
  if (!channel) throw new LinkBroken('a frame for a channel that is not open');
  switch (frame.type) {
    case frameTypes.data:
      takeData(channel, frame.payload);
      break;
    case frameTypes.end:
      if (channel.ended) throw new LinkBroken('an end after the end');
      channel.ended = true;
      channel.incoming.end();
      break;
    case frameTypes.credit:
      channel.sender.grant(readCredit(frame.payload));
      break;
    case frameTypes.message:
      channel.onMessage(parseJson(frame.payload));
      break;
    case frameTypes.done:
    case frameTypes.fault:
      finish(channel, frame);
      channels.delete(frame.channel);
      break;
    default:
      throw new LinkBroken('a frame that only the runtime sends');
  }
}

function takeData(channel: OpenChannel, payload: Buffer): void {
  if (channel.ended) throw new LinkBroken('bytes after the end');
  if (payload.length === 0) throw new LinkBroken('no bytes');
  channel.window -= payload.length;
  if (channel.window < 0) throw new LinkBroken('more bytes than there was credit for');
  if (!channel.dropped) channel.incoming.push(payload);
}

function finish(channel: OpenChannel, { type, payload }: LinkFrame): void {
  const value = parseJson(payload);
  const fault = type === frameTypes.fault ? readFault(value) : null;
  channel.sender.stop('the request is over');
  if (fault) {
    channel.incoming.fail(fault);
    channel.reject(fault);
    return;
  }
  channel.incoming.end();
  channel.resolve(value);
}

function readFault(value: unknown): RuntimeFault {
  const { status, code, message } = fieldsOf(value);
  const known =
    Number.isInteger(status) &&
    Number(status) >= 400 &&
    Number(status) <= 599 &&
    typeof code === 'string' &&
    faultCodePattern.test(code) &&
    typeof message === 'string' &&
    message.length <= 2_000;
  if (!known) throw new LinkBroken('a refusal of unknown shape');
  return new RuntimeFault(Number(status), code, message);
}

/** The fields of an object that came over the link. @throws LinkBroken */
export function fieldsOf(value: unknown): Readonly<Record<string, unknown>> {
  if (typeof value === 'object' && value !== null && !Array.isArray(value)) {
    return value as Readonly<Record<string, unknown>>;
  }
  throw new LinkBroken('a message of unknown shape');
}

function parseJson(payload: Buffer): unknown {
  try {
    return JSON.parse(payload.toString('utf8'));
  } catch {
    throw new LinkBroken('a message that is no JSON');
  }
}

function refuseMessage(): never {
  throw new LinkBroken('a message that was not asked for');
}
