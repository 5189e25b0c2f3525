import type { ServiceName } from '../ids.ts';
import { estimateRun, listBillableSteps, readRunStates } from './agent-runner.ts';
import { appendToDocument } from './collab.ts';
import { callConnector, listConnections } from './connectors.ts';
import { extendReservation, heartbeatReservations } from './credits.ts';
import type { RpcDefinition } from './definition.ts';
import { createSchedule, listSchedules, pauseSchedule } from './scheduler.ts';
import { readResearch, startResearch } from './wide-research.ts';

/** Who asks what: the methods of others that a service calls. The server's permissions are made from it. */
export const rpcCalls: Readonly<Record<ServiceName, readonly RpcDefinition[]>> = {
  'agent-runner': [
    ...[
      extendReservation,
      heartbeatReservations,
      callConnector,
      listConnections,
      startResearch,
      readResearch,
    ],
    ...[createSchedule, listSchedules, pauseSchedule, appendToDocument],
  ],
  credits: [estimateRun, listBillableSteps, readRunStates],
  connectors: [],
  'wide-research': [],
  scheduler: [],
  collab: [],
};
