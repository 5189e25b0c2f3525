import { z } from 'zod';
import { uuid } from '../ids.ts';
import { creditsText, playbookSchema } from './agent-runner.ts';
import { pageOf, timestamp } from './page.ts';

/** Credits as a decimal number with at most six decimals: `"1.5"`. */
export const creditAmount = z.string().regex(/^-?\d{1,13}(\.\d{1,6})?$/);
const limit = z.number().int().positive().nullable();

/** Thresholds of credits.low: percent of what the period granted, or credits. */
export const lowThresholds = z
  .array(
    z
      .string()
      .regex(/^((100|\d{1,2})%|\d{1,12}(\.\d{1,6})?)$/, 'a whole percentage as "20%", or credits as "12.5"'),
  )
  .max(5)
  .refine((list) => new Set(list).size === list.length, 'each once');

/** What a tier allows; null means unlimited. */
export const tierView = z.object({
  code: z.string(),
  name: z.string(),
  monthly_credits: creditAmount.nullable(),
  /** Null: by agreement. */
  price_cents: z.number().int().nonnegative().nullable(),
  currency: z.string(),
  max_concurrent_runs: limit,
  max_parallel_items: limit,
  sandbox_cpu_millis: z.number().int().positive(),
  sandbox_memory_mb: z.number().int().positive(),
  sandbox_disk_mb: z.number().int().positive(),
  sandbox_seconds: z.number().int().positive(),
  retention_days: limit,
  requests_per_minute: limit,
  low_thresholds: z.array(z.string()),
  /** The most of a month's unused credits that the next month gets. */
  rollover_max: creditAmount,
});
export type TierView = z.infer<typeof tierView>;
export const tierList = z.object({ items: z.array(tierView) });

export const priceView = z.object({
  id: uuid,
  operation: z.string(),
  version: z.number().int().positive(),
  description: z.string(),
  /** Credits for `per_quantity` units. */
  price: creditAmount,
  per_quantity: z.string().regex(/^\d{1,19}$/),
  unit: z.string(),
  valid_from: timestamp,
});
export type PriceView = z.infer<typeof priceView>;
export const priceList = z.object({ items: z.array(priceView) });

/** The caller's account. */
export const balanceView = z.object({
  /** False for a new user whose account is still being opened; every amount is zero then. */
  granted: z.boolean(),
  /** Null when there is no live subscription. */
  tier: z.string().nullable(),
  unlimited: z.boolean(),
  /** What a new run can hold; null when unlimited. Below zero is debt, which the next grant repays. */
  available: creditAmount.nullable(),
  /** Held for runs that are under way. */
  reserved: creditAmount,
  /** Ever granted, and ever spent or expired. */
  credited: creditAmount,
  debited: creditAmount,
  /** How far finished work may take `available` below zero; null: no floor. */
  overdraft_limit: creditAmount.nullable(),
  period_start: timestamp.nullable(),
  period_end: timestamp.nullable(),
});
export type BalanceView = z.infer<typeof balanceView>;

export const reservationStatus = z.enum(['waiting', 'active', 'settled', 'expired', 'denied']);

/** The hold of one run: `held` = `consumed` + `released` once it has ended. */
export const reservationView = z.object({
  id: uuid,
  run_id: uuid,
  /** `waiting` holds nothing yet; `settled`, `expired` and `denied` are final. */
  status: reservationStatus,
  requested: creditAmount,
  budget: creditAmount.nullable(),
  held: creditAmount,
  consumed: creditAmount,
  released: creditAmount,
  /** Charged after the hold had ended. */
  late: creditAmount,
  /** Recorded, but beyond budget or overdraft limit and not charged. */
  written_off: creditAmount,
  price_as_of: timestamp,
  expires_at: timestamp.nullable(),
  closed_at: timestamp.nullable(),
  close_reason: z.string().nullable(),
  created_at: timestamp,
});
export type ReservationView = z.infer<typeof reservationView>;
export const reservationPage = pageOf(reservationView);

export const transactionKind = z.enum([
  'grant',
  'rollover',
  'refund',
  'adjust',
  'expire_grant',
  'reserve',
  'denied',
  'extend',
  'debt',
  'consume',
  'late',
  'release',
  'expire_hold',
]);

