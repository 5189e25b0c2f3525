import { z } from 'zod';
import { uuid } from '../ids.ts';
import { defineRpc } from './definition.ts';

/**
 * Appends text to a document that this user may edit, in the name of a run; the idempotency key makes a repeat harmless. `seq` is
 * the document's after it.
 */
export const appendToDocument = defineRpc({
  service: 'collab',
  method: 'append',
  request: z.object({
    user_id: uuid,
    run_id: uuid,
    session_id: uuid,
    text: z.string().min(1).max(100_000),
  }),
  response: z.object({ session_id: uuid, seq: z.number().int().positive() }),
  timeoutMs: 10_000,
});
