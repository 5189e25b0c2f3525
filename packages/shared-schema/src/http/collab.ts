import { z } from 'zod';
import { participantRole } from '../events/collab.ts';
import { uuid } from '../ids.ts';
import { pageOf, timestamp } from './page.ts';

/** A document edited together, as one who takes part in it sees it. */
export const sessionView = z.object({
  id: uuid,
  title: z.string(),
  status: z.enum(['active', 'closed']),
  owner_id: uuid,
  /** The caller's own role. */
  role: participantRole,
  run_id: uuid.nullable(),
  source_artifact_id: uuid.nullable(),
  /** Sequence of the last edit; 0 for an empty document. */
  last_seq: z.number().int().nonnegative(),
  document_bytes: z.number().int().nonnegative(),
  closed_at: timestamp.nullable(),
  created_at: timestamp,
  updated_at: timestamp,
});
export type SessionView = z.infer<typeof sessionView>;

export const sessionPage = pageOf(sessionView);
export const sessionParams = z.object({ id: uuid });
