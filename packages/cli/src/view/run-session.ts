import { join } from 'node:path';
import type { NatsConnection } from '@nats-io/transport-node';
import type { BalanceView, CreateRunBody } from '@swissbrain/client/types';
import type { Clock } from '@swissbrain/service-kit/clock';
import { CliError } from '../cli-error.ts';
import type { Connection } from '../connection.ts';
import { outputsOf, saveArtifacts } from '../save-artifacts.ts';
import type { Style } from '../style.ts';
import { connectTap } from '../tap/connect.ts';
import { awaitBalance } from './first-grant.ts';
import { renderSummary, type SavedArtifact, type SummaryParts } from './run-summary.ts';
import type { Screen } from './screen.ts';
import { type WatchedRun, watchRun } from './watch-run.ts';

export interface SessionOptions {
  readonly connection: Connection;
  readonly environment: Readonly<Record<string, string | undefined>>;
  readonly screen: Screen;
  readonly style: Style;
  readonly clock: Clock;
  readonly signal: AbortSignal;
  /** Artifacts are saved here, in a directory named by the run. */
  readonly outputRoot: string;
  /** Called as soon as the run has an id. */
  readonly onStarted?: (runId: string) => void;
}

export interface Session extends SummaryParts {
  readonly watched: WatchedRun;
  readonly saved: readonly SavedArtifact[];
}

/**
 * Starts a run, shows it to its end, saves what it made and says where the credits went.
 * @throws ApiProblem when the run is refused, ConnectionError, CliError
 */
export async function runSession(body: CreateRunBody, options: SessionOptions): Promise<Session> {
  const before = await awaitBalance(options.connection.client, options);
  const run = await options.connection.client.runs.create(body, { signal: options.signal });
  options.onStarted?.(run.id);
  return followSession(run.id, before, options);
}

/** Shows a run that exists to its end; the rest is as in `runSession`. */
export async function followSession(
  runId: string,
  before: BalanceView | null,
  options: SessionOptions,
): Promise<Session> {
  const { connection, screen, style, clock, signal } = options;
  const { client } = connection;
  const nats = await tapOrNotice(options);
  try {
    const watched = await watchRun({ client, runId, screen, style, clock, nats, signal });
    const outputs = outputsOf(await client.runs.artifacts(runId, { signal }));
    const saved = await saveArtifacts(client, outputs, join(options.outputRoot, runId), signal);
    const session = { watched, saved, before, after: await client.credits.balance({ signal }) };
    for (const line of renderSummary(session, style)) screen.print(line);
    return session;
  } finally {
    await nats?.close();
  }
}

/** Credit events are an extra of the view: a run can be shown without them. */
async function tapOrNotice(options: SessionOptions): Promise<NatsConnection | null> {
  const { connection, environment, screen, style } = options;
  if (connection.natsUrl === null) return null;
  try {
    return await connectTap(connection.natsUrl, environment);
  } catch (error) {
    if (!(error instanceof CliError)) throw error;
    screen.print(style.yellow(`credits are shown at the end only: ${error.message}`));
    return null;
  }
}
