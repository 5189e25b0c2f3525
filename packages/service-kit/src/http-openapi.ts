import swagger from '@fastify/swagger';
import swaggerUi from '@fastify/swagger-ui';
import type { FastifySerializerCompiler } from 'fastify';
import { createJsonSchemaTransform, ResponseSerializationError } from 'fastify-type-provider-zod';
import { z } from 'zod';
import type { Http } from './http-types.ts';

/** Serves /openapi.json and the page at /docs; routes registered from now on are described there. */
export async function describeRoutes(
  http: Http,
  service: string,
  publicUrl: string | undefined,
): Promise<void> {
  await http.register(swagger, {
    openapi: {
      openapi: '3.1.0',
      info: { title: `SwissBrain ${service}`, version: '1' },
      ...(publicUrl ? { servers: [{ url: publicUrl }] } : {}),
      components: { securitySchemes: { bearer: { type: 'http', scheme: 'bearer', bearerFormat: 'JWT' } } },
      security: [{ bearer: [] }],
    },
    transform: createJsonSchemaTransform({ zodToJsonConfig: { override: describeTransform } }),
  });
  await http.register(swaggerUi, { routePrefix: '/docs', staticCSP: true });
  http.get('/openapi.json', { schema: { hide: true }, config: { rateLimit: false } }, () => http.swagger());
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
