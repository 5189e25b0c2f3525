import type { Database, Principal } from '@swissbrain/service-kit/database';
import { errors } from '../errors.ts';
import { type ArtifactRow, findArtifact, listArtifacts } from '../store/artifacts.ts';
import { type RunEventRow, readRunEvents } from '../store/events.ts';
import { listMessages, type MessageRow } from '../store/messages.ts';
import { findRun, listRuns, type RunListing, type RunSummary } from '../store/runs.ts';
import { listSteps, type StepRow } from '../store/steps.ts';

interface Numbered {
  readonly after: number;
  readonly limit: number;
}

const unknownRun = (runId: string) => errors.run_not_found(`there is no run ${runId}`);

/** One run of the caller. @throws AppError run_not_found, the same for another user's run as for none */
export function readRun(database: Database, principal: Principal, runId: string): Promise<RunSummary> {
  return database.withUser(principal, async (tx) => {
    const run = await findRun(tx, runId);
    if (!run) throw unknownRun(runId);
    return run;
  });
}

/** A page of the caller's runs, newest first. */
export function readRuns(database: Database, principal: Principal, listing: RunListing) {
  return database.withUser(principal, (tx) => listRuns(tx, principal.userId, listing));
}

/** Steps of a run in order. @throws AppError run_not_found */
export function readSteps(
  database: Database,
  principal: Principal,
  runId: string,
  page: Numbered,
): Promise<StepRow[]> {
  return database.withUser(principal, async (tx) => {
    if (!(await findRun(tx, runId))) throw unknownRun(runId);
    return listSteps(tx, runId, page.after, page.limit);
  });
}

/** The conversation of a run in order. @throws AppError run_not_found */
export function readMessages(
  database: Database,
  principal: Principal,
  runId: string,
  page: Numbered,
): Promise<MessageRow[]> {
  return database.withUser(principal, async (tx) => {
    if (!(await findRun(tx, runId))) throw unknownRun(runId);
    return listMessages(tx, runId, page.after, page.limit);
  });
}

/** The files of a run. @throws AppError run_not_found */
export function readArtifacts(
  database: Database,
  principal: Principal,
  runId: string,
): Promise<ArtifactRow[]> {
  return database.withUser(principal, async (tx) => {
    if (!(await findRun(tx, runId))) throw unknownRun(runId);
    return listArtifacts(tx, runId);
  });
}

/** One file of the caller. @throws AppError artifact_not_found */
export function readArtifact(database: Database, principal: Principal, id: string): Promise<ArtifactRow> {
  return database.withUser(principal, async (tx) => {
    const artifact = await findArtifact(tx, id);
    if (!artifact) throw errors.artifact_not_found(`there is no artifact ${id}`);
    return artifact;
  });
}

/** One file by a link that was checked before. @throws AppError artifact_not_found */
export function readLinkedArtifact(database: Database, id: string): Promise<ArtifactRow> {
  return database.withService(async (tx) => {
    const artifact = await findArtifact(tx, id);
    if (!artifact) throw errors.artifact_not_found(`there is no artifact ${id}`);
    return artifact;
  });
}

/** Events of a run after `after`; none for a run that is not the caller's. */
export function readEvents(
  database: Database,
  principal: Principal,
  runId: string,
  after: bigint,
  limit: number,
): Promise<RunEventRow[]> {
  return database.withUser(principal, (tx) => readRunEvents(tx, runId, after, limit));
}
