import { Ajv, addFormats } from '@modelcontextprotocol/client/validators/ajv';
import { z } from 'zod';

/** A longer description, or a larger schema, is no tool but an attempt to fill the prompt. */
const maxSchemaCharacters = 64 * 1024;
const maxProblems = 10;

type JsonSchema = Readonly<Record<string, unknown>>;

/** `/a/0/b~1c` as a path: what stands there can then be looked at. */
function pathOf(pointer: string): (string | number)[] {
  return pointer
    .split('/')
    .slice(1)
    .map((part) => part.replaceAll('~1', '/').replaceAll('~0', '~'))
    .map((part) => (/^\d+$/.test(part) ? Number(part) : part));
}

/**
 * A server's schema of arguments as a check with places. The schema is compiled by itself: what one server describes is no
 * part of another's.
 * @throws Error for what is no schema of an object, or too large
 */
export function inputOf(schema: JsonSchema): z.ZodType<Record<string, unknown>> {
  if (JSON.stringify(schema).length > maxSchemaCharacters) throw new Error('its schema is too large');
  const ajv = new Ajv({ strict: false, allErrors: true, validateSchema: false, logger: false });
  addFormats(ajv);
  const validate = ajv.compile({ ...schema, type: 'object' });
  return z.record(z.string(), z.unknown()).superRefine((input, context) => {
    if (validate(input)) return;
    for (const { instancePath, message = 'is not valid', params } of (validate.errors ?? []).slice(
      0,
      maxProblems,
    )) {
      const extra = typeof params.additionalProperty === 'string' ? ` (${params.additionalProperty})` : '';
      context.addIssue({ code: 'custom', path: pathOf(instancePath), message: `${message}${extra}` });
    }
  });
}
