import { createHash } from 'node:crypto';
import { z } from 'zod';
import { openaiFormat } from './model-openai.ts';
import type { WireFormat } from './model-wire.ts';

const dimensions = 64;

/** Texts that share words are near each other; `same` puts words of one meaning into one place. */
function vectorOf(text: string, same: readonly (readonly string[])[]): number[] {
  const vector = Array.from({ length: dimensions }, () => 0);
  for (const word of text.toLowerCase().match(/\p{L}+/gu) ?? []) {
    const meaning = same.find((words) => words.includes(word))?.[0] ?? word;
    const place = createHash('sha256').update(meaning).digest().readUInt32BE() % dimensions;
    vector[place] = (vector[place] ?? 0) + 1;
  }
  return vector;
}

const inputOf = z.union([z.string().transform((text) => [text]), z.array(z.string())]);

/** OpenAI's embeddings: https://platform.openai.com/docs/api-reference/embeddings */
export const embeddingsFormat: WireFormat = {
  ...openaiFormat,
  api: 'embeddings',
  whole: ({ vectors, synonyms = [] }, _number, model, body) => ({
    object: 'list',
    model,
    data: (vectors ?? inputOf.parse(body.input).map((text) => vectorOf(text, synonyms))).map(
      (embedding, index) => ({ object: 'embedding', index, embedding }),
    ),
    usage: { prompt_tokens: 8, total_tokens: 8 },
  }),
};
