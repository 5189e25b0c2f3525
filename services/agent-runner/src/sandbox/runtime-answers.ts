import { endReasons, languages } from '@swissbrain/sandbox-runtime/protocol';
import { z } from 'zod';

const count = z.number().int().nonnegative();

/** The shapes a runtime answers with. It runs beside users' programs, so nothing of it is taken on trust. */
export const recordAnswer = z.object({
  id: z.string(),
  language: z.enum(languages),
  state: z.enum(['running', 'finished']),
  reason: z.enum(endReasons).nullable(),
  exit_code: z.number().int().nullable(),
  signal: z.string().nullable(),
  duration_ms: count,
  stdout_bytes: count,
  stderr_bytes: count,
  stdout_truncated: z.boolean(),
  stderr_truncated: z.boolean(),
  output_size: count,
  message: z.string().nullable(),
});

export const outputHeadAnswer = z.object({ next_offset: count, finished: recordAnswer.nullable() });

export const runtimeStateAnswer = z.object({
  languages: z.array(
    z.object({ language: z.enum(languages), available: z.boolean(), version: z.string().nullable() }),
  ),
});

export const fileListAnswer = z.object({
  entries: z.array(z.object({ path: z.string(), type: z.enum(['file', 'directory', 'link']), size: count })),
});

export const faultAnswer = z.object({ error: z.object({ code: z.string(), message: z.string() }) });
