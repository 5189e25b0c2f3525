// npm run client:generate: starts the services in a folder of their own, writes down what they say of themselves at
// /openapi.json, and makes the client's types of it. That they still say it is a test of tests/e2e.
import { execFile } from 'node:child_process';
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { promisify } from 'node:util';
import { startStack } from '@swissbrain/local-stack/supervisor';
import { z } from 'zod';

const root = dirname(import.meta.dirname);
const client = join(root, 'packages/client');
const answerMs = 30_000;

const directory = await mkdtemp(join(tmpdir(), 'swissbrain-openapi-'));
try {
  const dataDir = join(directory, '.swissbrain');
  const stack = await startStack({ root, dataDir, log: () => {}, durable: false });
  try {
    for (const [service, { url }] of Object.entries(stack.state().services)) {
      const answer = await fetch(`${url}/openapi.json`, { signal: AbortSignal.timeout(answerMs) });
      // Where a service answers is the installation's.
      const { servers: _, ...described } = z.looseObject({}).parse(await answer.json());
      const text = `${JSON.stringify(described, null, 2)}\n`;
      await writeFile(join(client, 'openapi', `${service}.json`), text);
    }
  } finally {
    await stack.stop();
  }
} finally {
  await rm(directory, { recursive: true, force: true });
}
await promisify(execFile)(process.execPath, [join(client, 'generate.ts')]);
