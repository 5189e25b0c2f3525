import { once } from 'node:events';
import { createServer, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';

/** What the server says next: words, calls of tools, or something that goes wrong. */
export type Answer =
  | { readonly text: string }
  | { readonly calls: readonly { readonly name: string; readonly input: unknown }[]; readonly text?: string }
  | { readonly status: number; readonly body: string }
  /** Never answers. */
  | 'hang';

export interface ModelRequest {
  readonly authorization: string | undefined;
  readonly model: string;
  readonly messages: readonly {
    readonly role: string;
    readonly content: unknown;
    readonly tool_call_id?: string;
  }[];
  readonly tools?: readonly { readonly function: { readonly name: string } }[];
}

/** A server that speaks OpenAI's chat completions format and follows a script. */
export interface ModelServer {
  readonly url: string;
  readonly requests: ModelRequest[];
  /** Answers to come, in order; the last one repeats. */
  script: Answer[];
  stop(): Promise<void>;
}

/** Of every answer. */
const usage = { prompt_tokens: 1_000, completion_tokens: 100, total_tokens: 1_100 };

function respond(response: ServerResponse, answer: Exclude<Answer, 'hang'>, number: number): void {
  if ('status' in answer) {
    response.writeHead(answer.status, { 'content-type': 'application/json' }).end(answer.body);
    return;
  }
  const calls = 'calls' in answer ? answer.calls : [];
  const message = {
    role: 'assistant',
    content: answer.text ?? null,
    ...(calls.length === 0
      ? {}
      : {
          tool_calls: calls.map((call, place) => ({
            id: `call_${number}_${place}`,
            type: 'function',
            function: {
              name: call.name,
              arguments: typeof call.input === 'string' ? call.input : JSON.stringify(call.input),
            },
          })),
        }),
  };
  const body = {
    id: `chatcmpl-${number}`,
    object: 'chat.completion',
    created: 1_700_000_000,
    model: 'scripted',
    choices: [{ index: 0, message, finish_reason: calls.length > 0 ? 'tool_calls' : 'stop' }],
    usage,
  };
  response.writeHead(200, { 'content-type': 'application/json' }).end(JSON.stringify(body));
}

/** Starts the server on a free port. */
export async function startModelServer(): Promise<ModelServer> {
  const requests: ModelRequest[] = [];
  const server = createServer((request, response) => {
    let text = '';
    request.setEncoding('utf8').on('data', (chunk: string) => {
      text += chunk;
    });
    request.on('end', () => {
      requests.push({
        authorization: request.headers.authorization,
        ...(JSON.parse(text) as Omit<ModelRequest, 'authorization'>),
      });
      const answer = (model.script.length > 1 ? model.script.shift() : model.script[0]) ?? { text: 'done' };
      if (answer !== 'hang') respond(response, answer, requests.length);
    });
  });
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  const model: ModelServer = {
    url: `http://127.0.0.1:${(server.address() as AddressInfo).port}/v1`,
    requests,
    script: [],
    async stop() {
      server.closeAllConnections();
      server.close();
      await once(server, 'close');
    },
  };
  return model;
}
