import { resolve } from 'node:path';
import type { Client } from '@swissbrain/client/client';
import { ApiProblem } from '@swissbrain/client/problem';
import type { ArtifactView } from '@swissbrain/client/types';
import { CliError } from '../cli-error.ts';
import { type AddCommand, writeJson, writeLines } from '../command.ts';
import { connect } from '../connection.ts';
import type { Context } from '../context.ts';
import { exitCodes } from '../exit-codes.ts';
import { formatBytes, formatTable } from '../format.ts';
import { outputsOf, saveArtifacts } from '../save-artifacts.ts';
import { addUpload } from './upload.ts';

interface GetOptions {
  readonly output?: string;
  readonly json?: boolean;
}

interface ListOptions {
  readonly json?: boolean;
}

/** `swissbrain artifacts list|get|upload`. */
export const addArtifacts: AddCommand = (program, context) => {
  const artifacts = program.command('artifacts').description('what runs have made');
  artifacts
    .command('list')
    .description('list the artifacts of a run')
    .argument('<run>', "the run's id")
    .option('--json', 'as JSON')
    .action((runId: string, options: ListOptions) => list(runId, options, context));
  artifacts
    .command('get')
    .description('download one artifact, or all outputs of a run; the SHA-256 of each is checked')
    .argument('<run|artifact>', 'the id of either')
    .option('-o, --output <directory>', 'where to (default: here)')
    .option('--json', 'print what was saved as JSON')
    .action((id: string, options: GetOptions) => get(id, options, context));
  addUpload(artifacts, context);
};

async function list(runId: string, options: ListOptions, context: Context): Promise<void> {
  const { client } = await connect(context);
  const artifacts = await client.runs.artifacts(runId, { signal: context.signal });
  if (options.json) {
    writeJson(context, { items: artifacts });
    return;
  }
  const rows = artifacts.map((artifact) => [
    artifact.id,
    artifact.kind,
    formatBytes(artifact.size_bytes),
    artifact.name,
    context.style.dim(artifact.media_type),
  ]);
  writeLines(context, rows.length === 0 ? ['The run has no artifacts.'] : formatTable(rows, { right: [2] }));
}

async function get(id: string, options: GetOptions, context: Context): Promise<void> {
  const { client } = await connect(context);
  const directory = resolve(context.directory, options.output ?? '.');
  const wanted = await find(client, id, context.signal);
  const saved = await saveArtifacts(client, wanted, directory, context.signal);
  if (options.json)
    writeJson(
      context,
      saved.map(({ name, sizeBytes, path }) => ({ name, size_bytes: sizeBytes, path })),
    );
  else
    writeLines(
      context,
      saved.map((artifact) => `${artifact.path}  ${context.style.dim(formatBytes(artifact.sizeBytes))}`),
    );
}

/** An id is a run's or an artifact's; a run is asked for first. */
async function find(client: Client, id: string, signal: AbortSignal): Promise<readonly ArtifactView[]> {
  try {
    const outputs = outputsOf(await client.runs.artifacts(id, { signal }));
    if (outputs.length > 0) return outputs;
  } catch (error) {
    if (error instanceof ApiProblem && error.status === 404)
      return [await client.artifacts.get(id, { signal })];
    throw error;
  }
  throw new CliError(`run ${id} has made no artifacts`, { exitCode: exitCodes.unsuccessful });
}
