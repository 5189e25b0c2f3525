import { z } from 'zod';
import { uuid } from '../ids.ts';
import { pageOf } from './page.ts';

/** A part of the books: `ledger` by accounts, `hold` by holds. A page may be empty and yet not be the last. */
export const driftQuery = z.object({
  of: z.enum(['ledger', 'hold']).default('ledger'),
  limit: z.coerce.number().int().min(1).max(500).default(100),
  cursor: uuid.optional(),
});

/** Something that does not hold. Numbers are micro-credits, or steps where `what` says so. */
export const driftView = z.object({
  kind: z.enum(['ledger', 'hold']),
  user_id: uuid,
  what: z.string(),
  expected: z.string().nullable(),
  found: z.string().nullable(),
  /** The first wrong entry of the ledger, where it is an entry. */
  transaction_id: uuid.nullable(),
  run_id: uuid.nullable(),
});
export const driftPage = pageOf(driftView);
