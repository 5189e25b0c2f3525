import {
  headers,
  type Msg,
  type NatsConnection,
  NoRespondersError,
  RequestError,
  TimeoutError,
} from '@nats-io/nats-core';
import { identifierOf } from '@swissbrain/shared-schema/ids';
import { type RpcDefinition, rpcSubject } from '@swissbrain/shared-schema/rpc/definition';
import { z } from 'zod';
import type { Clock } from './clock.ts';
import { mapDatabaseError } from './database-errors.ts';
import { AppError, describeError, kitErrors } from './errors.ts';
import type { Logger } from './logger.ts';
import { currentTraceparent, inSpan } from './trace-context.ts';

/** What a handler is told about the call. */
export interface RpcContext {
  /** After this nobody waits for the answer any more. */
  readonly deadline: Date;
  readonly idempotencyKey: string | null;
}

/** Questions between services that need an answer now, over NATS request/reply. */
export interface Rpc {
  /**
   * Answers a method of this service. Replicas share the calls. An `AppError` travels to the caller as it is,
   * anything else as `internal` without details.
   */
  serve<Q extends z.ZodType, S extends z.ZodType>(
    definition: RpcDefinition<Q, S>,
    handler: (request: z.infer<Q>, context: RpcContext) => Promise<z.input<S>>,
  ): void;
  /**
   * Asks another service and waits at most `definition.timeoutMs`.
   * @throws AppError the callee's own; `rpc_unavailable` when nobody serves the method; `rpc_timeout`
   */
  call<Q extends z.ZodType, S extends z.ZodType>(
    definition: RpcDefinition<Q, S>,
    request: z.input<Q>,
    options?: { readonly idempotencyKey?: string },
  ): Promise<z.infer<S>>;
  /**
   * Whether anybody serves a method now; the handler is not called.
   * @throws AppError rpc_timeout, rpc_unavailable when it cannot be told
   */
  isServed(definition: RpcDefinition): Promise<boolean>;
}

/** An answer goes nowhere else: with this service's rights it could pass for an event. */
const inboxes = '_INBOX';

/** Set on answers that are problems. */
const problemHeader = 'sb-problem';
const timeoutHeader = 'sb-timeout-ms';
const keyHeader = 'idempotency-key';
/** Set on questions that only ask whether anybody is there. */
const probeHeader = 'sb-probe';
const probeTimeoutMs = 2_000;

const problemSchema = z.object({
  code: z.string(),
  status: z.number().int(),
  title: z.string(),
  detail: z.string(),
  retry: z.enum(['never', 'later']),
  extensions: z.record(z.string(), z.unknown()),
});

/** Rpc on a connection; `close` stops serving and waits for the answers under way. */
export function createRpc(nats: NatsConnection, log: Logger, clock: Clock): Rpc & { close(): Promise<void> } {
  const subscriptions: { unsubscribe(): void }[] = [];
  const running = new Set<Promise<void>>();
  return {
    serve(definition, handler) {
      const subscription = nats.subscribe(rpcSubject(definition), {
        queue: identifierOf(definition.service),
        callback: (error, message) => {
          if (error) {
            log.error({ err: error, method: definition.method }, 'rpc subscription failed');
            return;
          }
          if (!message.reply?.startsWith(inboxes)) {
            log.warn({ method: definition.method, reply: message.reply }, 'rpc asks to answer to no inbox');
            return;
          }
          if (message.headers?.has(probeHeader)) {
            message.respond();
            return;
          }
          const answering = answer(definition, handler, message, { log, clock }).finally(() =>
            running.delete(answering),
          );
          running.add(answering);
        },
      });
      subscriptions.push(subscription);
    },
    call: (definition, request, options = {}) =>
      inSpan(rpcSubject(definition), 'client', undefined, {}, () =>
        ask(nats, definition, request, options.idempotencyKey),
      ),
    isServed: (definition) => probe(nats, rpcSubject(definition)),
    async close() {
      for (const subscription of subscriptions) subscription.unsubscribe();
      await Promise.all(running);
    },
  };
}

