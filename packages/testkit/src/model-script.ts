import { z } from 'zod';

/** Tokens of one answer in four disjoint buckets; what is left out gets the defaults of the server. */
const tokens = z.strictObject({
  /** Read fresh, neither from a cache nor into one. */
  fresh: z.number().int().nonnegative().optional(),
  cacheRead: z.number().int().nonnegative().optional(),
  cacheWrite: z.number().int().nonnegative().optional(),
  output: z.number().int().nonnegative().optional(),
});

const reply = z.strictObject({
  text: z.string().optional(),
  reasoning: z.string().optional(),
  /** A string as `input` is sent as it is, so that arguments can be broken. */
  calls: z
    .array(z.strictObject({ name: z.string(), input: z.unknown().optional(), id: z.string().optional() }))
    .optional(),
  tokens: tokens.optional(),
  /** Pictures, in base64 or what is none; without, as many grey dots as were asked for. */
  images: z.array(z.string()).optional(),
  /** Embeddings as they are to be sent; without, by the words of each text. */
  vectors: z.array(z.array(z.number())).optional(),
  /** Words that embeddings do not tell apart. */
  synonyms: z.array(z.array(z.string())).optional(),
  finish: z.enum(['length', 'content_filter']).optional(),
  delayMs: z.number().int().nonnegative().optional(),
  /** Streams: after so many chunks the connection breaks. */
  cutAfter: z.number().int().nonnegative().optional(),
  /** Streams: after so many chunks the stream ends as if all had been said, without a finish. */
  endAfter: z.number().int().nonnegative().optional(),
  /** Streams: after so many chunks nothing more comes. */
  hangAfter: z.number().int().nonnegative().optional(),
  /** Streams: after so many chunks comes an error of the provider, in its own format. */
  failAfter: z.number().int().nonnegative().optional(),
});

/** A refusal: `status` 401, 429, 529 and so on, with the provider's body or one of our own. */
const refusal = z.strictObject({
  status: z.number().int().min(400).max(599),
  message: z.string().optional(),
  code: z.string().optional(),
  body: z.string().optional(),
  /** Seconds, as the header `retry-after` carries them. */
  retryAfter: z.number().nonnegative().optional(),
});

const answer = z.union([reply, refusal, z.strictObject({ malformed: z.string() }), z.literal('hang')]);

/** What the server says next: words, calls of tools, or something that goes wrong. */
export type ModelAnswer = z.infer<typeof answer>;
export type ModelReply = z.infer<typeof reply>;
export type ModelRefusal = z.infer<typeof refusal>;

const conversation = z.strictObject({
  /** Part of the first user message; the first conversation that fits is followed. */
  match: z.string(),
  /**
   * The answers by turn, counted by the answers that the request already holds: a call that is made again gets the
   * same answer. A list within stands for the tries of one turn; the last try, and the last turn, repeat.
   */
  turns: z.array(z.union([answer, z.array(answer).min(1)])).min(1),
});
export type ModelConversation = z.infer<typeof conversation>;

/** Chooses answers of conversations and remembers how often each turn was asked for. */
export function createScript(): {
  answer(
    conversations: readonly ModelConversation[],
    asked: { readonly opening: string; readonly turn: number },
  ): ModelAnswer | undefined;
} {
  const tries = new Map<string, number>();
  return {
    answer(conversations, { opening, turn }) {
      const found = conversations.find(({ match }) => opening.includes(match));
      if (!found) return undefined;
      const chosen = found.turns[Math.min(turn, found.turns.length - 1)];
      if (!Array.isArray(chosen)) return chosen;
      const key = `${turn}\0${opening}`;
      const before = tries.get(key) ?? 0;
      tries.set(key, before + 1);
      return chosen[Math.min(before, chosen.length - 1)];
    },
  };
}
