import swagger from '@fastify/swagger';
import swaggerUi from '@fastify/swagger-ui';
import type { FastifySchema, FastifySerializerCompiler } from 'fastify';
import { createJsonSchemaTransform, ResponseSerializationError } from 'fastify-type-provider-zod';
import { z } from 'zod';
import type { Http } from './http-types.ts';

/** Serves /openapi.json and the page at /docs; routes registered from now on are described there. */
export async function describeRoutes(
  http: Http,
  service: string,
  publicUrl: string | undefined,
): Promise<void> {
  const transform = createJsonSchemaTransform({ zodToJsonConfig: { override: describeTransform } });
  await http.register(swagger, {
    openapi: {
      openapi: '3.1.0',
      info: { title: `SwissBrain ${service}`, version: '1' },
      ...(publicUrl ? { servers: [{ url: publicUrl }] } : {}),
      components: {
        securitySchemes: { bearer: { type: 'http', scheme: 'bearer', bearerFormat: 'JWT' } },
        schemas: { Problem: problem },
      },
      security: [{ bearer: [] }],
    },
    transform: (document) => describeCommon(transform(document), document.route.method),
  });
  await http.register(swaggerUi, { routePrefix: '/docs', staticCSP: true });
  http.get('/openapi.json', { schema: { hide: true }, config: { rateLimit: false } }, () => http.swagger());
}

/** Every failure of every route (RFC 9457). */
const problem = {
  type: 'object' as const,
  description: 'Problem details (RFC 9457)',
  properties: {
    type: { type: 'string' as const, description: 'A URI that names the kind of problem' },
    title: { type: 'string' as const },
    status: { type: 'integer' as const },
    detail: { type: 'string' as const, description: 'What is wrong, where, and what to do' },
    code: { type: 'string' as const, description: 'A short name that a program can branch on' },
    instance: { type: 'string' as const, description: 'The path that was asked' },
  },
  required: ['type', 'title', 'status', 'detail', 'code'],
  additionalProperties: true,
};

const failure = {
  description: 'Why it could not be done',
  content: { 'application/problem+json': { schema: { $ref: '#/components/schemas/Problem' } } },
};
const keyHeader = {
  type: 'string',
  description: 'One key is one effect: a repeat within a day gets the first answer',
};

/** Adds what all routes have: problems for answers, and a key on what may be sent twice. */
function describeCommon<D extends { schema: FastifySchema | undefined }>(
  document: D,
  method: string | string[],
): D {
  const { schema } = document;
  if (!schema || schema.hide === true) return document;
  Object.assign(schema, { response: { ...(schema.response as object | undefined), default: failure } });
  if (method === 'POST') {
    const { properties = {} } = (schema.headers ?? {}) as { properties?: object };
    Object.assign(schema, {
      headers: { type: 'object', properties: { ...properties, 'idempotency-key': keyHeader } },
    });
  }
  return document;
}

/** JSON Schema knows no transformation; ours only normalise (ids to lower case), so their input describes them. */
function describeTransform({
  zodSchema,
  jsonSchema,
}: {
  zodSchema: z.core.$ZodTypes;
  jsonSchema: object;
}): void {
  const { def } = zodSchema._zod;
  if (def.type !== 'pipe' || def.out._zod.def.type !== 'transform') return;
  Object.assign(jsonSchema, z.toJSONSchema(def.in, { io: 'input', unrepresentable: 'any' }));
  Reflect.deleteProperty(jsonSchema, '$schema');
}

/**
 * Answers are parsed by their schema, so nothing leaves that it does not name, and a bigint that the schema
 * lets through fails instead of being rounded.
 */
export const serializerCompiler: FastifySerializerCompiler<z.ZodType> = ({ schema, method, url }) => {
  return (data) => {
    const result = schema.safeParse(data);
    if (!result.success) throw new ResponseSerializationError(method, url, { cause: result.error });
    return JSON.stringify(result.data);
  };
};
