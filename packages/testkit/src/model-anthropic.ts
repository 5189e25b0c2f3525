import type { ModelRefusal, ModelReply } from './model-script.ts';
import { argumentsOf, piecesOf, type SentEvent, type WireFormat } from './model-wire.ts';

/** Anthropic's messages: https://docs.anthropic.com/en/api/messages */
function usageOf({ tokens = {} }: ModelReply) {
  const { fresh = 1_000, cacheRead = 0, cacheWrite = 0, output = 100 } = tokens;
  return {
    input_tokens: fresh,
    cache_creation_input_tokens: cacheWrite,
    cache_read_input_tokens: cacheRead,
    output_tokens: output,
  };
}

function stopOf({ finish, calls = [] }: ModelReply): string {
  if (finish === 'length') return 'max_tokens';
  if (finish === 'content_filter') return 'refusal';
  return calls.length > 0 ? 'tool_use' : 'end_turn';
}

const callId = (number: number, place: number, id: string | undefined) => id ?? `toolu_${number}_${place}`;
const signature = 'c2NyaXB0ZWQ=';

/** Broken arguments can only travel in a stream; as a whole they become text within an object. */
const inputOf = (input: unknown) => (typeof input === 'string' ? { text: input } : input);

function message(number: number, model: string) {
  return { id: `msg_${number}`, type: 'message', role: 'assistant', model, stop_sequence: null };
}

function whole(reply: ModelReply, number: number, model: string): unknown {
  const { text, reasoning, calls = [] } = reply;
  return {
    ...message(number, model),
    content: [
      ...(reasoning === undefined ? [] : [{ type: 'thinking', thinking: reasoning, signature }]),
      ...(text === undefined ? [] : [{ type: 'text', text }]),
      ...calls.map((call, place) => ({
        type: 'tool_use',
        id: callId(number, place, call.id),
        name: call.name,
        input: inputOf(call.input),
      })),
    ],
    stop_reason: stopOf(reply),
    usage: usageOf(reply),
  };
}

/** One block of content with its pieces. */
interface Block {
  readonly start: unknown;
  readonly deltas: readonly unknown[];
}

function blocksOf(reply: ModelReply, number: number): Block[] {
  const { text, reasoning, calls = [] } = reply;
  const blocks: Block[] = [];
  if (reasoning !== undefined) {
    const deltas = piecesOf(reasoning).map((thinking) => ({ type: 'thinking_delta', thinking }));
    blocks.push({
      start: { type: 'thinking', thinking: '', signature: '' },
      deltas: [...deltas, { type: 'signature_delta', signature }],
    });
  }
  if (text !== undefined) {
    const deltas = piecesOf(text).map((piece) => ({ type: 'text_delta', text: piece }));
    blocks.push({ start: { type: 'text', text: '' }, deltas });
  }
  for (const [place, call] of calls.entries()) {
    const pieces = piecesOf(argumentsOf(call.input));
    blocks.push({
      start: { type: 'tool_use', id: callId(number, place, call.id), name: call.name, input: {} },
      deltas: pieces.map((piece) => ({ type: 'input_json_delta', partial_json: piece })),
    });
  }
  return blocks;
}

function streamed(reply: ModelReply, number: number, model: string): SentEvent[] {
  const event = (type: string, rest: Record<string, unknown> = {}): SentEvent => ({
    event: type,
    data: { type, ...rest },
  });
  const { output_tokens: output, ...input } = usageOf(reply);
  const opening = { ...message(number, model), content: [], stop_reason: null };
  return [
    event('message_start', { message: { ...opening, usage: { ...input, output_tokens: 1 } } }),
    event('ping'),
    ...blocksOf(reply, number).flatMap(({ start, deltas }, index) => [
      event('content_block_start', { index, content_block: start }),
      ...deltas.map((delta) => event('content_block_delta', { index, delta })),
      event('content_block_stop', { index }),
    ]),
    event('message_delta', {
      delta: { stop_reason: stopOf(reply), stop_sequence: null },
      usage: { output_tokens: output },
    }),
    event('message_stop'),
  ];
}

const errorTypes: Readonly<Record<number, string>> = {
  400: 'invalid_request_error',
  401: 'authentication_error',
  403: 'permission_error',
  404: 'not_found_error',
  413: 'request_too_large',
  429: 'rate_limit_error',
  529: 'overloaded_error',
};

function refused({ status, message: text, code }: ModelRefusal): unknown {
  const type = code ?? errorTypes[status] ?? 'api_error';
  return { type: 'error', error: { type, message: text ?? `the script says ${status}` } };
}

export const anthropicFormat: WireFormat = {
  api: 'anthropic',
  whole,
  streamed,
  refused,
  brokenOff: () => ({
    event: 'error',
    data: { type: 'error', error: { type: 'overloaded_error', message: 'Overloaded' } },
  }),
};
