import type { Database, Principal } from '@swissbrain/service-kit/database';
import { errors } from '../errors.ts';
import type { ObjectStore } from '../storage/object-store.ts';
import { type ArtifactRow, findArtifact, listArtifacts, listUserArtifacts } from '../store/artifacts.ts';
import { type RunEventRow, readRunEvents } from '../store/events.ts';
import { listMessages } from '../store/messages.ts';
import { findRun, listRuns, type RunListing, type RunSummary } from '../store/runs.ts';
import { listSteps } from '../store/steps.ts';
import {
  fittingRows,
  type OpenMessage,
  type OpenRun,
  type OpenStep,
  openEach,
  openMessage,
  openRun,
  openStep,
  outsideBytes,
} from './open-rows.ts';

interface Numbered {
  readonly after: number;
  readonly limit: number;
}

/** Where rows are, and what was too large for them. */
export interface ReadDeps {
  readonly database: Database;
  readonly objects: ObjectStore;
}

/** A page; it may end before its limit, where it would hold too much. */
interface Read<Row> {
  readonly rows: readonly Row[];
  readonly more: boolean;
}

const unknownRun = (runId: string) => errors.run_not_found(`there is no run ${runId}`);

/** One run of the caller. @throws AppError run_not_found, the same for another user's run as for none */
export async function readRun(deps: ReadDeps, principal: Principal, runId: string): Promise<OpenRun> {
  return openRun(deps.objects, await findOwnRun(deps.database, principal, runId));
}

/** As readRun, without a large output. */
export function findOwnRun(database: Database, principal: Principal, runId: string): Promise<RunSummary> {
  return database.withUser(principal, async (tx) => {
    const run = await findRun(tx, runId);
    if (!run) throw unknownRun(runId);
    return run;
  });
}

/** A page of the caller's runs, newest first. */
export async function readRuns(
  { database, objects }: ReadDeps,
  principal: Principal,
  listing: RunListing,
): Promise<{
  readonly runs: readonly (OpenRun & { readonly created_at_text: string })[];
  readonly more: boolean;
}> {
  const limit = listing.limit + 1;
  const rows = await database.withUser(principal, (tx) =>
    listRuns(tx, principal.userId, { ...listing, limit }),
  );
  const shown = fittingRows(rows.slice(0, listing.limit), (run) => outsideBytes(run.output_ref));
  const runs = await openEach(shown, async (run) => ({ ...run, ...(await openRun(objects, run)) }));
  return { runs, more: rows.length > runs.length };
}

/** Steps of a run in order. @throws AppError run_not_found */
export async function readSteps(
  { database, objects }: ReadDeps,
  principal: Principal,
  runId: string,
  page: Numbered,
): Promise<Read<OpenStep>> {
  const found = await database.withUser(principal, async (tx) => {
    if (!(await findRun(tx, runId))) throw unknownRun(runId);
    return listSteps(tx, runId, page.after, page.limit);
  });
  const shown = fittingRows(found, (step) => outsideBytes(step.input_ref, step.output_ref));
  const rows = await openEach(shown, (step) => openStep(objects, step));
  return { rows, more: found.length === page.limit || found.length > rows.length };
}

/** The conversation of a run in order. @throws AppError run_not_found */
export async function readMessages(
  { database, objects }: ReadDeps,
  principal: Principal,
  runId: string,
  page: Numbered,
): Promise<Read<OpenMessage>> {
  const found = await database.withUser(principal, async (tx) => {
    if (!(await findRun(tx, runId))) throw unknownRun(runId);
    return listMessages(tx, runId, page.after, page.limit);
  });
  const shown = fittingRows(found, (message) => outsideBytes(message.content_ref));
  const rows = await openEach(shown, (message) => openMessage(objects, message));
  return { rows, more: found.length === page.limit || found.length > rows.length };
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

/** A page of the caller's files, newest first. */
export function readUserArtifacts(
  database: Database,
  principal: Principal,
  page: Parameters<typeof listUserArtifacts>[2],
) {
  return database.withUser(principal, (tx) => listUserArtifacts(tx, principal.userId, page));
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
