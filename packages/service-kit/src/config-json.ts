import { z } from 'zod';

/** A setting whose text is JSON of a schema; every problem has its place, none a value. */
export function jsonText<Schema extends z.ZodType>(schema: Schema) {
  return z.string().transform((text, context): z.output<Schema> => {
    let parsed: unknown;
    try {
      parsed = JSON.parse(text);
    } catch {
      // The parser's own words would quote the text, and with it keys.
      context.addIssue({ code: 'custom', message: 'is not JSON' });
      return z.NEVER;
    }
    const result = schema.safeParse(parsed);
    for (const { path, message } of result.error?.issues ?? []) {
      context.addIssue({ code: 'custom', path, message });
    }
    return result.data ?? z.NEVER;
  });
}
