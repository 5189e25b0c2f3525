import { baseConfigSchema } from '@swissbrain/service-kit/config';
import { parseCredits } from '@swissbrain/shared-schema/amount';
import { z } from 'zod';

const credits = z
  .string()
  .regex(/^\d{1,12}(\.\d{1,6})?$/, 'a number of credits with at most six decimals')
  .transform(parseCredits);

/** Every setting of credits; see README.md for what each does. */
export const configSchema = baseConfigSchema.extend({
  /** How long a hold lives without a heartbeat. */
  RESERVATION_TTL_SECONDS: z.coerce.number().int().min(1).max(86_400).default(900),
  /** The least a run is started with: an account that has less is refused. In credits, read as micro-credits. */
  RESERVATION_MINIMUM_CREDITS: credits.default(1_000_000n),
  /** How often overdue holds are swept; correctness does not depend on it. */
  HOLD_SWEEP_MS: z.coerce.number().int().min(50).default(5_000),
  /** How often accounts whose period is over are renewed. */
  PERIOD_SWEEP_MS: z.coerce.number().int().min(50).default(60_000),
  /** How often new terms of tiers are looked for whose time has come. */
  TIER_SWEEP_MS: z.coerce.number().int().min(50).default(5_000),
  /** After so long the steps that an ended run still lacks are asked for. */
  CLOSING_ASK_AFTER_SECONDS: z.coerce.number().positive().default(60),
  /** How often the books are looked through for drift. */
  DRIFT_SWEEP_MS: z.coerce.number().int().min(50).default(60_000),
  /** So long events may be on their way before a difference between a hold and its run is one. */
  DRIFT_GRACE_SECONDS: z.coerce.number().positive().default(60),
  CLOSING_SWEEP_MS: z.coerce.number().int().min(50).default(10_000),
});

export type Config = z.infer<typeof configSchema>;
