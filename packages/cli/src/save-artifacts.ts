import { mkdir, open, rename, rm } from 'node:fs/promises';
import { dirname, join, normalize } from 'node:path';
import type { Client } from '@swissbrain/client/client';
import type { ArtifactView } from '@swissbrain/client/types';
import { CliError } from './cli-error.ts';
import type { SavedArtifact } from './view/run-summary.ts';

/**
 * Downloads artifacts into a directory under their names, each verified and put in place whole.
 * @throws CliError for a name that leads out of the directory, ArtifactMismatch, ApiProblem, ConnectionError
 */
export async function saveArtifacts(
  client: Client,
  artifacts: readonly ArtifactView[],
  directory: string,
  signal: AbortSignal,
): Promise<SavedArtifact[]> {
  const saved: SavedArtifact[] = [];
  for (const artifact of artifacts) {
    const path = placeFor(directory, artifact.name);
    await saveOne(client, artifact.id, path, signal);
    saved.push({ name: artifact.name, sizeBytes: artifact.size_bytes, path });
  }
  return saved;
}

/** What a run left behind on purpose: not its inputs, saved workspaces or logs. */
export function outputsOf(artifacts: readonly ArtifactView[]): ArtifactView[] {
  const latest = new Map<string, ArtifactView>();
  for (const artifact of artifacts) if (artifact.kind === 'output') latest.set(artifact.name, artifact);
  return [...latest.values()];
}

/** The name comes from the run; it may have directories but never leads upwards. */
function placeFor(directory: string, name: string): string {
  const relative = normalize(name);
  if (relative.startsWith('..') || relative.startsWith('/') || /^[A-Za-z]:/.test(relative)) {
    throw new CliError(`the artifact's name leads out of ${directory}: ${name}`);
  }
  return join(directory, relative);
}

async function saveOne(client: Client, artifactId: string, path: string, signal: AbortSignal): Promise<void> {
  await mkdir(dirname(path), { recursive: true });
  const draft = `${path}.${artifactId.slice(0, 8)}.part`;
  const { content } = await client.artifacts.open(artifactId, { signal });
  const file = await open(draft, 'w');
  try {
    for await (const chunk of content) await file.writeFile(chunk);
    await file.close();
    await rename(draft, path);
  } catch (error) {
    await file.close();
    await rm(draft, { force: true });
    throw error;
  }
}
