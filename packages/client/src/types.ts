import type {
  ArtifactView,
  artifactLinkView,
  artifactList,
  createRunBody,
  messagePage,
  messageView,
  RunStatus,
  RunView,
  runEventView,
  runPage,
  StepView,
  stepPage,
  toolList,
  toolView,
} from '@swissbrain/shared-schema/http/agent-runner';

import type {
  AccountDetail,
  AuditEntry,
  changeTierBody,
  driftList,
  grantBody,
  priceVersionPage,
  versionPriceBody,
} from '@swissbrain/shared-schema/http/credit-operators';
import type {
  BalanceView,
  EstimateView,
  estimateBody,
  PriceView,
  priceList,
  ReservationView,
  reservationPage,
  TierView,
  TransactionView,
  tierList,
  transactionPage,
  UsageItem,
  usagePage,
} from '@swissbrain/shared-schema/http/credits';
import type {
  DeadLetterDetail,
  DeadLetterView,
  deadLetterPage,
  RedriveView,
} from '@swissbrain/shared-schema/http/dead-letters';

/** What a schema accepts and what it yields, without a dependency on the schema library. */
type Input<Schema extends { readonly _input: unknown }> = Schema['_input'];
type Output<Schema extends { readonly _output: unknown }> = Schema['_output'];

export type { ArtifactView, RunStatus, RunView, StepView };
export type CreateRunBody = Input<typeof createRunBody>;
export type RunPage = Output<typeof runPage>;
export type StepPage = Output<typeof stepPage>;
export type MessageView = Output<typeof messageView>;
export type MessagePage = Output<typeof messagePage>;
export type RunEvent = Output<typeof runEventView>;
export type ArtifactList = Output<typeof artifactList>;
export type ArtifactLink = Output<typeof artifactLinkView>;
export type ToolView = Output<typeof toolView>;
export type ToolList = Output<typeof toolList>;

export type {
  AccountDetail,
  AuditEntry,
  BalanceView,
  DeadLetterDetail,
  EstimateView,
  PriceView,
  RedriveView,
  ReservationView,
  TierView,
  TransactionView,
  UsageItem,
};
export type DeadLetter = DeadLetterView;
export type DeadLetterPage = Output<typeof deadLetterPage>;
export type EstimateBody = Input<typeof estimateBody>;
export type UsagePage = Output<typeof usagePage>;
export type GrantBody = Input<typeof grantBody>;
export type ChangeTierBody = Input<typeof changeTierBody>;
export type VersionPriceBody = Input<typeof versionPriceBody>;
export type PriceVersionPage = Output<typeof priceVersionPage>;
export type AccountDrift = Output<typeof driftList>['items'][number];
export type PriceList = Output<typeof priceList>;
export type TierList = Output<typeof tierList>;
export type ReservationPage = Output<typeof reservationPage>;
export type TransactionPage = Output<typeof transactionPage>;

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
