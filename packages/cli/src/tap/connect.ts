import { connect, type NatsConnection } from '@nats-io/transport-node';
import { inboxPrefix } from '@swissbrain/shared-schema/nats-permissions';
import { CliError } from '../cli-error.ts';
import { exitCodes } from '../exit-codes.ts';

/**
 * A connection for reading events. It comes back when the server does.
 * @param natsUrl may carry a user and a password, as that of the local stack does
 * @param environment NATS_USER and NATS_PASSWORD are used when it carries none
 * @throws CliError when no server answers
 */
export async function connectTap(
  natsUrl: string,
  environment: Readonly<Record<string, string | undefined>>,
): Promise<NatsConnection> {
  const { NATS_USER, NATS_PASSWORD } = environment;
  const { servers, user = NATS_USER, pass = NATS_PASSWORD } = splitCredentials(natsUrl);
  try {
    return await connect({
      servers,
      name: 'swissbrain-cli',
      ...(user ? { user, pass: pass ?? '' } : {}),
      // Where the server knows users, the operator hears answers only here.
      inboxPrefix: inboxPrefix('operator'),
      timeout: 3_000,
      maxReconnectAttempts: -1,
      reconnectTimeWait: 250,
      noAsyncTraces: true,
    });
  } catch (error) {
    throw new CliError(`cannot reach NATS at ${withoutCredentials(natsUrl)}: ${messageOf(error)}`, {
      hint: 'swissbrain doctor says what is up; NATS_URL names another server.',
      exitCode: exitCodes.unreachable,
      cause: error,
    });
  }
}

/** The client takes addresses without credentials; several are separated by commas. */
function splitCredentials(natsUrl: string): { servers: string[]; user?: string; pass?: string } {
  const servers = natsUrl.split(',').map((server) => server.trim());
  const named = servers.find((server) => server.includes('@'));
  const plain = servers.map(withoutCredentials);
  if (named === undefined) return { servers: plain };
  const { username, password } = new URL(named.includes('://') ? named : `nats://${named}`);
  return { servers: plain, user: decodeURIComponent(username), pass: decodeURIComponent(password) };
}

/** A URL that may be shown. */
export function withoutCredentials(url: string): string {
  return url.replace(/\/\/[^@/]*@/g, '//');
}

function messageOf(error: unknown): string {
  return error instanceof Error ? error.message : String(error);
}
