import { z } from 'zod';
import { uuid } from '../ids.ts';
import { pageOf, timestamp } from './page.ts';

export const memoryNamespace = z.string().min(1).max(200);
export const memoryKey = z.string().min(1).max(500);
export const memoryContent = z.string().min(1).max(16_000);

export const memoryView = z.object({
  id: uuid,
  namespace: z.string(),
  key: z.string(),
  content: z.string(),
  metadata: z.record(z.string(), z.unknown()),
  /** The run that wrote it, while it exists. */
  run_id: uuid.nullable(),
  created_at: timestamp,
  updated_at: timestamp,
});
export type MemoryView = z.infer<typeof memoryView>;
export const memoryPage = pageOf(memoryView);

export const saveMemoryBody = z.strictObject({
  namespace: memoryNamespace.default('default'),
  key: memoryKey,
  content: memoryContent,
  metadata: z
    .record(z.string().max(200), z.unknown())
    .default({})
    .refine((value) => JSON.stringify(value).length <= 16_000, 'at most 16,000 characters as JSON'),
});

export const memoryQuery = z.object({
  limit: z.coerce.number().int().min(1).max(100).default(20),
  cursor: z.string().max(500).optional(),
  namespace: memoryNamespace.optional(),
  /** Words of key or content; `"a phrase"`, `or`, `-without`. */
  query: z.string().min(1).max(1_000).optional(),
});
export const memoryParams = z.object({ id: uuid });
