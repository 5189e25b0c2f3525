import { baseConfigSchema } from '@swissbrain/service-kit/config';
import type { z } from 'zod';

/** Every setting of wide-research: those that all services share, and no others so far. */
export const configSchema = baseConfigSchema;

export type Config = z.infer<typeof configSchema>;
