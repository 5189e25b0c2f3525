import { z } from 'zod';
import type { Tool } from '../../src/tools/tool.ts';

const input = z.strictObject({
  bytes: z.number().int().nonnegative(),
  /** Comes back with the rest: what is given may be large, too. */
  note: z.unknown().optional(),
});

/** A tool whose results are as large as one asks for. */
export const blobTool: Tool<z.infer<typeof input>> = {
  name: 'blob',
  type: 'connector',
  description: 'Answers with so many bytes',
  input,
  offered: true,
  effect: 'read',
  resume: 'repeat',
  timeoutSeconds: 60,
  unavailable: () => null,
  estimate: () => [],
  run: async ({ bytes, note }) => ({ output: { text: 'b'.repeat(bytes), note: note ?? null }, usage: [] }),
};
