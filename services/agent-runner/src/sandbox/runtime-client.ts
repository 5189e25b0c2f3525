import { setTimeout as delay } from 'node:timers/promises';
import type { z } from 'zod';
import { type Loss, SandboxError, sandboxLost, sandboxUnavailable } from './errors.ts';
import { faultAnswer } from './runtime-answers.ts';
import {
  createTransport,
  ForgedAnswer,
  type RuntimeAddress,
  type RuntimeAnswer,
  type RuntimeCall,
} from './runtime-transport.ts';

export interface RuntimeClientOptions extends RuntimeAddress {
  /** For messages. */
  readonly session: string;
  /** Why the session is over, or null while it may live; asked when it cannot be reached. */
  whyGone(): Promise<Loss | null>;
}

/** A call as the session makes it. A streamed body is made anew for each attempt. */
export type ClientCall = Omit<RuntimeCall, 'body' | 'timeoutMs'> & {
  readonly body?: Buffer | (() => AsyncIterable<Uint8Array>);
  readonly timeoutMs?: number;
  /** False where the body cannot be sent a second time. */
  readonly repeatable?: boolean;
};

export interface RuntimeClient {
  /** The answer's JSON, parsed. @throws SandboxError */
  json<Schema extends z.ZodType>(call: ClientCall, schema: Schema): Promise<z.infer<Schema>>;
  /** The answer's bytes. @throws SandboxError */
  bytes(call: ClientCall): Promise<Buffer>;
  /** The answer as a stream; errors while reading are SandboxErrors too. */
  stream(call: ClientCall): AsyncIterable<Uint8Array>;
  /** The error of a session that is known to be lost, with what is known of why. `otherwise` says it where nobody knows. */
  lost(otherwise: string): Promise<SandboxError>;
  close(): void;
}

const attempts = 4;
const firstDelayMs = 50;
const defaultTimeoutMs = 15_000;
/** What ends a session may be heard of before it is known why. */
const reasonWithinMs = 5_000;
const reasonPollMs = 200;
/** Passing states of the runtime, worth another attempt. */
const busyStatuses = new Set([429, 503]);
/** Refusals that are about what was asked for, not about the sandbox. */
const userStatuses = new Set([400, 404, 409, 413, 422]);

/**
 * Calls one session's runtime. Everything the runtime offers may be repeated (ids, offsets and whole files make it
 * so), hence failed calls are, with growing pauses of random length.
 */
export function createRuntimeClient(options: RuntimeClientOptions): RuntimeClient {
  const transport = createTransport(options);

  const attempt = async <T>(call: ClientCall, read: (answer: RuntimeAnswer) => Promise<T>): Promise<T> => {
    const { body } = call;
    const answer = await transport.call({
      ...call,
      body: typeof body === 'function' ? body() : body,
      timeoutMs: call.timeoutMs ?? defaultTimeoutMs,
    });
    if (answer.status >= 400) throw await refusal(options, answer.status, await answer.bytes());
    return read(answer);
  };

  const send = async <T>(call: ClientCall, read: (answer: RuntimeAnswer) => Promise<T>): Promise<T> => {
    const most = call.repeatable === false ? 1 : attempts;
    for (let number = 1; ; number += 1) {
      try {
        return await attempt(call, read);
      } catch (error) {
        call.signal?.throwIfAborted();
        const failure = await classify(options, error);
        if (failure.fault !== 'infrastructure' || number >= most) throw failure;
      }
      await delay(firstDelayMs * 2 ** number * (0.5 + Math.random()), undefined, { signal: call.signal });
    }
  };

  return {
    json: (call, schema) =>
      send(call, async (answer) => {
        const parsed = schema.safeParse(JSON.parse((await answer.bytes()).toString('utf8')));
        if (parsed.success) return parsed.data;
        throw new SandboxError(
          'infrastructure',
          'answer_invalid',
          'the sandbox gave an answer of unknown shape',
        );
      }),
    bytes: (call) => send(call, (answer) => answer.bytes()),
    async *stream(call) {
      const source = await send(call, async (answer) => answer.stream());
      try {
        yield* source;
      } catch (error) {
        call.signal?.throwIfAborted();
        throw await classify(options, error);
      }
    },
    lost: (otherwise) => lossOf(options, otherwise),
    close: () => transport.close(),
  };
}

async function lossOf({ session, whyGone }: RuntimeClientOptions, otherwise: string): Promise<SandboxError> {
  const deadline = AbortSignal.timeout(reasonWithinMs);
  for (;;) {
    const loss = await whyGone();
    if (loss !== null) return sandboxLost(session, loss);
    if (deadline.aborted) return sandboxLost(session, { code: 'ended', why: otherwise });
    await delay(reasonPollMs);
  }
}

/** Tells a session that is gone from one that cannot be reached just now. */
async function classify({ session, whyGone }: RuntimeClientOptions, error: unknown): Promise<SandboxError> {
  if (error instanceof SandboxError) return error;
  if (error instanceof ForgedAnswer) {
    return sandboxLost(session, { code: 'ended', why: error.message }, { cause: error });
  }
  const loss = await whyGone();
  if (loss !== null) return sandboxLost(session, loss, { cause: error });
  return sandboxUnavailable(session, error instanceof Error ? error.message : String(error), {
    cause: error,
  });
}

async function refusal(options: RuntimeClientOptions, status: number, body: Buffer): Promise<SandboxError> {
  const parsed = faultAnswer.safeParse(JSON.parse(body.toString('utf8')));
  const { code, message } = parsed.success
    ? parsed.data.error
    : { code: 'answer_invalid', message: `the sandbox refused with status ${status}` };
  // A runtime that is told to close never opens again, so its session is as good as gone.
  if (code === 'closing') return lossOf(options, message);
  const fault = userStatuses.has(status) && code !== 'body_altered' ? 'user' : 'infrastructure';
  return new SandboxError(fault, busyStatuses.has(status) ? 'sandbox_busy' : code, message);
}
