import type { ConsumerDefinition } from '@swissbrain/service-kit/consumer';
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

/** Everything credits listens to, one durable per kind of event. */
export function consumers(config: Config): ConsumerDefinition[] {
  return [
    opensAccount,
    closesAccount,
    reservesRun({
      minimum: config.RESERVATION_MINIMUM_CREDITS,
      ttlSeconds: config.RESERVATION_TTL_SECONDS,
    }),
    recordsSteps('step-completed', stepCompleted),
    recordsSteps('step-failed', stepFailed),
    closesRun('run-completed', runCompleted),
    closesRun('run-failed', runFailed),
    closesRun('run-cancelled', runCancelled),
    closesRun('run-timed-out', runTimedOut),
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
