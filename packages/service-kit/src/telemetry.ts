import { context, propagation, trace } from '@opentelemetry/api';
import { AsyncLocalStorageContextManager } from '@opentelemetry/context-async-hooks';
import { W3CTraceContextPropagator } from '@opentelemetry/core';
import { resourceFromAttributes } from '@opentelemetry/resources';
import {
  AlwaysOffSampler,
  AlwaysOnSampler,
  BatchSpanProcessor,
  ParentBasedSampler,
  type SpanProcessor,
  TracerProvider,
} from '@opentelemetry/sdk-trace';

export interface TelemetryOptions {
  readonly service: string;
  /** Base URL of an OTLP/HTTP collector. Without one spans are not recorded, but trace ids travel all the same. */
  readonly endpoint?: string | undefined;
  /** Receives the spans instead of the collector; for tests. */
  readonly spanProcessor?: SpanProcessor;
}

/** OpenTelemetry registers itself once per process, so services in one process share it. */
let running: { readonly provider: TracerProvider; users: number } | undefined;

/**
 * Starts tracing with W3C trace context; the context follows asynchronous calls.
 * Resolves to the undo, which sends what has not been exported.
 */
export async function startTelemetry(options: TelemetryOptions): Promise<() => Promise<void>> {
  const provider = running?.provider ?? (await register(options));
  running ??= { provider, users: 0 };
  const current = running;
  current.users += 1;
  return async () => {
    current.users -= 1;
    if (current.users > 0) return;
    running = undefined;
    trace.disable();
    context.disable();
    propagation.disable();
    await current.provider.shutdown();
  };
}

async function register({ service, endpoint, spanProcessor }: TelemetryOptions): Promise<TracerProvider> {
  const processor = spanProcessor ?? (endpoint ? await exportTo(endpoint) : undefined);
  const provider = new TracerProvider({
    resource: resourceFromAttributes({ 'service.name': `swissbrain-${service}` }),
    sampler: processor ? new ParentBasedSampler({ root: new AlwaysOnSampler() }) : new AlwaysOffSampler(),
    spanProcessors: processor ? [processor] : [],
  });
  trace.setGlobalTracerProvider(provider);
  context.setGlobalContextManager(new AsyncLocalStorageContextManager().enable());
  propagation.setGlobalPropagator(new W3CTraceContextPropagator());
  return provider;
}

/** Loads the exporter only where there is a collector. */
async function exportTo(endpoint: string): Promise<SpanProcessor> {
  const { OTLPTraceExporter } = await import('@opentelemetry/exporter-trace-otlp-proto');
  return new BatchSpanProcessor({
    exporter: new OTLPTraceExporter({ url: `${endpoint.replace(/\/$/, '')}/v1/traces` }),
  });
}
