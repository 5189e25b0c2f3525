import type { ServiceName } from '../ids.ts';
import { estimateRun, listBillableSteps, readRunStates } from './agent-runner.ts';
import { extendReservation, heartbeatReservations } from './credits.ts';
import type { RpcDefinition } from './definition.ts';

/** Who asks what: the methods of others that a service calls. The server's permissions are made from it. */
export const rpcCalls: Readonly<Record<ServiceName, readonly RpcDefinition[]>> = {
  'agent-runner': [extendReservation, heartbeatReservations],
  credits: [estimateRun, listBillableSteps, readRunStates],
  connectors: [],
  'wide-research': [],
  scheduler: [],
  collab: [],
};
