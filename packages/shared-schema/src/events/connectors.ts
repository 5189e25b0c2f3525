import { z } from 'zod';
import { uuid } from '../ids.ts';
import { defineEvent } from './envelope.ts';

/** Events about one connected account; their order is the credential's own sequence. */
const credentialEvent = <Shape extends z.ZodRawShape>(type: `${string}.${string}`, shape: Shape) =>
  defineEvent({
    type,
    version: 1,
    source: 'connectors',
    aggregate: 'credential',
    data: z.object({ credential_id: uuid, connector: z.string().min(1), ...shape }),
  });

export const connectorConnected = credentialEvent('connector.connected', {
  provider_account_id: z.string(),
  granted_scopes: z.array(z.string()),
  /** True when an account that was connected before was connected again. */
  reconnected: z.boolean(),
});
/** The provider refuses to renew the token: only the user can connect the account again. */
export const connectorReauthRequired = credentialEvent('connector.reauth_required', {
  reason: z.enum(['refresh_refused', 'refresh_expired', 'no_refresh_token', 'scope_missing']),
  provider_error: z.string().nullable(),
});
/** An account that needed its user works again. */
export const connectorRecovered = credentialEvent('connector.recovered', {
  unavailable_since: z.iso.datetime(),
});
export const connectorDisconnected = credentialEvent('connector.disconnected', {
  reason: z.enum(['requested', 'account_deleted']),
  /** Whether the provider confirmed that the token is dead; null where it offers no way to revoke. */
  revoked_at_provider: z.boolean().nullable(),
});
/** One call through a connector. With a run id, the run's step bills it and this event is never charged. */
export const connectorCalled = credentialEvent('connector.called', {
  run_id: uuid.nullable(),
  step_id: uuid.nullable(),
  action: z.string().min(1),
  access: z.enum(['read', 'write', 'destructive']),
  outcome: z.enum(['ok', 'upstream_error', 'refused', 'timeout', 'unknown']),
  upstream_status: z.number().int().min(100).max(599).nullable(),
  duration_ms: z.number().int().nonnegative(),
});
/** A verified delivery of a provider's webhook; the body itself stays with connectors and is read by its id. */
export const webhookReceived = defineEvent({
  type: 'webhook.received',
  version: 1,
  source: 'connectors',
  aggregate: 'webhook',
  data: z.object({
    webhook_id: uuid,
    credential_id: uuid.nullable(),
    connector: z.string().min(1),
    delivery_id: z.string().min(1),
    topic: z.string(),
    body_bytes: z.number().int().nonnegative(),
    sha256: z.string().regex(/^[0-9a-f]{64}$/),
  }),
});

export const connectorsEvents = [
  connectorConnected,
  connectorReauthRequired,
  connectorRecovered,
  connectorDisconnected,
  connectorCalled,
  webhookReceived,
] as const;
