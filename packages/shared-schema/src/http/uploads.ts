import { z } from 'zod';
import { artifactKind, artifactView, fileName } from './agent-runner.ts';
import { pageOf } from './page.ts';

export const artifactPage = pageOf(artifactView);
export const listArtifactsQuery = z.object({
  limit: z.coerce.number().int().min(1).max(100).default(20),
  cursor: z.string().max(500).optional(),
  kind: artifactKind.optional(),
});
export const uploadQuery = z.object({
  name: fileName,
  /** Of the content, lower-case hexadecimal: what arrives otherwise is refused. */
  sha256: z.string().regex(/^[0-9a-f]{64}$/),
  /** Without it what the name says. */
  media_type: z
    .string()
    .max(200)
    .regex(/^[a-z0-9!#$&^_.+-]+\/[a-z0-9!#$&^_.+-]+$/i)
    .optional(),
});
