import type { runEventView } from '@swissbrain/shared-schema/http/agent-runner';
import type { paths as AgentRunner } from './generated/agent-runner.ts';
import type { paths as Collab } from './generated/collab.ts';
import type { paths as Credits } from './generated/credits.ts';

/** The body of a success. */
type Answer<Operation> = Operation extends {
  responses: { 200: { content: { 'application/json': infer Given } } };
}
  ? Given
  : never;
type Body<Operation> = Operation extends {
  requestBody: { content: { 'application/json': infer Sent } };
}
  ? Sent
  : never;
type Item<Page> = Page extends { items: readonly (infer One)[] } ? One : never;

export type CreateRunBody = Body<AgentRunner['/v1/runs']['post']>;
export type RunView = Answer<AgentRunner['/v1/runs/{id}']['get']>;
export type RunStatus = RunView['status'];
export type RunPage = Answer<AgentRunner['/v1/runs']['get']>;
export type StepPage = Answer<AgentRunner['/v1/runs/{id}/steps']['get']>;
export type StepView = Item<StepPage>;
export type MessagePage = Answer<AgentRunner['/v1/runs/{id}/messages']['get']>;
export type MessageView = Item<MessagePage>;
/** A frame of the event stream, which OpenAPI has no words for. */
export type RunEvent = (typeof runEventView)['_output'];
export type ArtifactView = Item<Answer<AgentRunner['/v1/runs/{id}/artifacts']['get']>>;
export type ArtifactLink = Answer<AgentRunner['/v1/artifacts/{id}']['get']>;
export type ToolView = Item<Answer<AgentRunner['/v1/tools']['get']>>;

export type BalanceView = Answer<Credits['/v1/credits/balance']['get']>;
export type TransactionPage = Answer<Credits['/v1/credits/transactions']['get']>;
export type TransactionView = Item<TransactionPage>;
export type ReservationPage = Answer<Credits['/v1/credits/reservations']['get']>;
export type ReservationView = Item<ReservationPage>;
export type TierView = Item<Answer<Credits['/v1/credits/tiers']['get']>>;
export type PriceView = Item<Answer<Credits['/v1/credits/prices']['get']>>;

export type UsagePage = Answer<Credits['/v1/credits/usage']['get']>;
export type UsageItem = Item<UsagePage>;
export type EstimateBody = Body<Credits['/v1/credits/estimate']['post']>;
export type EstimateView = Answer<Credits['/v1/credits/estimate']['post']>;
export type AccountDetail = Answer<Credits['/v1/admin/accounts/{user_id}']['get']>;
export type AccountDrift = Item<Answer<Credits['/v1/admin/accounts/{user_id}/drift']['get']>>;
export type AuditEntry = Answer<Credits['/v1/admin/accounts/{user_id}/grants']['post']>;
export type GrantBody = Body<Credits['/v1/admin/accounts/{user_id}/grants']['post']>;
export type ChangeTierBody = Body<Credits['/v1/admin/accounts/{user_id}/tier']['post']>;
export type PriceVersionPage = Answer<Credits['/v1/admin/prices']['get']>;
export type VersionPriceBody = Body<Credits['/v1/admin/prices']['post']>;

/** All services have dead letters alike. */
export type DeadLetterPage = Answer<Collab['/v1/admin/dead-letters']['get']>;
export type DeadLetter = Item<DeadLetterPage>;
export type DeadLetterDetail = Answer<Collab['/v1/admin/dead-letters/{sequence}']['get']>;
export type RedriveView = Answer<Collab['/v1/admin/dead-letters/{sequence}/redrive']['post']>;

const finalStatus: ReadonlySet<RunStatus> = new Set<RunStatus>([
  'completed',
  'failed',
  'cancelled',
  'timed_out',
]);

/** True for the four states that a run never leaves. */
export function isFinal(status: RunStatus): boolean {
  return finalStatus.has(status);
}

const closedReservation: ReadonlySet<ReservationView['status']> = new Set([
  'settled',
  'expired',
  'denied',
] as const);

/** True when a hold has ended and its amounts are final. */
export function isClosed(reservation: ReservationView): boolean {
  return closedReservation.has(reservation.status);
}
