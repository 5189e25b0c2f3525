import type { ModelRefusal, ModelReply } from './model-script.ts';
import { argumentsOf, piecesOf, type SentEvent, type WireFormat } from './model-wire.ts';

/** OpenAI's chat completions: https://platform.openai.com/docs/api-reference/chat */
const created = 1_700_000_000;

function usageOf({ tokens = {} }: ModelReply) {
  const { fresh = 1_000, cacheRead = 0, cacheWrite = 0, output = 100 } = tokens;
  const prompt = fresh + cacheRead + cacheWrite;
  return {
    prompt_tokens: prompt,
    completion_tokens: output,
    total_tokens: prompt + output,
    ...(cacheRead > 0 ? { prompt_tokens_details: { cached_tokens: cacheRead } } : {}),
  };
}

const finishOf = ({ finish, calls = [] }: ModelReply) => finish ?? (calls.length > 0 ? 'tool_calls' : 'stop');

const callId = (number: number, place: number, id: string | undefined) => id ?? `call_${number}_${place}`;

function whole(reply: ModelReply, number: number, model: string): unknown {
  const { calls = [], text = null, reasoning } = reply;
  const message = {
    role: 'assistant',
    content: text,
    ...(reasoning === undefined ? {} : { reasoning_content: reasoning }),
    ...(calls.length === 0
      ? {}
      : {
          tool_calls: calls.map((call, place) => ({
            id: callId(number, place, call.id),
            type: 'function',
            function: { name: call.name, arguments: argumentsOf(call.input) },
          })),
        }),
  };
  return {
    ...{ id: `chatcmpl-${number}`, object: 'chat.completion', created, model },
    choices: [{ index: 0, message, finish_reason: finishOf(reply) }],
    usage: usageOf(reply),
  };
}

function streamed(reply: ModelReply, number: number, model: string, withUsage: boolean): SentEvent[] {
  const base = { id: `chatcmpl-${number}`, object: 'chat.completion.chunk', created, model };
  const delta = (content: unknown, finish: string | null = null): SentEvent => ({
    data: { ...base, choices: [{ index: 0, delta: content, finish_reason: finish }] },
  });
  const { text = '', reasoning = '', calls = [] } = reply;
  return [
    delta({ role: 'assistant', content: '' }),
    ...piecesOf(reasoning).map((piece) => delta({ reasoning_content: piece })),
    ...piecesOf(text).map((piece) => delta({ content: piece })),
    ...calls.flatMap((call, index) => [
      delta({
        tool_calls: [
          {
            index,
            id: callId(number, index, call.id),
            type: 'function',
            function: { name: call.name, arguments: '' },
          },
        ],
      }),
      ...piecesOf(argumentsOf(call.input)).map((piece) =>
        delta({ tool_calls: [{ index, function: { arguments: piece } }] }),
      ),
    ]),
    delta({}, finishOf(reply)),
    ...(withUsage ? [{ data: { ...base, choices: [], usage: usageOf(reply) } }] : []),
    { data: '[DONE]' },
  ];
}

function refused({ status, message, code }: ModelRefusal): unknown {
  const type = status === 429 ? 'rate_limit_error' : status >= 500 ? 'server_error' : 'invalid_request_error';
  return {
    error: { message: message ?? `the script says ${status}`, type, param: null, code: code ?? null },
  };
}

export const openaiFormat: WireFormat = {
  api: 'openai',
  whole,
  streamed,
  refused,
  brokenOff: () => ({
    data: { error: { message: 'the script broke off', type: 'server_error', param: null, code: null } },
  }),
};
