import { z } from 'zod';

type JsonSchema = Readonly<Record<string, unknown>>;

const read = (schema: JsonSchema) => z.fromJSONSchema(schema as Parameters<typeof z.fromJSONSchema>[0]);

/** Why a user's JSON Schema cannot be used to check answers, or null. */
export function schemaProblem(schema: JsonSchema): string | null {
  // A pattern is run on the answer, and some never end.
  if (JSON.stringify(schema).includes('"pattern')) return 'patterns are not allowed';
  try {
    read(schema);
    return null;
  } catch (error) {
    return `not a JSON Schema: ${error instanceof Error ? error.message : String(error)}`;
  }
}

/** Where an answer does not follow a schema that has no problem, or null. */
export function answerProblem(schema: JsonSchema, answer: unknown): string | null {
  const issues = read(schema).safeParse(answer).error?.issues ?? [];
  if (issues.length === 0) return null;
  return issues.map(({ path, message }) => `${path.join('.') || 'answer'}: ${message}`).join('; ');
}
