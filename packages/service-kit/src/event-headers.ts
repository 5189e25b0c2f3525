import { headers, type MsgHdrs } from '@nats-io/nats-core';
import { type Envelope, envelopeSchema } from '@swissbrain/shared-schema/events/envelope';

/** Content of every event. */
const contentType = 'application/json';

/**
 * The envelope as headers: CloudEvents 1.0 binary mode
 * (https://github.com/cloudevents/spec, NATS protocol binding), with extensions for order and ownership.
 */
export function envelopeToHeaders(envelope: Envelope): MsgHdrs {
  const result = headers();
  const set = (name: string, value: string) => result.set(name, value);
  set('ce-specversion', '1.0');
  set('ce-id', envelope.id);
  set('ce-type', envelope.type);
  set('ce-source', envelope.source);
  set('ce-time', envelope.time);
  set('ce-subject', envelope.root_id);
  set('ce-dataversion', String(envelope.version));
  set('ce-aggregatetype', envelope.aggregate_type);
  set('ce-aggregateid', envelope.aggregate_id);
  set('ce-aggregateseq', envelope.aggregate_seq.toString());
  set('ce-userid', envelope.user_id);
  set('ce-rootid', envelope.root_id);
  if (envelope.run_seq !== null) set('ce-runseq', envelope.run_seq.toString());
  if (envelope.also_versions?.length) set('ce-alsoversions', envelope.also_versions.join(','));
  if (envelope.traceparent !== null) set('traceparent', envelope.traceparent);
  set('content-type', contentType);
  return result;
}

/**
 * Reads the envelope of a message.
 * @throws ZodError naming the attributes that are missing or malformed
 */
export function headersToEnvelope(message: MsgHdrs | undefined): Envelope {
  const get = (name: string) => message?.get(name) || undefined;
  return envelopeSchema.parse({
    id: get('ce-id'),
    type: get('ce-type'),
    version: get('ce-dataversion'),
    source: get('ce-source'),
    time: get('ce-time'),
    aggregate_type: get('ce-aggregatetype'),
    aggregate_id: get('ce-aggregateid'),
    aggregate_seq: get('ce-aggregateseq'),
    user_id: get('ce-userid'),
    root_id: get('ce-rootid'),
    run_seq: get('ce-runseq') ?? null,
    traceparent: get('traceparent') ?? null,
    also_versions: get('ce-alsoversions'),
  });
}
