import { z } from 'zod';
import { pageOf, timestamp } from './page.ts';

/** An event that a consumer could not take. What its headers did not tell, or not legibly, is null. */
export const deadLetterView = z.object({
  /** Its place in the stream DLQ, which names it. */
  sequence: z.number().int().positive(),
  consumer: z.string(),
  error: z.string(),
  attempts: z.number().int().nonnegative().nullable(),
  died_at: timestamp,
  /** Where the event was published, and its place in the stream EVENTS. */
  subject: z.string().nullable(),
  stream_sequence: z.number().int().nonnegative().nullable(),
  event: z.object({
    id: z.string().nullable(),
    type: z.string().nullable(),
    version: z.string().nullable(),
    source: z.string().nullable(),
    time: z.string().nullable(),
    user_id: z.string().nullable(),
    root_id: z.string().nullable(),
  }),
});
export type DeadLetterView = z.infer<typeof deadLetterView>;

/** With what the event carries, as it came. */
export const deadLetterDetail = deadLetterView.extend({
  headers: z.record(z.string(), z.array(z.string())),
  body: z.string(),
});
export type DeadLetterDetail = z.infer<typeof deadLetterDetail>;

export const deadLetterPage = pageOf(deadLetterView);
export const deadLetterParams = z.object({
  sequence: z
    .string()
    .regex(/^[1-9]\d{0,14}$/, 'a place in the stream')
    .transform(Number),
});
export const deadLetterConsumer = z.string().regex(/^[a-z0-9_-]{1,130}$/);

/** `duplicate`: the event had taken effect before, so nothing was left to do. Either way the letter is gone. */
export const redriveView = z.object({
  sequence: z.number().int().positive(),
  consumer: z.string(),
  event_id: z.string(),
  outcome: z.enum(['done', 'duplicate']),
});
export type RedriveView = z.infer<typeof redriveView>;
