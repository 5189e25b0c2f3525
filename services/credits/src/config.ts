import { baseConfigSchema } from '@swissbrain/service-kit/config';
import { parseCredits } from '@swissbrain/shared-schema/amount';
import { z } from 'zod';

const credits = z
  .string()
  .regex(/^\d{1,12}(\.\d{1,6})?$/, 'a number of credits with at most six decimals')
  .transform(parseCredits);

const stripePrices = z
  .string()
  .regex(/^[a-z][a-z0-9_-]*=[\w-]+(,[a-z][a-z0-9_-]*=[\w-]+)*$/, 'like pro=price_1,team=price_2')
  .transform((text) => new Map(text.split(',').map((pair) => pair.split('=') as [string, string])))
  .refine(
    (prices) => !prices.has('free') && new Set(prices.values()).size === prices.size,
    'one price for each tier that is bought',
  );

const settings = baseConfigSchema.extend({
  /** How long a hold lives without a heartbeat. */
  RESERVATION_TTL_SECONDS: z.coerce.number().int().min(1).max(86_400).default(900),
  /** The least a run is started with: an account that has less is refused. In credits, read as micro-credits. */
  RESERVATION_MINIMUM_CREDITS: credits.default(1_000_000n),
  /** How long the hold of a research lives after its last item; each item that is answered renews it. */
  RESEARCH_TTL_SECONDS: z.coerce.number().int().min(1).max(604_800).default(86_400),
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
  /** Turns payments on; without it there are no endpoints for them. */
  STRIPE_SECRET_KEY: z.string().min(1).optional(),
  /** Signs what Stripe sends to the webhook. */
  STRIPE_WEBHOOK_SECRET: z.string().min(1).optional(),
  /** Which price buys which tier: `pro=price_1,team=price_2`. */
  STRIPE_PRICES: stripePrices.optional(),
  /** Another address of Stripe's API, such as a proxy. */
  STRIPE_API_URL: z.url({ protocol: /^https?$/ }).default('https://api.stripe.com'),
  /** How long a request to Stripe may take. */
  STRIPE_TIMEOUT_MS: z.coerce.number().int().min(100).max(60_000).default(5_000),
  /** After so long an event that could not be applied is tried again, then after twice as long, up to an hour. */
  STRIPE_RETRY_SECONDS: z.coerce.number().positive().max(3_600).default(60),
  /** How often events are looked for that are still to be applied. */
  STRIPE_SWEEP_MS: z.coerce.number().int().min(50).default(5_000),
  /** How long after all subscriptions were compared with Stripe it begins again. */
  STRIPE_COMPARE_SECONDS: z.coerce.number().positive().default(21_600),
});

/** Every setting of credits; see README.md for what each does. */
export const configSchema = settings.superRefine((given, context) => {
  if (given.STRIPE_SECRET_KEY === undefined) return;
  for (const name of ['STRIPE_WEBHOOK_SECRET', 'STRIPE_PRICES'] as const) {
    if (given[name] !== undefined) continue;
    context.addIssue({ code: 'custom', path: [name], message: 'required with STRIPE_SECRET_KEY' });
  }
});

export type Config = z.infer<typeof configSchema>;
