import {
  type Attributes,
  type Context,
  context,
  propagation,
  ROOT_CONTEXT,
  type Span,
  SpanKind,
  SpanStatusCode,
  trace,
} from '@opentelemetry/api';
import { describeError } from './errors.ts';

export type Hop = 'server' | 'client' | 'producer' | 'consumer' | 'internal';
const kinds: Readonly<Record<Hop, SpanKind>> = {
  server: SpanKind.SERVER,
  client: SpanKind.CLIENT,
  producer: SpanKind.PRODUCER,
  consumer: SpanKind.CONSUMER,
  internal: SpanKind.INTERNAL,
};
const tracer = () => trace.getTracer('@swissbrain/service-kit');

/** The W3C `traceparent` of the active span (https://www.w3.org/TR/trace-context/), or null outside a trace. */
export function currentTraceparent(): string | null {
  const carrier: Record<string, string> = {};
  propagation.inject(context.active(), carrier);
  return carrier.traceparent ?? null;
}

/** The context that a `traceparent` names; a root when it is absent or malformed. */
export function contextFrom(traceparent: string | null | undefined): Context {
  return traceparent ? propagation.extract(ROOT_CONTEXT, { traceparent }) : ROOT_CONTEXT;
}

/** Starts a span below `parent`, without making it active. */
export function startSpan(name: string, hop: Hop, parent: Context, attributes: Attributes = {}): Span {
  return tracer().startSpan(name, { kind: kinds[hop], attributes }, parent);
}

/** Adds attributes to the active span, for what is known only when its work is done. */
export function annotateSpan(attributes: Attributes): void {
  trace.getActiveSpan()?.setAttributes(attributes);
}

/** Marks the active span as failed though nothing is thrown; `type` is of few values. */
export function failSpan(type: string, message: string): void {
  const span = trace.getActiveSpan();
  span?.setAttribute('error.type', type);
  span?.setStatus({ code: SpanStatusCode.ERROR, message });
}

/** Runs `work` in a span that continues the trace of `traceparent` (`undefined`: of the active span). */
export async function inSpan<T>(
  name: string,
  hop: Hop,
  traceparent: string | null | undefined,
  attributes: Attributes,
  work: () => Promise<T>,
): Promise<T> {
  const parent = traceparent === undefined ? context.active() : contextFrom(traceparent);
  const span = startSpan(name, hop, parent, attributes);
  try {
    return await context.with(trace.setSpan(parent, span), work);
  } catch (thrown) {
    span.setStatus({ code: SpanStatusCode.ERROR, message: describeError(thrown) });
    throw thrown;
  } finally {
    span.end();
  }
}
