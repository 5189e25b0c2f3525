import { z } from 'zod';
import { uuid } from '../ids.ts';
import { defineRpc } from './definition.ts';

/** What an action may change at the provider. */
export const connectorAccess = z.enum(['read', 'write', 'destructive']);

/** The accounts that a user has connected, with what can be done there. */
export const listConnections = defineRpc({
  service: 'connectors',
  method: 'connections',
  request: z.object({ user_id: uuid }),
  response: z.object({
    connections: z.array(
      z.object({
        connector: z.string(),
        name: z.string(),
        account: z.string().nullable(),
        /** False when only the user can connect it again. */
        usable: z.boolean(),
        actions: z.array(
          z.object({
            name: z.string(),
            description: z.string(),
            access: connectorAccess,
            input_schema: z.record(z.string(), z.unknown()),
          }),
        ),
      }),
    ),
  }),
  timeoutMs: 10_000,
});

/**
 * Performs one action in an account of this user, under the idempotency key of the call: asked again with the same key, it
 * answers with what came of it, or `outcome_unknown` where nobody can tell. An action that may change more than `access` is
 * refused as `access_exceeded`, whatever was asked for.
 */
export const callConnector = defineRpc({
  service: 'connectors',
  method: 'call',
  request: z.object({
    user_id: uuid,
    run_id: uuid,
    step_id: uuid,
    connector: z.string().min(1).max(63),
    action: z.string().min(1).max(100),
    access: connectorAccess,
    input: z.record(z.string(), z.json()),
  }),
  response: z.object({
    upstream_status: z.number().int().min(100).max(599).nullable(),
    output: z.json(),
    truncated: z.boolean(),
  }),
  timeoutMs: 60_000,
});
