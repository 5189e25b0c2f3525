import { defineEvent } from '@swissbrain/shared-schema/events/envelope';
import { z } from 'zod';

/** The event of this benchmark: about as large as a finished step's. */
export const measured = defineEvent({
  type: 'credits.measured',
  version: 1,
  source: 'credits',
  aggregate: 'measurement',
  data: z.object({ key: z.string(), filler: z.string() }),
});

/** The events of a backlog: of another type, so that no consumer has them to work off while others are timed. */
export const backlogType = 'credits.backlog';
export const filler = 'x'.repeat(400);
/** Aggregates that the events are of. */
export const aggregateCount = 200;
/** Where the program that has no outbox publishes. */
export const rawSubject = 'raw.measured';
