import { principalOf } from '@swissbrain/service-kit/http';
import { idempotencyKeyOf } from '@swissbrain/service-kit/idempotency';
import { operatorsOnly } from '@swissbrain/service-kit/operators';
import { type AuditEntry, auditEntry } from '@swissbrain/shared-schema/http/credit-operators';
import type { z } from 'zod';
import type { Operated, OperatorCall } from '../operations/operate-account.ts';
import type { Reviewer } from '../operations/review-accounts.ts';
import { toAuditEntry } from './operator-views.ts';

export { operatorsOnly };

type Request = Parameters<typeof principalOf>[0];

export const tags = ['operators'];

/** Options of a route that changes something and answers with the audit entry of it. */
export function changes<Body extends z.ZodType, Params extends z.ZodType>(
  summary: string,
  { body, params }: { body: Body; params: Params },
) {
  return {
    onRequest: operatorsOnly,
    schema: { tags, summary, body, params, response: { 200: auditEntry } },
  };
}

/** Who asks for a change, under which key. @throws AppError 400 `idempotency_key_required` */
export function callOf(request: Request, reason: string): OperatorCall {
  return { ...reviewerOf(request), key: idempotencyKeyOf(request), reason };
}

/** Who looks. */
export function reviewerOf(request: Request): Reviewer {
  return { operatorId: principalOf(request).userId, requestId: request.id };
}

/** The answer to a change; a repeat says so in its headers. */
export function answer(request: Request, { entry, replayed }: Operated): AuditEntry {
  request.idempotencyReplayed = replayed;
  return toAuditEntry(entry);
}
