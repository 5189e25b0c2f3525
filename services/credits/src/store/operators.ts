import type { Tx } from '@swissbrain/service-kit/database';
import type { UserId } from '@swissbrain/shared-schema/ids';
import { type RawBuilder, sql } from 'kysely';
import { z } from 'zod';
import { callLedgerOnce } from './ledger-call.ts';

/** Who asks for something that is audited, and why. */
export interface OperatorCall {
  readonly operatorId: UserId;
  readonly key: string;
  readonly reason: string;
  readonly requestId: string;
}

const auditRow = z.object({
  id: z.string(),
  operator_id: z.string(),
  action: z.string(),
  user_id: z.string().nullable(),
  target: z.string(),
  before: z.record(z.string(), z.unknown()).nullable(),
  after: z.record(z.string(), z.unknown()).nullable(),
  reason: z.string().nullable(),
  request_id: z.string(),
  created_at: z.coerce.date(),
});
/** What an operator did, as the audit keeps it. */
export type AuditRow = z.infer<typeof auditRow>;

/** An action with its audit row; `replayed` when it had been done before under the same key. */
export interface Operated {
  readonly entry: AuditRow;
  readonly replayed: boolean;
}
const operated = auditRow.extend({ replayed: z.boolean() });

async function operate(tx: Tx, call: RawBuilder<unknown>): Promise<Operated> {
  const { done } = await callLedgerOnce(tx, sql<{ done: unknown }>`SELECT ${call} AS done`);
  const { replayed, ...entry } = operated.parse(done);
  return { entry, replayed };
}

const by = ({ operatorId, key, reason, requestId }: OperatorCall) =>
  sql`${JSON.stringify({ operator_id: operatorId, key, reason, request_id: requestId })}::jsonb`;

export interface GrantRequest {
  readonly userId: UserId;
  readonly kind: string;
  readonly amount: bigint;
  readonly expiresAt: string | null;
}

/** Gives credits. */
export function grantCredits(tx: Tx, call: OperatorCall, grant: GrantRequest): Promise<Operated> {
  const { userId, kind, amount, expiresAt } = grant;
  return operate(
    tx,
    sql`public.operator_grant(${by(call)}, ${userId}::uuid, ${kind}, ${amount}::bigint, ${expiresAt}::timestamptz)`,
  );
}

/** Corrects an account, up or down. */
export function adjustAccount(
  tx: Tx,
  call: OperatorCall,
  { userId, amount }: { userId: UserId; amount: bigint },
): Promise<Operated> {
  return operate(tx, sql`public.operator_adjust(${by(call)}, ${userId}::uuid, ${amount}::bigint)`);
}

/** Gives usage back; wholly when `amount` is null. */
export function refundUsage(
  tx: Tx,
  call: OperatorCall,
  refund: { userId: UserId; transactionId: string; amount: bigint | null },
): Promise<Operated> {
  const { userId, transactionId, amount } = refund;
  return operate(
    tx,
    sql`public.operator_refund(${by(call)}, ${userId}::uuid, ${transactionId}::uuid, ${amount}::bigint)`,
  );
}

/** Takes back what is left of a grant, but for what holds pin. */
export function revokeGrant(
  tx: Tx,
  call: OperatorCall,
  { userId, grantId }: { userId: UserId; grantId: string },
): Promise<Operated> {
  return operate(tx, sql`public.operator_revoke_grant(${by(call)}, ${userId}::uuid, ${grantId}::uuid)`);
}

/** Moves an account to a tier. */
export function changeTier(
  tx: Tx,
  call: OperatorCall,
  { userId, tier, atOnce }: { userId: UserId; tier: string; atOnce: boolean },
): Promise<Operated> {
  return operate(
    tx,
    sql`public.operator_change_tier(${by(call)}, ${userId}::uuid, ${tier}, ${atOnce}::boolean)`,
  );
}

export interface NewPrice {
  readonly operation: string;
  readonly price: bigint;
  readonly perQuantity: number;
  readonly unit: string | null;
  readonly description: string | null;
  readonly from: string;
}

/** A new version of a price. */
export function versionPrice(tx: Tx, call: OperatorCall, price: NewPrice): Promise<Operated> {
  const { operation, price: micro, perQuantity, unit, description, from } = price;
  return operate(
    tx,
    sql`public.operator_version_price(${by(call)}, ${operation}, ${micro}::bigint, ${perQuantity}::bigint, ${unit}::text,
      ${description}::text, ${from}::timestamptz)`,
  );
}

/** A new version of a tier; `terms` are columns of it. */
export function versionTier(
  tx: Tx,
  call: OperatorCall,
  tier: { code: string; terms: Readonly<Record<string, unknown>>; from: string },
): Promise<Operated> {
  const { code, terms, from } = tier;
  return operate(
    tx,
    sql`public.operator_version_tier(${by(call)}, ${code}, ${JSON.stringify(terms)}::jsonb, ${from}::timestamptz)`,
  );
}

/** Makes tiers what their versions say whose time has come; returns how many. */
export async function applyTierVersions(tx: Tx): Promise<number> {
  const { applied } = await callLedgerOnce(
    tx,
    sql<{ applied: number }>`SELECT public.apply_tier_versions() AS applied`,
  );
  return applied;
}

/** What an operator looks at. */
export interface OperatorRead {
  readonly operatorId: UserId;
  readonly requestId: string;
  readonly action: string;
  readonly userId: UserId | null;
  readonly target: string;
}

/** Notes that an operator looked at something. */
export async function recordRead(tx: Tx, read: OperatorRead): Promise<void> {
  const { operatorId, action, userId, target, requestId } = read;
  await sql`SELECT public.record_operator_read(${operatorId}::uuid, ${action}, ${userId}::uuid, ${target}, ${requestId})`.execute(
    tx,
  );
}
