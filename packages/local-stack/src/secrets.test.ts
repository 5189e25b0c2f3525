import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { natsUsers } from '@swissbrain/shared-schema/nats-permissions';
import { expect, it } from 'vitest';
import { loadSecrets } from './secrets.ts';

it('keeps its secrets, and gives users of NATS that an older version did not know one of theirs', async () => {
  const directory = await mkdtemp(join(tmpdir(), 'swissbrain-secrets-'));
  try {
    const made = await loadSecrets(directory);
    expect(await loadSecrets(directory)).toEqual(made);
    const path = join(directory, 'secrets.json');
    const { nats, ...older } = JSON.parse(await readFile(path, 'utf8'));
    await writeFile(path, JSON.stringify({ ...older, nats: { credits: nats.credits } }));
    const completed = await loadSecrets(directory);
    expect(completed).toMatchObject({ ...older, nats: { credits: nats.credits } });
    expect(new Set(Object.values(completed.nats)).size).toBe(natsUsers.length);
    expect(await loadSecrets(directory)).toEqual(completed);
  } finally {
    await rm(directory, { recursive: true, force: true });
  }
});
