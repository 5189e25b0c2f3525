import { openaiFormat } from './model-openai.ts';
import type { WireFormat } from './model-wire.ts';

/** A picture of one grey dot. */
export const tinyPng =
  'iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAQAAAC1HAwCAAAAC0lEQVR42mOcWA8AAc8BImn9NxIAAAAASUVORK5CYII=';

/** OpenAI's pictures: https://platform.openai.com/docs/api-reference/images */
export const imagesFormat: WireFormat = {
  ...openaiFormat,
  api: 'images',
  whole: ({ images }, _number, _model, body) => ({
    created: 1_700_000_000,
    data: (images ?? Array.from({ length: Number(body.n ?? 1) }, () => tinyPng)).map((b64_json) => ({
      b64_json,
    })),
    usage: { input_tokens: 10, output_tokens: 100, total_tokens: 110 },
  }),
};
