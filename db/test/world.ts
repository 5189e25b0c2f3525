import type { Session } from './acting.ts';
import { constrainedTables } from './constraints/all.ts';
import { type Rule, readRules } from './constraints/catalog.ts';
import { insert } from './constraints/check.ts';
import { definition, type Row, users } from './constraints/table.ts';

/** Tables of which two users share the rows. */
const shared = [
  'public.connector_definitions',
  'public.subscription_tiers',
  'public.subscription_tier_versions',
  'public.credit_pricing',
  'public.payment_comparisons',
  'public.payment_events',
  'public.outbox_shards',
  'sb.deleted_users',
  'sb.monthly_partitions',
];
/** Values that two users cannot both have. */
const ofSecond: Readonly<Record<string, Row>> = {
  'public.collaboration_invites': { token_hash: `\\x${'02'.repeat(32)}` },
  'public.payment_cancellations': { subscription_ref: 'other' },
  'public.payment_refunds': { charge_ref: 'other' },
  'public.user_subscriptions': { external_ref: 'other', external_customer_ref: 'other' },
};

/** The id that stands in the second world for one of the first. */
export const inSecondWorld = (id: string): string => id.replace(/^5b/, '5c');

/**
 * Inserts one row into each table for Alice, whose session Bob takes part in, and the same for two others: everything
 * that one user has, and everything that must stay as it is when that user goes.
 */
export async function createWorlds(session: Session): Promise<void> {
  const tables = await readRules(session);
  const rules = tables.flatMap((table) => table.rules);
  const order = parentsFirst(
    tables.map(({ name }) => name),
    rules,
  );
  for (const user of users) await insert(session, 'auth.users', { id: user });
  for (const user of users) await insert(session, 'auth.users', { id: inSecondWorld(user) });
  for (const name of order) await insert(session, name, rowOf(name));
  for (const name of order.filter((table) => !shared.includes(table))) {
    await insert(session, name, { ...moved(rowOf(name)), ...ofSecond[name] });
  }
}

/** The row of a table in the first world. */
export function rowOf(name: string): Row {
  const row = constrainedTables[name]?.row;
  if (row === undefined) throw new Error(`no row for ${name}`);
  return row;
}

/** The same row in the second world. */
export function moved(row: Row): Row {
  return Object.fromEntries(
    Object.entries(row).map(([column, value]) => [
      column,
      typeof value === 'string' && value !== definition ? inSecondWorld(value) : value,
    ]),
  );
}

function parentsFirst(names: readonly string[], rules: readonly Rule[]): string[] {
  const order: string[] = [];
  const visit = (name: string): void => {
    if (order.includes(name) || !names.includes(name)) return;
    for (const { table, parent } of rules)
      if (table === name && parent !== null && parent.table !== name) visit(parent.table);
    order.push(name);
  };
  names.forEach(visit);
  return order;
}

/** Every row of every table of ours as text, by table and primary key. */
export async function takeSnapshot(session: Session): Promise<Snapshot> {
  const snapshot = new Map<string, Map<string, Readonly<Record<string, unknown>>>>();
  for (const { name, rules } of await readRules(session)) {
    const key = rules.find(({ kind }) => kind === 'p')?.columns ?? [];
    const rows = await session.query<{ row: Record<string, unknown> }>(
      `SELECT to_jsonb(t) AS row FROM ${name} t`,
    );
    snapshot.set(name, new Map(rows.map(({ row }) => [key.map((column) => row[column]).join(), row])));
  }
  return snapshot;
}

export type Snapshot = ReadonlyMap<string, ReadonlyMap<string, Readonly<Record<string, unknown>>>>;

export interface Difference {
  /** How many rows went, by table. */
  readonly gone: Readonly<Record<string, number>>;
  readonly added: Readonly<Record<string, number>>;
  /** Which columns of rows that stayed have another value, by table. */
  readonly changed: Readonly<Record<string, readonly string[]>>;
}

export function difference(before: Snapshot, after: Snapshot): Difference {
  const gone: Record<string, number> = {};
  const added: Record<string, number> = {};
  const changed: Record<string, string[]> = {};
  for (const [name, rows] of before) {
    const now = after.get(name) ?? new Map<string, Readonly<Record<string, unknown>>>();
    const lost = [...rows.keys()].filter((key) => !now.has(key)).length;
    const born = [...now.keys()].filter((key) => !rows.has(key)).length;
    const columns = [...rows].flatMap(([key, row]) => changedColumns(row, now.get(key)));
    if (lost > 0) gone[name] = lost;
    if (born > 0) added[name] = born;
    if (columns.length > 0) changed[name] = [...new Set(columns)];
  }
  return { gone, added, changed };
}

function changedColumns(
  row: Readonly<Record<string, unknown>>,
  now?: Readonly<Record<string, unknown>>,
): string[] {
  if (now === undefined) return [];
  return Object.keys(row).filter((column) => JSON.stringify(row[column]) !== JSON.stringify(now[column]));
}