async function answer<Q extends z.ZodType, S extends z.ZodType>(
  definition: RpcDefinition<Q, S>,
  handler: (request: z.infer<Q>, context: RpcContext) => Promise<z.input<S>>,
  message: Msg,
  { log, clock }: { log: Logger; clock: Clock },
): Promise<void> {
  const given = Number(message.headers?.get(timeoutHeader));
  const timeoutMs = given > 0 ? Math.min(given, definition.timeoutMs) : definition.timeoutMs;
  const context = {
    deadline: new Date(clock.now().getTime() + timeoutMs),
    idempotencyKey: message.headers?.get(keyHeader) || null,
  };
  const traceparent = message.headers?.get('traceparent') ?? null;
  try {
    const response = await inSpan(message.subject, 'server', traceparent, {}, async () =>
      definition.response.parse(await handler(readRequest(definition, message), context)),
    );
    message.respond(JSON.stringify(response));
  } catch (thrown) {
    const mapped = mapDatabaseError(thrown);
    const error = mapped instanceof AppError ? mapped : kitErrors.internal('the service failed to answer');
    if (error.status >= 500) log.error({ err: thrown, method: definition.method }, 'rpc failed');
    respondWithProblem(message, error, log);
  }
}

function readRequest<Q extends z.ZodType>(definition: RpcDefinition<Q>, message: Msg): z.infer<Q> {
  let json: unknown;
  try {
    json = JSON.parse(message.string());
  } catch {
    throw kitErrors.invalid_request('the rpc request is not JSON');
  }
  const request = definition.request.safeParse(json);
  if (!request.success) throw kitErrors.invalid_request(z.prettifyError(request.error));
  return request.data;
}

function respondWithProblem(message: Msg, error: AppError, log: Logger): void {
  const { code, status, title, detail, retry, extensions } = error;
  const problem = headers();
  problem.set(problemHeader, code);
  try {
    message.respond(JSON.stringify({ code, status, title, detail, retry, extensions }), { headers: problem });
  } catch (thrown) {
    log.error({ err: thrown, code }, 'rpc problem could not be sent');
  }
}

async function ask<Q extends z.ZodType, S extends z.ZodType>(
  nats: NatsConnection,
  definition: RpcDefinition<Q, S>,
  request: z.input<Q>,
  idempotencyKey: string | undefined,
): Promise<z.infer<S>> {
  const subject = rpcSubject(definition);
  const meta = headers();
  meta.set(timeoutHeader, String(definition.timeoutMs));
  const traceparent = currentTraceparent();
  if (traceparent) meta.set('traceparent', traceparent);
  if (idempotencyKey) meta.set(keyHeader, idempotencyKey);
  const body = JSON.stringify(definition.request.parse(request));
  const reply = await nats
    .request(subject, body, { timeout: definition.timeoutMs, headers: meta })
    .catch((thrown: unknown) => refuse(subject, thrown));
  if (reply.headers?.has(problemHeader)) throw new AppError(problemSchema.parse(reply.json()));
  return definition.response.parse(reply.json());
}

async function probe(nats: NatsConnection, subject: string): Promise<boolean> {
  const meta = headers();
  meta.set(probeHeader, '1');
  try {
    await nats.request(subject, undefined, { timeout: probeTimeoutMs, headers: meta });
    return true;
  } catch (thrown) {
    return isUnserved(thrown) ? false : refuse(subject, thrown);
  }
}

const isUnserved = (thrown: unknown) =>
  thrown instanceof NoRespondersError || (thrown instanceof RequestError && thrown.isNoResponders());

function refuse(subject: string, thrown: unknown): never {
  if (thrown instanceof TimeoutError) throw kitErrors.rpc_timeout(`${subject} did not answer in time`);
  if (isUnserved(thrown)) {
    throw kitErrors.rpc_unavailable(`nobody serves ${subject}`);
  }
  throw kitErrors.rpc_unavailable(`${subject} cannot be asked: ${describeError(thrown)}`);
}
