import { json } from 'node:stream/consumers';
import type { ExecuteRequest, OpenSession } from '../src/sandbox/driver.ts';
import { createLocalDriver } from '../src/sandbox/local-driver.ts';

// Stands for an agent-runner that a test kills: opens the session it is told, executes what it is told and prints
// each piece of output as a line of JSON.
const { directory, secret, request, execution } = (await json(process.stdin)) as {
  readonly directory: string;
  readonly secret: string;
  readonly request: OpenSession;
  readonly execution?: ExecuteRequest;
};
const driver = createLocalDriver({
  directory,
  secret,
  environment: 'test',
  idleSeconds: 120,
  lifetimeSeconds: 600,
  searchPath: process.env.PATH ?? '',
});
const session = await driver.openSession(request);
if (execution) {
  await session.execute(execution, ({ data, nextOffset }) => {
    process.stdout.write(`${JSON.stringify({ data: Buffer.from(data).toString('base64'), nextOffset })}\n`);
  });
}
