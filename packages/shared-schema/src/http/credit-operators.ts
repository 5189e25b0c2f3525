import { z } from 'zod';
import { uuid } from '../ids.ts';
import { balanceView, creditAmount, lowThresholds, priceView, tierView } from './credits.ts';
import { pageOf, timestamp } from './page.ts';

/** An amount of credits above zero, as a request carries it. */
export const positiveCredits = z
  .string()
  .regex(/^\d{1,12}(\.\d{1,6})?$/, 'a decimal number of credits with at most six decimals, as a string')
  .refine((text) => /[1-9]/.test(text), 'more than zero');
const credits = z.string().regex(/^\d{1,12}(\.\d{1,6})?$/, 'a decimal number of credits, as a string');
const signedCredits = z
  .string()
  .regex(/^-?\d{1,12}(\.\d{1,6})?$/, 'a decimal number of credits, which may be below zero, as a string')
  .refine((text) => /[1-9]/.test(text), 'not zero');
const moment = z.iso.datetime({ offset: true });
/** Why, for whoever reads the audit. */
const reason = z.string().trim().min(1).max(500);

export const accountParams = z.object({ user_id: uuid });
export const grantParams = z.object({ user_id: uuid, grant_id: uuid });
export const tierParams = z.object({ code: z.string().regex(/^[a-z][a-z0-9_-]{0,39}$/) });

export const grantBody = z.strictObject({
  kind: z.enum(['promotional', 'trial', 'purchase', 'correction']),
  amount: positiveCredits,
  /** Left out: the credits stay until they are spent. */
  expires_at: moment.optional(),
  reason,
});
export type GrantBody = z.infer<typeof grantBody>;

export const adjustBody = z.strictObject({ amount: signedCredits, reason });
export type AdjustBody = z.infer<typeof adjustBody>;

/** Without an amount, all of the entry that is not refunded yet. */
export const refundBody = z.strictObject({
  transaction_id: uuid,
  amount: positiveCredits.optional(),
  reason,
});
export type RefundBody = z.infer<typeof refundBody>;

export const revokeBody = z.strictObject({ reason });

export const changeTierBody = z.strictObject({
  tier: tierParams.shape.code,
  /** When a lower tier takes effect; a higher one does at once. */
  downgrade: z.enum(['at_period_end', 'at_once']).default('at_period_end'),
  reason,
});
export type ChangeTierBody = z.infer<typeof changeTierBody>;

export const versionPriceBody = z.strictObject({
  operation: z.string().regex(/^[a-z0-9][a-z0-9._:/-]{0,99}$/i, 'letters, digits and . _ : / -'),
  /** For `per_quantity` units. */
  price: credits,
  per_quantity: z.number().int().positive().max(1_000_000_000),
  /** Needed for the first price of an operation; afterwards they stay unless given. */
  unit: z.string().trim().min(1).max(40).optional(),
  description: z.string().trim().min(1).max(200).optional(),
  /** In the future. Reservations made before it keep their prices. */
  effective_from: moment,
  reason,
});
export type VersionPriceBody = z.infer<typeof versionPriceBody>;

const count = z.number().int().positive().max(1_000_000_000);
/** What is given changes, the rest stays. Null is unlimited. */
export const versionTierBody = z.strictObject({
  terms: z
    .strictObject({
      name: z.string().trim().min(1).max(100),
      monthly_credits: credits,
      price_cents: z.number().int().min(0).max(1_000_000_000).nullable(),
      currency: z.string().regex(/^[a-z]{3}$/),
      max_concurrent_runs: count.nullable(),
      max_parallel_items: count.nullable(),
      sandbox_cpu_millis: count,
      sandbox_memory_mb: count,
      sandbox_disk_mb: count,
      sandbox_seconds: count,
      retention_days: count.nullable(),
      requests_per_minute: count.nullable(),
      rollover_min: credits,
      rollover_max: credits,
      overdraft_limit: credits,
      low_thresholds: lowThresholds,
    })
    .partial()
    .refine((terms) => Object.keys(terms).length > 0, 'at least one term'),
  /** In the future. */
  effective_from: moment,
  reason,
});
export type VersionTierBody = z.infer<typeof versionTierBody>;

/** What an operator did or looked at. `before` and `after` are null for what only reads. */
export const auditEntry = z.object({
  id: uuid,
  operator_id: uuid,
  action: z.string(),
  user_id: uuid.nullable(),
  target: z.string(),
  before: z.record(z.string(), z.unknown()).nullable(),
  after: z.record(z.string(), z.unknown()).nullable(),
  reason: z.string().nullable(),
  request_id: z.string(),
  created_at: timestamp,
});
export type AuditEntry = z.infer<typeof auditEntry>;
export const auditPage = pageOf(auditEntry);

const grantView = z.object({
  id: uuid,
  source: z.string(),
  amount: creditAmount,
  remaining: creditAmount,
  priority: z.number().int(),
  expires_at: timestamp.nullable(),
  created_at: timestamp,
});

/** An account as operators see it: with its grants that are not used up, in the order they are burnt. */
export const accountDetail = balanceView.extend({
  user_id: uuid,
  status: z.string().nullable(),
  next_tier: z.string().nullable(),
  time_zone: z.string().nullable(),
  external_ref: z.string().nullable(),
  debt: creditAmount,
  live_runs: z.number().int(),
  waiting_runs: z.number().int(),
  grants: z.array(grantView),
});
export type AccountDetail = z.infer<typeof accountDetail>;

/** An invariant of an account that does not hold; the numbers are micro-credits, or counts where it says so. */
const driftView = z.object({
  user_id: uuid,
  invariant: z.string(),
  expected: z.string().nullable(),
  found: z.string().nullable(),
  /** The entry of the ledger that is wrong, where it is one; the first of an account is the first wrong one. */
  transaction_id: uuid.nullable(),
});
export const driftList = z.object({ items: z.array(driftView) });

export const denialView = z.object({
  id: uuid,
  user_id: uuid,
  run_id: uuid,
  requested: creditAmount,
  minimum: creditAmount,
  reason: z.string().nullable(),
  created_at: timestamp,
});
export type DenialView = z.infer<typeof denialView>;
export const denialPage = pageOf(denialView);

/** A price that was, is or will be. */
export const priceVersionView = priceView.extend({ valid_to: timestamp.nullable() });
export const priceVersionPage = pageOf(priceVersionView);

export const tierVersionView = z.object({
  version: z.number().int(),
  terms: tierView
    .omit({ code: true })
    .extend({ rollover_min: creditAmount, overdraft_limit: creditAmount.nullable() }),
  effective_from: timestamp,
  /** Null while it is to come. */
  applied_at: timestamp.nullable(),
});
export type TierVersionView = z.infer<typeof tierVersionView>;
export const tierVersionList = z.object({ items: z.array(tierVersionView) });
