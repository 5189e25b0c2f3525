import { z } from 'zod';
import { microAmount } from '../amount.ts';
import { uuid } from '../ids.ts';
import { defineEvent } from './envelope.ts';

/** The price of one operation, frozen when the reservation was made. */
export const frozenPrice = z.object({
  pricing_id: uuid,
  operation: z.string(),
  /** Micro-credits for `per_quantity` units. */
  price_micro: microAmount,
  per_quantity: z.string().regex(/^\d{1,18}$/),
  unit: z.string(),
});
export type FrozenPrice = z.infer<typeof frozenPrice>;

/** The limits of the user's tier; null means unlimited. */
export const tierLimits = z.object({
  tier: z.string(),
  max_concurrent_runs: z.number().int().nullable(),
  max_parallel_items: z.number().int().nullable(),
  sandbox_cpu_millis: z.number().int().positive(),
  sandbox_memory_mb: z.number().int().positive(),
  sandbox_disk_mb: z.number().int().positive(),
  sandbox_seconds: z.number().int().positive(),
  retention_days: z.number().int().nullable(),
  requests_per_minute: z.number().int().nullable(),
});
export type TierLimits = z.infer<typeof tierLimits>;

/** Events about one reservation; their order is the reservation's own sequence. */
const reservationEvent = <Shape extends z.ZodRawShape>(type: `${string}.${string}`, shape: Shape) =>
  defineEvent({
    type,
    version: 1,
    source: 'credits',
    aggregate: 'reservation',
    data: z.object({ reservation_id: uuid, run_id: uuid, ...shape }),
  });
/** Events about a user's account; their order is the balance row's sequence. */
const accountEvent = <Shape extends z.ZodRawShape>(type: `${string}.${string}`, shape: Shape) =>
  defineEvent({ type, version: 1, source: 'credits', aggregate: 'account', data: z.object(shape) });

export const creditsReserved = reservationEvent('credits.reserved', {
  held_micro: microAmount,
  available_micro: microAmount.nullable(),
  price_as_of: z.iso.datetime(),
  expires_at: z.iso.datetime(),
  ttl_seconds: z.number().int().positive(),
  prices: z.array(frozenPrice),
  limits: tierLimits,
});
export const creditsDenied = reservationEvent('credits.denied', {
  reason: z.enum(['insufficient']),
  required_micro: microAmount,
  available_micro: microAmount,
});
/** One event per reservation and settlement transaction; `lines` are the steps it recorded. */
export const creditsConsumed = reservationEvent('credits.consumed', {
  consumed_micro: microAmount,
  held_micro: microAmount,
  lines: z.array(
    z.object({ step_id: uuid, operation: z.string(), quantity: z.string(), cost_micro: microAmount }),
  ),
});
export const creditsReleased = reservationEvent('credits.released', {
  consumed_micro: microAmount,
  released_micro: microAmount,
  available_micro: microAmount.nullable(),
});
export const creditsExpired = reservationEvent('credits.expired', {
  consumed_micro: microAmount,
  released_micro: microAmount,
});
/**
 * The run has used more than can be paid: the runner must stop spending on it. Because of `balance` it may go on after
 * the next credits.granted that names it; because of `budget` no grant helps.
 */
export const creditsExhausted = reservationEvent('credits.exhausted', {
  debt_micro: microAmount,
  reason: z.enum(['balance', 'budget']).optional(),
});
/** Credits came. What is debt is repaid first, so `available_micro` may still be negative. */
export const creditsGranted = accountEvent('credits.granted', {
  user_id: uuid.optional(),
  grant_id: uuid,
  grant_source: z.string(),
  amount_micro: microAmount,
  repaid_micro: microAmount.optional(),
  available_micro: microAmount.nullable(),
  /** The live runs that were told credits.exhausted for want of balance, when there is something to spend again. */
  resumable: z.array(z.object({ run_id: uuid, reservation_id: uuid })).optional(),
});

/** Available has fallen below a threshold; told once until it has risen above it again. */
export const creditsLow = defineEvent({
  type: 'credits.low',
  version: 1,
  source: 'credits',
  aggregate: 'alert',
  data: z.object({
    /** As it is set: `20%` of what the period granted, or credits. */
    threshold: z.string(),
    threshold_micro: microAmount,
    available_micro: microAmount,
    /** The entry of the account with which it fell. */
    account_seq: z.number().int(),
  }),
});

/** A subscription is not what it was, or a new period of it has begun. Its order is the subscription's own. */
export const subscriptionChanged = defineEvent({
  type: 'subscription.changed',
  version: 1,
  source: 'credits',
  aggregate: 'subscription',
  data: z.object({
    subscription_id: uuid,
    change: z.enum([
      'renewed',
      'upgraded',
      'downgraded',
      'cancelled',
      'downgrade_scheduled',
      'cancel_scheduled',
      'change_withdrawn',
      'payment_failed',
      'payment_recovered',
      'time_zone_changed',
      'ended',
    ]),
    status: z.enum(['trialing', 'active', 'past_due', 'ended']),
    tier: z.string(),
    /** The tier before; null where nobody can tell any more. */
    previous_tier: z.string().nullable(),
    /** What the tier becomes when the period ends; null: it stays. */
    next_tier: z.string().nullable(),
    period_start: z.iso.datetime(),
    period_end: z.iso.datetime(),
  }),
});

const userEvent = (type: `${string}.${string}`) =>
  defineEvent({ type, version: 1, source: 'credits', aggregate: 'user', data: z.object({ user_id: uuid }) });
/** Appended by triggers on auth.users and relayed by credits. */
export const userCreated = userEvent('user.created');
export const userDeleted = userEvent('user.deleted');

export const creditsEvents = [
  creditsReserved,
  creditsDenied,
  creditsConsumed,
  creditsReleased,
  creditsExpired,
  creditsExhausted,
  creditsGranted,
  creditsLow,
  subscriptionChanged,
  userCreated,
  userDeleted,
] as const;
