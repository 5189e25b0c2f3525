import { decodeCursor, type PageQuery } from '@swissbrain/service-kit/cursor';
import type { Database } from '@swissbrain/service-kit/database';
import { toPage } from '@swissbrain/service-kit/page';
import type { Page } from '@swissbrain/shared-schema/http/page';
import type { UserId } from '@swissbrain/shared-schema/ids';
import { errors } from '../errors.ts';
import * as store from '../store/reviews.ts';
import { noAccount, underAudit } from './operate-account.ts';

export type {
  AccountDetailRow,
  DenialRow,
  GrantRow,
  PriceVersionRow,
  TierVersionRow,
} from '../store/reviews.ts';

type AuditEntryRow = Awaited<ReturnType<typeof store.selectAudit>>[number];

/** Who looks, and under which request. */
export interface Reviewer {
  readonly operatorId: UserId;
  readonly requestId: string;
}

const afterOf = ({ cursor }: PageQuery) => (cursor === undefined ? undefined : decodeCursor(cursor));
const ofLists = (who: Reviewer, action: string) => ({ ...who, action, userId: null, target: 'list' });

/** An account with what is left of its grants. @throws AppError `account_not_found` */
export function showAccount(
  database: Database,
  who: Reviewer,
  userId: UserId,
): Promise<{ account: store.AccountDetailRow; grants: store.GrantRow[] }> {
  const read = { ...who, action: 'account.show', userId, target: userId };
  return underAudit(database, read, async (tx) => {
    const account = await store.findAccountDetail(tx, userId);
    if (!account) throw noAccount(userId);
    return { account, grants: await store.selectGrants(tx, userId) };
  });
}

/** Recomputes one account from its log; every row is an invariant that does not hold. @throws AppError `account_not_found` */
export function verifyAccount(database: Database, who: Reviewer, userId: UserId): Promise<store.DriftRow[]> {
  return underAudit(database, { ...who, action: 'account.verify', userId, target: userId }, async (tx) => {
    if (!(await store.findAccountDetail(tx, userId))) throw noAccount(userId);
    return store.selectDrift(tx, [userId]);
  });
}

/** Notes that an operator looks at what does not add up, wherever it is then found. */
export function noteDriftRead(database: Database, who: Reviewer): Promise<void> {
  return underAudit(database, ofLists(who, 'drift.list'), async () => undefined);
}

/** Runs that were denied, newest first. @throws AppError `invalid_cursor` */
export async function listDenials(
  database: Database,
  who: Reviewer,
  page: PageQuery,
): Promise<Page<store.DenialRow>> {
  const filter = { after: afterOf(page), limit: page.limit + 1 };
  const rows = await underAudit(database, ofLists(who, 'denial.list'), (tx) =>
    store.selectDenials(tx, filter),
  );
  return toPage(rows, page.limit);
}

/** What operators did and looked at, newest first. @throws AppError `invalid_cursor` */
export async function listAudit(
  database: Database,
  who: Reviewer,
  { userId, ...page }: PageQuery & { userId: UserId | undefined },
): Promise<Page<AuditEntryRow>> {
  const filter = { userId, after: afterOf(page), limit: page.limit + 1 };
  const rows = await underAudit(database, ofLists(who, 'audit.list'), (tx) => store.selectAudit(tx, filter));
  return toPage(rows, page.limit);
}

/** Prices of all times, newest first. @throws AppError `invalid_cursor` */
export async function listPriceVersions(
  database: Database,
  who: Reviewer,
  { operation, ...page }: PageQuery & { operation: string | undefined },
): Promise<Page<store.PriceVersionRow>> {
  const filter = { operation, after: afterOf(page), limit: page.limit + 1 };
  const rows = await underAudit(database, ofLists(who, 'price.list'), (tx) =>
    store.selectPriceVersions(tx, filter),
  );
  return toPage(rows, page.limit);
}

/** The versions of a tier, newest first. @throws AppError `tier_not_found` */
export async function listTierVersions(
  database: Database,
  who: Reviewer,
  code: string,
): Promise<store.TierVersionRow[]> {
  const read = { ...who, action: 'tier.list', userId: null, target: code };
  return underAudit(database, read, async (tx) => {
    const versions = await store.selectTierVersions(tx, code);
    if (versions.length === 0) throw errors.tier_not_found(`there is no tier ${code}`);
    return versions;
  });
}
