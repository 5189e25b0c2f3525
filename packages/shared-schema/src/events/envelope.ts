import { z } from 'zod';
import { type ServiceName, serviceNames, uuid } from '../ids.ts';

/**
 * One published fact: its name, version, owner and the shape of its data.
 * Changes to a published version are additive only; a break is a new version beside the old.
 */
export interface EventDefinition<Data extends z.ZodType = z.ZodType> {
  /** `<entity>.<event>`, two-word events with `_`: `run.timed_out`. */
  readonly type: `${string}.${string}`;
  readonly version: number;
  readonly source: ServiceName;
  /** Whose row gives the event its place in order (`aggregate_seq`). */
  readonly aggregate: string;
  readonly data: Data;
  /** Earlier versions as which the same fact is published too, until nothing reads them any more. */
  readonly beside?: readonly EarlierVersion<z.infer<Data>>[];
}

/** A fact in an earlier version of its event. */
export interface EarlierVersion<Data = unknown> {
  readonly definition: EventDefinition;
  /** The data of the same fact in that version. */
  toEarlier(data: Data): unknown;
}

/** Declares an event. The definition is frozen: schemas are constants, not configuration. */
export function defineEvent<Data extends z.ZodType>(
  definition: EventDefinition<Data>,
): EventDefinition<Data> {
  return Object.freeze(definition);
}

export type EventData<Definition> = Definition extends EventDefinition<infer Data> ? z.infer<Data> : never;

/**
 * The attributes around an event's data, as CloudEvents 1.0 binary mode carries them in headers
 * (`ce-*`; https://github.com/cloudevents/spec, NATS binding).
 */
export const envelopeSchema = z.object({
  id: uuid,
  type: z.string().regex(/^[a-z_]+\.[a-z_]+$/),
  version: z.coerce.number().int().positive(),
  source: z.enum(serviceNames),
  time: z.iso.datetime(),
  aggregate_type: z.string(),
  aggregate_id: uuid,
  aggregate_seq: z.coerce.bigint(),
  user_id: uuid,
  /** Last word of the subject: the run for run, step, artifact and a run's credit events, else the user. */
  root_id: uuid,
  run_seq: z.coerce.bigint().nullable(),
  traceparent: z.string().nullable(),
  /** The other versions as which the same fact is published, under the same id. */
  also_versions: z
    .string()
    .regex(/^\d{1,4}(,\d{1,4})*$/)
    .transform((versions) => versions.split(',').map(Number))
    .optional(),
});
export type Envelope = z.infer<typeof envelopeSchema>;

/** An event as a consumer sees it: parsed envelope and parsed data. */
export interface ReceivedEvent<Data> {
  readonly envelope: Envelope;
  readonly data: Data;
}

/** `sb.<entity>.<event>.<owner>.<root>`: five words, so `sb.run.>` and `sb.*.*.*.<run>` tap as one expects. */
export function subjectOf(type: string, userId: string, rootId: string): string {
  return `sb.${type}.${userId}.${rootId}`;
}

/** The largest body of an event in bytes; anything larger travels as a reference. */
export const maxEventBytes = 64 * 1024;
