import type { ConsumerDefinition } from '@swissbrain/service-kit/consumer';
import { createGather } from '@swissbrain/service-kit/gather';
import {
  runCancelled,
  runCompleted,
  runFailed,
  runTimedOut,
  stepCompleted,
  stepFailed,
} from '@swissbrain/shared-schema/events/agent-runner';
import {
  researchCancelled,
  researchCompleted,
  researchFailed,
} from '@swissbrain/shared-schema/events/wide-research';
import type { Config } from '../config.ts';
import { closesAccount, opensAccount } from './accounts.ts';
import { closesResearch, holdsForResearch, recordsItems } from './research.ts';
import { closesRun, recordsSteps, reservesRun } from './runs.ts';

/** Charges of so long share a transaction. */
const gatherMs = 50;

/** Everything credits listens to, one durable per kind of event. */
export function consumers(config: Config): ConsumerDefinition[] {
  const charges = createGather(gatherMs);
  return [
    opensAccount,
    closesAccount,
    reservesRun({
      minimum: config.RESERVATION_MINIMUM_CREDITS,
      ttlSeconds: config.RESERVATION_TTL_SECONDS,
    }),
    recordsSteps('step-completed', stepCompleted, charges),
    recordsSteps('step-failed', stepFailed, charges),
    closesRun('run-completed', runCompleted, charges),
    closesRun('run-failed', runFailed, charges),
    closesRun('run-cancelled', runCancelled, charges),
    closesRun('run-timed-out', runTimedOut, charges),
    holdsForResearch({
      minimum: config.RESERVATION_MINIMUM_CREDITS,
      ttlSeconds: config.RESEARCH_TTL_SECONDS,
    }),
    recordsItems,
    closesResearch('research-completed', researchCompleted),
    closesResearch('research-failed', researchFailed),
    closesResearch('research-cancelled', researchCancelled),
  ];
}
