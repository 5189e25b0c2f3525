import { identifierOf, type ServiceName } from '../ids.ts';
import {
  runCancelled,
  runCompleted,
  runFailed,
  runRequested,
  runTimedOut,
  stepCompleted,
  stepFailed,
} from './agent-runner.ts';
import {
  creditsDenied,
  creditsExhausted,
  creditsExpired,
  creditsGranted,
  creditsReserved,
  userCreated,
  userDeleted,
} from './credits.ts';
import type { EventDefinition } from './envelope.ts';
import { scheduleFired } from './scheduler.ts';
import {
  researchCancelled,
  researchCompleted,
  researchFailed,
  researchItemCancelled,
  researchItemCompleted,
  researchItemRequested,
  researchStarted,
} from './wide-research.ts';

/**
 * Who listens to what, by the name of the durable without its service. The server's permissions are made from it:
 * a consumer that a service declares and that is missing here is refused where services have users of their own.
 */
export const eventConsumers: Readonly<Record<ServiceName, Readonly<Record<string, EventDefinition>>>> = {
  'agent-runner': {
    'admit-run': creditsReserved,
    'deny-run': creditsDenied,
    'stop-exhausted-run': creditsExhausted,
    'resume-granted-run': creditsGranted,
    'stop-expired-run': creditsExpired,
    'start-scheduled-run': scheduleFired,
    'start-research-item': researchItemRequested,
    'cancel-research-item': researchItemCancelled,
    'forget-user': userDeleted,
  },
  credits: {
    'user-created': userCreated,
    'user-deleted': userDeleted,
    'run-requested': runRequested,
    'step-completed': stepCompleted,
    'step-failed': stepFailed,
    'run-completed': runCompleted,
    'run-failed': runFailed,
    'run-cancelled': runCancelled,
    'run-timed-out': runTimedOut,
    'research-started': researchStarted,
    'research-item-completed': researchItemCompleted,
    'research-completed': researchCompleted,
    'research-failed': researchFailed,
    'research-cancelled': researchCancelled,
  },
  connectors: { 'forget-user': userDeleted },
  'wide-research': { 'forget-user': userDeleted },
  scheduler: { 'forget-user': userDeleted },
  collab: { 'forget-user': userDeleted },
};

/** The durable on the server, which all services share: `<service>_<durable>`. */
export function durableName(service: ServiceName, durable: string): string {
  const prefix = `${identifierOf(service)}_`;
  return durable.startsWith(prefix) ? durable : `${prefix}${durable}`;
}

/** The consumer through which a relay looks whether the stream still has what it has published. */
export function outboxCheckName(service: ServiceName): string {
  return durableName(service, 'outbox');
}