/** One entry of the ledger. `amount` moves money, `hold` moves what is reserved. */
export const transactionView = z.object({
  id: uuid,
  kind: transactionKind,
  amount: creditAmount,
  hold: creditAmount,
  /** Null for usage, which is paid from its hold. */
  available_after: creditAmount.nullable(),
  /** Usage only: what its hold has left. */
  hold_left: creditAmount.nullable(),
  reservation_id: uuid.nullable(),
  run_id: uuid.nullable(),
  step_id: uuid.nullable(),
  operation: z.string().nullable(),
  quantity: z.string().nullable(),
  cost: creditAmount.nullable(),
  cause: z.string(),
  occurred_at: timestamp,
  created_at: timestamp,
});
export type TransactionView = z.infer<typeof transactionView>;
export const transactionPage = pageOf(transactionView);

/** The caller's subscription. */
export const subscriptionView = z.object({
  tier: z.string(),
  /** What the tier becomes when the period ends; null: it stays. */
  next_tier: z.string().nullable(),
  status: z.enum(['trialing', 'active', 'past_due']),
  time_zone: z.string(),
  period_start: timestamp,
  period_end: timestamp,
  /** Whether the payment provider keeps it: then it is changed there. */
  external: z.boolean(),
});
export type SubscriptionView = z.infer<typeof subscriptionView>;

/** `free` cancels at the end of the period; the present tier takes a change back. */
export const chooseTierBody = z.strictObject({ tier: z.string().regex(/^[a-z][a-z0-9_-]{0,39}$/) });

/** In which zone the months of credits are counted, by its IANA name: `Europe/Zurich`. */
export const subscriptionPatch = z.strictObject({ time_zone: z.string().min(1).max(64) });

/** Below which amounts the caller is told; null goes back to what the tier says. */
export const alertsBody = z.strictObject({ thresholds: lowThresholds.nullable() });

export const alertsView = z.object({
  thresholds: z.array(z.string()),
  /** Whether they are the tier's. */
  inherited: z.boolean(),
  /** Those that available is below now. */
  crossed: z.array(z.string()),
});
export type AlertsView = z.infer<typeof alertsView>;

export const usageGroup = z.enum(['day', 'tool', 'model', 'run']);

/** What was used within a group of usage. */
export const usageItem = z.object({
  /** A day of the zone asked for, a tool, a model, or a run. */
  key: z.string(),
  /** What it cost, and the part of it that was charged: less where a budget or the floor ended. */
  cost: creditAmount,
  charged: creditAmount,
  entries: z.number().int(),
  /** Of models alone. */
  input_tokens: z.string().nullable(),
  output_tokens: z.string().nullable(),
  first_at: timestamp,
  last_at: timestamp,
});
export type UsageItem = z.infer<typeof usageItem>;
export const usagePage = pageOf(usageItem).extend({
  group_by: usageGroup,
  from: timestamp,
  to: timestamp,
  time_zone: z.string(),
});

/** What is to be done: a run of a playbook or a goal, or the items of a research. */
export const estimateBody = z
  .strictObject({
    playbook: playbookSchema.optional(),
    goal: z.string().min(1).max(20_000).optional(),
    research: z.strictObject({ items: z.number().int().min(1).max(10_000) }).optional(),
    budget: creditsText.optional(),
  })
  .refine(
    ({ playbook, goal, research }) => [playbook, goal, research].filter(Boolean).length === 1,
    'give one of playbook, goal and research',
  );
export type EstimateBody = z.infer<typeof estimateBody>;

export const estimateView = z.object({
  lines: z.array(z.object({ operation: z.string(), quantity: z.string(), cost: creditAmount })),
  /** What a tenth and the half of the caller's last runs used of what they asked for; null before there are five. */
  low: creditAmount.nullable(),
  likely: creditAmount.nullable(),
  /** The most it can cost; null where nothing bounds it. */
  worst: creditAmount.nullable(),
  /** What would be held at the start; null when it would be denied. */
  hold: creditAmount.nullable(),
  allowed: z.boolean(),
  reason: z.enum(['ok', 'insufficient', 'no_subscription']),
  /** Whether it would wait, since as many runs as the tier allows are live. */
  waits: z.boolean(),
  available: creditAmount.nullable(),
  tier: z.string().nullable(),
  /** Items of a research that the tier works on at a time; null: no bound, or no research. */
  parallel_items: z.number().int().nullable(),
});
export type EstimateView = z.infer<typeof estimateView>;
