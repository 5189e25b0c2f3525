import { startNats } from '@swissbrain/local-stack/nats';
import { natsAccess } from '@swissbrain/local-stack/nats-access';
import { type NatsUser, natsUsers } from '@swissbrain/shared-schema/nats-permissions';
import { startTestServer, type TestServer } from './server.ts';

/** A NATS server with JetStream for one test file, on which everyone may do everything. */
export function startTestNats(): Promise<TestServer> {
  return startTestServer('nats', startNats);
}

/** One with the users and rights of the local stack. */
export async function startRestrictedTestNats(): Promise<
  TestServer & { passwordOf(user: NatsUser): string }
> {
  const passwordOf = (user: NatsUser) => `password-of-${user}`;
  const passwords = Object.fromEntries(natsUsers.map((user) => [user, passwordOf(user)]));
  const authorization = natsAccess(passwords as Record<NatsUser, string>);
  const server = await startTestServer('nats', (options) => startNats({ ...options, authorization }));
  return { ...server, passwordOf };
}
