import { randomUUID } from 'node:crypto';
import cors from '@fastify/cors';
import helmet from '@fastify/helmet';
import rateLimit from '@fastify/rate-limit';
import underPressure from '@fastify/under-pressure';
import Fastify, { LogController } from 'fastify';
import { validatorCompiler, type ZodTypeProvider } from 'fastify-type-provider-zod';
import type { Registry } from 'prom-client';
import { createVerifier } from './auth.ts';
import type { BaseConfig } from './config.ts';
import type { Database } from './database.ts';
import { kitErrors } from './errors.ts';
import { authenticateRoutes } from './http-auth.ts';
import { answerWithProblems, sendProblem } from './http-errors.ts';
import { type ReadinessCheck, serveHealth } from './http-health.ts';
import { describeRoutes, serializerCompiler } from './http-openapi.ts';
import { traceRequests } from './http-tracing.ts';
import type { Http } from './http-types.ts';
import type { Logger } from './logger.ts';

export { principalOf } from './http-auth.ts';
export type { Http } from './http-types.ts';

export interface HttpOptions {
  readonly service: string;
  readonly config: BaseConfig;
  readonly log: Logger;
  readonly metrics: Registry;
  readonly database: Database;
  readonly checks: Readonly<Record<string, ReadinessCheck>>;
  readonly isStopping: () => boolean;
}

const requestIdPattern = /^[A-Za-z0-9._-]{1,100}$/;
/** Above this the event loop is so far behind that refusing is kinder than queueing. */
const maxEventLoopDelayMs = 5_000;
const exposedHeaders = ['Idempotency-Replayed', 'Location', 'Retry-After', 'X-Request-Id'];

/** Answers under way have so long to end once the service stops; then their connections are cut. */
const closeGraceMs = 2_000;

/** Stops to listen, lets the answers under way end, and cuts off what does not, such as event streams. */
export async function closeHttp(http: Http): Promise<void> {
  const timer = setTimeout(() => http.server.closeAllConnections(), closeGraceMs);
  try {
    await http.close();
  } finally {
    clearTimeout(timer);
  }
}

/**
 * The HTTP side of a service: every error is a problem document, every route under /v1 wants a token unless it
 * says otherwise, and health, readiness, metrics and documentation are there. Routes are added to it, then it listens.
 */
export async function createHttp(options: HttpOptions): Promise<Http> {
  const { service, config, log, metrics, database } = options;
  const app = Fastify({
    loggerInstance: log.child({}),
    logController: new LogController({ disableRequestLogging: true }),
    bodyLimit: config.BODY_LIMIT_BYTES,
    forceCloseConnections: 'idle',
    // URLs that no route can be looked up for never reach the error handler.
    frameworkErrors: (error, request, reply) => void sendProblem(error, request, reply),
    routerOptions: { maxParamLength: 300 },
    genReqId: ({ headers }) => {
      const given = headers['x-request-id'];
      return typeof given === 'string' && requestIdPattern.test(given) ? given : randomUUID();
    },
  }).withTypeProvider<ZodTypeProvider>();
  const http: Http = app as unknown as Http;
  http.setValidatorCompiler(validatorCompiler);
  http.setSerializerCompiler(serializerCompiler);
  answerWithProblems(http);
  traceRequests(http, metrics);
  http.decorateRequest('idempotencyReplayed', false);
  http.addHook('onSend', async (request, reply) => {
    reply.header('x-request-id', request.id);
    if (request.idempotencyReplayed) reply.header('idempotency-replayed', 'true');
  });
  await http.register(helmet, { contentSecurityPolicy: { directives: { 'default-src': ["'none'"] } } });
  await http.register(cors, { origin: true, exposedHeaders, maxAge: 600 });
  await http.register(underPressure, { maxEventLoopDelay: maxEventLoopDelayMs });
  authenticateRoutes(http, createVerifier(config), database);
  await http.register(rateLimit, {
    max: config.RATE_LIMIT_PER_MINUTE,
    timeWindow: 60_000,
    // After authentication, to count per user.
    hook: 'preParsing',
    keyGenerator: (request) => request.principal?.userId ?? request.ip,
    errorResponseBuilder: (_request, { after }) => kitErrors.too_many_requests(`try again in ${after}`),
  });
  await describeRoutes(http, service, config.PUBLIC_URL);
  serveHealth(http, options);
  return http;
}
