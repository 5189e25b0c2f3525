import { type Context, context, SpanStatusCode, trace } from '@opentelemetry/api';
import type { FastifyRequest } from 'fastify';
import type { Registry } from 'prom-client';
import type { Http } from './http-types.ts';
import { durations } from './metrics.ts';
import { contextFrom, startSpan } from './trace-context.ts';

/** Every request continues the trace of its `traceparent`, is measured, and is logged when it ends. */
export function traceRequests(http: Http, metrics: Registry): void {
  const seconds = durations(metrics, 'http_request_duration_seconds', 'Time to answer a request', [
    'method',
    'route',
    'status',
  ]);
  const contexts = new WeakMap<FastifyRequest, Context>();
  http.decorateRequest('span', null);

  http.addHook('onRequest', (request, _reply, done) => {
    const route = request.routeOptions.url ?? 'unknown';
    const header = request.headers.traceparent;
    const parent = contextFrom(typeof header === 'string' ? header : undefined);
    request.span = startSpan(`${request.method} ${route}`, 'server', parent, {
      'http.request.method': request.method,
      'http.route': route,
    });
    const active = trace.setSpan(parent, request.span);
    contexts.set(request, active);
    context.with(active, done);
  });
  // Reading the body continues in the socket's own asynchronous context.
  http.addHook('preValidation', (request, _reply, done) => {
    context.with(contexts.get(request) ?? context.active(), done);
  });
  http.addHook('onResponse', async (request, reply) => {
    const { span } = request;
    span?.setAttribute('http.response.status_code', reply.statusCode);
    if (reply.statusCode >= 500) span?.setStatus({ code: SpanStatusCode.ERROR });
    span?.end();
    const labels = {
      method: request.method,
      route: request.routeOptions.url ?? 'unknown',
      status: String(reply.statusCode),
    };
    seconds.observe(labels, reply.elapsedTime / 1_000);
    request.log.debug({ ...labels, path: request.url, ms: Math.round(reply.elapsedTime) }, 'request');
  });
}
