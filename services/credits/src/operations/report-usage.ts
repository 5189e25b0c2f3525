import type { Clock } from '@swissbrain/service-kit/clock';
import type { Database, Principal } from '@swissbrain/service-kit/database';
import { kitErrors } from '@swissbrain/service-kit/errors';
import type { Page } from '@swissbrain/shared-schema/http/page';
import { z } from 'zod';
import { isTimeZone, usageRange } from '../domain/usage-range.ts';
import * as store from '../store/usage.ts';

export type { UsageEntryRow, UsageRow } from '../store/usage.ts';

/** What a report is about, as it was asked for. */
export interface AskedRange {
  readonly from?: string | undefined;
  readonly to?: string | undefined;
  readonly time_zone?: string | undefined;
}

export interface UsageReport extends Page<store.UsageRow> {
  readonly from: Date;
  readonly to: Date;
  readonly timeZone: string;
}

async function resolve(
  { database, clock }: { database: Database; clock: Clock },
  principal: Principal,
  asked: AskedRange,
): Promise<store.UsageFilter> {
  const { userId } = principal;
  if (asked.time_zone !== undefined && !isTimeZone(asked.time_zone)) {
    throw kitErrors.invalid_request(`time_zone: ${asked.time_zone} is not the name of a time zone`);
  }
  const timeZone =
    asked.time_zone ?? (await database.withUser(principal, (tx) => store.findTimeZone(tx, userId)));
  try {
    return { userId, timeZone, ...usageRange(asked, clock.now()) };
  } catch (thrown) {
    if (thrown instanceof RangeError) throw kitErrors.invalid_request(thrown.message);
    throw thrown;
  }
}

/**
 * One page of the caller's usage in groups.
 * @throws AppError `invalid_request` for a range or zone that cannot be, `invalid_cursor`
 */
export async function reportUsage(
  deps: { database: Database; clock: Clock },
  principal: Principal,
  asked: AskedRange & { group_by: store.UsageGroup; limit: number; cursor?: string | undefined },
): Promise<UsageReport> {
  const { group_by: groupBy, limit, cursor } = asked;
  const after = cursor === undefined ? undefined : decodePosition(cursor);
  const filter = await resolve(deps, principal, asked);
  const rows = await deps.database.withUser(principal, (tx) =>
    store.selectUsage(tx, { ...filter, groupBy, after, limit: limit + 1 }),
  );
  const items = rows.slice(0, limit);
  const last = rows.length > limit ? items.at(-1) : undefined;
  return { ...filter, items, next_cursor: last ? encodePosition(last) : null };
}

const positionSchema = z.tuple([z.string().max(40), z.string().min(1).max(150)]);

function encodePosition({ position, key }: store.UsageRow): string {
  return Buffer.from(JSON.stringify([position, key])).toString('base64url');
}

function decodePosition(cursor: string): { position: string; key: string } {
  try {
    const text = Buffer.from(cursor, 'base64url').toString('utf8');
    const [position, key] = positionSchema.parse(JSON.parse(text));
    return { position, key };
  } catch {
    throw kitErrors.invalid_cursor('the cursor does not come from an earlier page of this list');
  }
}

const batch = 1_000;

/**
 * The caller's usage, entry by entry, oldest first. Each batch is a transaction of its own, so that a slow reader
 * holds none; entries never change, so the batches agree.
 * @throws AppError `invalid_request` before the first entry
 */
export async function exportUsage(
  deps: { database: Database; clock: Clock },
  principal: Principal,
  asked: AskedRange,
): Promise<AsyncGenerator<store.UsageEntryRow>> {
  const filter = await resolve(deps, principal, asked);
  return entriesOf(deps.database, principal, filter);
}

async function* entriesOf(
  database: Database,
  principal: Principal,
  filter: store.UsageFilter,
): AsyncGenerator<store.UsageEntryRow> {
  let after: { createdAt: string; id: string } | undefined;
  for (;;) {
    const page = { ...filter, after, limit: batch };
    const rows = await database.withUser(principal, (tx) => store.selectUsageEntries(tx, page));
    yield* rows;
    const last = rows.at(-1);
    if (!last || rows.length < batch) return;
    after = { createdAt: last.position, id: last.id };
  }
}
