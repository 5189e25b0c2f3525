import { once } from 'node:events';
import { createServer, type IncomingMessage, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import { setTimeout as delay } from 'node:timers/promises';
import { z } from 'zod';
import { anthropicFormat } from './model-anthropic.ts';
import { embeddingsFormat } from './model-embeddings.ts';
import { imagesFormat } from './model-images.ts';
import { openaiFormat } from './model-openai.ts';
import {
  createScript,
  type ModelAnswer,
  type ModelConversation,
  type ModelRefusal,
  type ModelReply,
} from './model-script.ts';
import { historyProblem, type SentEvent, toolProblem, type WireFormat } from './model-wire.ts';

const requestBody = z.looseObject({
  model: z.string(),
  messages: z.array(z.looseObject({ role: z.string(), content: z.unknown().optional() })).default([]),
  /** Of a picture. */
  prompt: z.string().optional(),
  system: z.unknown().optional(),
  stream: z.boolean().default(false),
  stream_options: z.looseObject({ include_usage: z.boolean().optional() }).optional(),
  tools: z
    .array(
      z.looseObject({
        name: z.string().optional(),
        function: z.looseObject({ name: z.string(), parameters: z.unknown().optional() }).optional(),
        input_schema: z.unknown().optional(),
      }),
    )
    .default([]),
});

/** A request as it came, read as far as a test needs it. */
export interface ModelRequest {
  readonly api: WireFormat['api'];
  /** `Bearer …`, or the header `x-api-key`. */
  readonly authorization: string | undefined;
  readonly model: string;
  readonly stream: boolean;
  readonly messages: z.infer<typeof requestBody>['messages'];
  /** Names of the tools on offer. */
  readonly tools: readonly string[];
  /** The first message of the user. */
  readonly opening: string;
  /** How many answers of the model the request holds. */
  readonly turn: number;
  readonly body: z.infer<typeof requestBody>;
}

/** A server that speaks the formats of OpenAI, also for pictures and embeddings, and of Anthropic, and follows a script. */
export interface ModelServer {
  /** Base URL of both. */
  readonly url: string;
  readonly requests: ModelRequest[];
  /** Answers to come, in order; the last one repeats. For requests that no conversation fits. */
  script: ModelAnswer[];
  /** Answers by conversation and turn, for many runs at once and for runs that are interrupted. */
  conversations: ModelConversation[];
  /** Answers instead of what the script says, by number of the request; the first is 1. */
  readonly misbehaviour: Map<number, ModelAnswer>;
  /** False: requests are counted but not kept, for benchmarks. */
  keepRequests: boolean;
  readonly count: number;
  /** Forgets requests, misbehaviour and script. */
  reset(): void;
  stop(): Promise<void>;
}

const textOf = (content: unknown): string => {
  if (typeof content === 'string') return content;
  const parts = z.array(z.looseObject({ text: z.string().optional() })).safeParse(content);
  return parts.success ? parts.data.map(({ text = '' }) => text).join('') : '';
};

async function readRequest(request: IncomingMessage, api: ModelRequest['api']): Promise<ModelRequest> {
  const chunks: Uint8Array[] = [];
  for await (const chunk of request) chunks.push(chunk);
  const body = requestBody.parse(JSON.parse(Buffer.concat(chunks).toString('utf8')));
  const { authorization, 'x-api-key': key } = request.headers;
  return {
    ...{ api, body, model: body.model, stream: body.stream, messages: body.messages },
    authorization: authorization ?? (typeof key === 'string' ? key : undefined),
    tools: body.tools.map((tool) => tool.function?.name ?? tool.name ?? ''),
    opening: body.prompt ?? textOf(body.messages.find(({ role }) => role === 'user')?.content),
    turn: body.messages.filter(({ role }) => role === 'assistant').length,
  };
}

function refuse(response: ServerResponse, format: WireFormat, refusal: ModelRefusal): void {
  const { status, body, retryAfter } = refusal;
  response.writeHead(status, {
    'content-type': 'application/json',
    ...(retryAfter === undefined ? {} : { 'retry-after': String(retryAfter) }),
  });
  response.end(body ?? JSON.stringify(format.refused(refusal)));
}

function send(response: ServerResponse, { event, data }: SentEvent): void {
  const name = event === undefined ? '' : `event: ${event}\n`;
  response.write(`${name}data: ${typeof data === 'string' ? data : JSON.stringify(data)}\n\n`);
}

/** Sends a stream, as far as the reply lets it come. */
async function stream(
  response: ServerResponse,
  events: readonly SentEvent[],
  reply: ModelReply,
  format: WireFormat,
): Promise<void> {
  response.writeHead(200, { 'content-type': 'text/event-stream', 'cache-control': 'no-cache' });
  const { cutAfter, endAfter, hangAfter, failAfter } = reply;
  const limit = cutAfter ?? endAfter ?? hangAfter ?? failAfter ?? events.length;
  if (limit >= events.length) {
    // In one write: a benchmark measures the one who asks.
    response.cork();
    for (const event of events) send(response, event);
    response.uncork();
    response.end();
    return;
  }
  for (const event of events.slice(0, limit)) send(response, event);
  if (hangAfter !== undefined) return;
  if (failAfter !== undefined) send(response, format.brokenOff());
  if (cutAfter === undefined) {
    response.end();
    return;
  }
  // What was sent arrives before the connection breaks.
  await new Promise<void>((resolve) => response.write(':\n\n', () => resolve()));
  await delay(20);
  response.destroy();
}

async function respond(
  response: ServerResponse,
  format: WireFormat,
  { model, body }: ModelRequest,
  answer: ModelAnswer,
  number: number,
): Promise<void> {
  if (answer === 'hang') return;
  if ('status' in answer) {
    refuse(response, format, answer);
    return;
  }
  if ('malformed' in answer) {
    response.writeHead(200, { 'content-type': body.stream ? 'text/event-stream' : 'application/json' });
    response.end(body.stream ? `data: ${answer.malformed}\n\n` : answer.malformed);
    return;
  }
  if (answer.delayMs) await delay(answer.delayMs);
  if (body.stream) {
    const withUsage = body.stream_options?.include_usage === true;
    await stream(response, format.streamed(answer, number, model, withUsage), answer, format);
    return;
  }
  response.writeHead(200, { 'content-type': 'application/json' });
  response.end(JSON.stringify(format.whole(answer, number, model, body)));
}

const formats: readonly (readonly [path: string, format: WireFormat])[] = [
  ['/chat/completions', openaiFormat],
  ['/messages', anthropicFormat],
  ['/images/generations', imagesFormat],
  ['/embeddings', embeddingsFormat],
];

/** Starts the server on a free port. */
export async function startModelServer(): Promise<ModelServer> {
  const requests: ModelRequest[] = [];
  const misbehaviour = new Map<number, ModelAnswer>();
  let chosen = createScript();
  let count = 0;
  const next = (request: ModelRequest, number: number): ModelAnswer => {
    const told = misbehaviour.get(number) ?? chosen.answer(model.conversations, request);
    return told ?? (model.script.length > 1 ? model.script.shift() : model.script[0]) ?? { text: 'done' };
  };
  const handle = async (incoming: IncomingMessage, response: ServerResponse) => {
    const format = formats.find(([path]) => incoming.url?.endsWith(path))?.[1];
    if (incoming.method !== 'POST' || !format) {
      refuse(response, openaiFormat, {
        status: 404,
        message: `there is no ${incoming.method} ${incoming.url}`,
      });
      return;
    }
    const request = await readRequest(incoming, format.api);
    count += 1;
    const number = count;
    if (model.keepRequests) requests.push(request);
    const problem =
      historyProblem(format.api, request.messages) ??
      toolProblem(
        request.body.tools.map(({ name, function: of, input_schema }) => ({
          name: of?.name ?? name ?? '',
          schema: of?.parameters ?? input_schema,
        })),
      );
    if (problem !== null) return refuse(response, format, { status: 400, message: problem });
    await respond(response, format, request, next(request, number), number);
  };
  const server = createServer((incoming, response) => {
    handle(incoming, response).catch((error: unknown) => {
      if (response.headersSent) response.destroy();
      else refuse(response, openaiFormat, { status: 400, message: `the request cannot be read: ${error}` });
    });
  });
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  const model: ModelServer = {
    url: `http://127.0.0.1:${(server.address() as AddressInfo).port}/v1`,
    requests,
    script: [],
    conversations: [],
    misbehaviour,
    keepRequests: true,
    get count() {
      return count;
    },
    reset() {
      requests.length = 0;
      count = 0;
      misbehaviour.clear();
      chosen = createScript();
      model.script = [];
      model.conversations = [];
    },
    async stop() {
      server.closeAllConnections();
      server.close();
      await once(server, 'close');
    },
  };
  return model;
}
