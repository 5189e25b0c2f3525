import { createHash } from 'node:crypto';
import { readFile } from 'node:fs/promises';
import { basename, resolve } from 'node:path';
import { bodyOf } from '@swissbrain/client/api';
import type { Command } from 'commander';
import { CliError } from '../cli-error.ts';
import { writeJson, writeLines } from '../command.ts';
import { connect } from '../connection.ts';
import type { Context } from '../context.ts';
import { formatBytes } from '../format.ts';

interface Options {
  readonly name?: string;
  readonly json?: boolean;
}

/** `swissbrain artifacts upload <file>`: a file for runs to come. */
export function addUpload(artifacts: Command, context: Context): void {
  artifacts
    .command('upload')
    .description('upload a file that runs can take as an input by its id')
    .argument('<file>', 'its path')
    .option('--name <name>', 'what it is called (default: as the file)')
    .option('--json', 'the artifact as JSON')
    .action((file: string, options: Options) => execute(file, options, context));
}

async function execute(file: string, { name, json }: Options, context: Context): Promise<void> {
  const path = resolve(context.directory, file);
  const content = await readFile(path).catch((cause: unknown) => {
    throw new CliError(`${file} cannot be read`, { cause });
  });
  const { client } = await connect(context);
  const artifact = await bodyOf(
    client.api.agentRunner.POST('/v1/artifacts', {
      params: {
        query: { name: name ?? basename(path), sha256: createHash('sha256').update(content).digest('hex') },
      },
      headers: { 'content-type': 'application/octet-stream' },
      // The description says text for bytes, as OpenAPI does.
      body: content as unknown as string,
      bodySerializer: () => new Uint8Array(content),
      signal: context.signal,
    }),
  );
  if (json) writeJson(context, artifact);
  else writeLines(context, [`${artifact.id}  ${formatBytes(artifact.size_bytes)}  ${artifact.name}`]);
}
