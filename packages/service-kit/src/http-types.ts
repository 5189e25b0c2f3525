import type { IncomingMessage, ServerResponse } from 'node:http';
import type { Span } from '@opentelemetry/api';
import type { FastifyBaseLogger, FastifyInstance, RawServerDefault } from 'fastify';
import type { ZodTypeProvider } from 'fastify-type-provider-zod';
import type { Principal } from './database.ts';

/** A Fastify instance whose routes take zod schemas. */
export type Http = FastifyInstance<
  RawServerDefault,
  IncomingMessage,
  ServerResponse<IncomingMessage>,
  FastifyBaseLogger,
  ZodTypeProvider
>;

declare module 'fastify' {
  interface FastifyRequest {
    /** The verified caller; null on public routes. `principalOf(request)` gives it or throws. */
    principal: Principal | null;
    /** Set by `runIdempotent`; becomes the header `Idempotency-Replayed`. */
    idempotencyReplayed: boolean;
    /** The span of the request. */
    span: Span | null;
  }
  interface FastifyContextConfig {
    /** No access token is needed. */
    public?: boolean;
    /** The token of a user who was deleted will do. */
    formerUsers?: boolean;
  }
}
