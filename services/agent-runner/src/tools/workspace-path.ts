import { z } from 'zod';

/** A path inside the workspace, relative to it. */
export const workspacePath = z
  .string()
  .min(1)
  .max(512)
  .refine((text) => !text.startsWith('/') && !text.split('/').includes('..'), 'a path inside the workspace');
