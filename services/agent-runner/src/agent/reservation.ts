import { frozenPrice, tierLimits } from '@swissbrain/shared-schema/events/credits';
import { z } from 'zod';
import type { PriceList } from '../domain/usage.ts';
import type { SessionLimits } from '../sandbox/driver.ts';

const stored = z.object({ prices: z.array(frozenPrice), limits: tierLimits });

/** What credits.reserved said of a run, as its row keeps it. */
export interface Reservation {
  readonly prices: PriceList;
  readonly limits: SessionLimits;
}

/** Reads the reservation of a run's row. @throws ZodError when the run has none */
export function readReservation(value: unknown): Reservation {
  const { prices, limits } = stored.parse(value);
  return {
    prices: new Map(
      prices.map((price) => [
        price.operation,
        {
          operation: price.operation,
          priceMicro: BigInt(price.price_micro),
          perQuantity: BigInt(price.per_quantity),
        },
      ]),
    ),
    limits: {
      tier: limits.tier,
      cpuMillis: limits.sandbox_cpu_millis,
      memoryMb: limits.sandbox_memory_mb,
      diskMb: limits.sandbox_disk_mb,
      seconds: limits.sandbox_seconds,
    },
  };
}
