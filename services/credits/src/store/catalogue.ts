import type { Tx } from '@swissbrain/service-kit/database';
import type { CreditPricingTable, SubscriptionTiersTable } from '@swissbrain/shared-schema/db/credits';
import { type Selectable, sql } from 'kysely';

const tierColumns = [
  'code',
  'name',
  'monthly_credits_micro',
  'price_cents',
  'currency',
  'max_concurrent_runs',
  'max_parallel_items',
  'sandbox_cpu_millis',
  'sandbox_memory_mb',
  'sandbox_disk_mb',
  'sandbox_seconds',
  'retention_days',
  'requests_per_minute',
  'rollover_max_micro',
  'low_thresholds',
] as const;
export type TierRow = Pick<Selectable<SubscriptionTiersTable>, (typeof tierColumns)[number]>;

/** All tiers, smallest first. */
export async function selectTiers(tx: Tx): Promise<TierRow[]> {
  const { rows } = await sql<TierRow>`
    SELECT ${sql.join(tierColumns.map((column) => sql.ref(column)))}
    FROM public.subscription_tiers ORDER BY position`.execute(tx);
  return rows;
}

const priceColumns = [
  'id',
  'operation',
  'version',
  'description',
  'price_micro',
  'per_quantity',
  'unit',
  'valid_from',
] as const;
export type PriceRow = Pick<Selectable<CreditPricingTable>, (typeof priceColumns)[number]>;

/** The prices that hold now, by operation. */
export async function selectPrices(tx: Tx): Promise<PriceRow[]> {
  const { rows } = await sql<PriceRow>`
    SELECT ${sql.join(priceColumns.map((column) => sql.ref(column)))}
    FROM public.credit_pricing
    WHERE valid_from <= clock_timestamp() AND (valid_to IS NULL OR valid_to > clock_timestamp())
    ORDER BY operation`.execute(tx);
  return rows;
}
