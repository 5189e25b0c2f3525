import { type Client, createClient } from '@swissbrain/client/client';
import { isRunning } from '@swissbrain/local-stack/process-group';
import { defaultDataDir, readStackState, type StackState } from '@swissbrain/local-stack/state';
import { decodeJwt } from 'jose';
import { CliError } from './cli-error.ts';
import type { Context } from './context.ts';
import { mintDevelopmentToken, type TokenClaims } from './development-token.ts';
import { developmentUser } from './development-user.ts';
import { exitCodes } from './exit-codes.ts';

/** A client for the SwissBrain that the environment names, else for the local stack. */
export interface Connection {
  readonly client: Client;
  /** The user of the token: the owner in the subjects of events. */
  readonly userId: string;
  /** Where events can be tapped; null when no NATS is known. */
  readonly natsUrl: string | null;
}

/** The data directory of the local stack. */
export function dataDirOf(context: Context): string {
  return defaultDataDir(context.root);
}

/**
 * The state of the local stack.
 * @throws CliError when it is not running
 */
export async function localStack(context: Context): Promise<StackState> {
  const state = await readStackState(context.root);
  if (state === undefined || !(await isRunning(state.supervisor))) {
    throw new CliError('the local stack is not running', {
      hint: 'Start it with `npm start`, or set SWISSBRAIN_URL and SWISSBRAIN_TOKEN for another one.',
      exitCode: exitCodes.unreachable,
    });
  }
  return state;
}

/**
 * Connects to SWISSBRAIN_URL with SWISSBRAIN_TOKEN, else to the local stack as its development user.
 * @throws CliError when neither is there
 */
export async function connect(context: Context): Promise<Connection> {
  const { SWISSBRAIN_URL: url, SWISSBRAIN_TOKEN: token, NATS_URL: natsUrl } = context.environment;
  if (url) {
    if (!token) throw new CliError('SWISSBRAIN_URL is set and SWISSBRAIN_TOKEN is not');
    if (!URL.canParse(url)) throw new CliError(`SWISSBRAIN_URL is not a URL: ${url}`);
    return {
      client: createClient({ agentRunnerUrl: url, creditsUrl: url, token }),
      userId: subjectOf(token),
      natsUrl: natsUrl ?? null,
    };
  }
  const stack = await localStack(context);
  if (token) return connectStack(stack, subjectOf(token), token);
  return connectStack(stack, await developmentUser(stack.data_dir), tokenClaims(context.environment));
}

/** What the services of the local stack expect of a token beside its signature. */
export function tokenClaims(environment: Context['environment']): TokenClaims {
  return { issuer: environment.AUTH_ISSUER, audience: environment.AUTH_AUDIENCE };
}

/** A client for the given local stack: with a token, or with one made for the user. */
export function connectStack(stack: StackState, userId: string, token: string | TokenClaims): Connection {
  const urlOf = (service: 'agent-runner' | 'credits') => stack.services[service].url;
  return {
    client: createClient({
      agentRunnerUrl: urlOf('agent-runner'),
      creditsUrl: urlOf('credits'),
      // Made anew for each request: following a long run outlives any one token.
      token: typeof token === 'string' ? token : () => mintDevelopmentToken(stack, userId, token),
    }),
    userId,
    natsUrl: stack.nats_url,
  };
}

/** The `sub` of a token; the services are the ones to verify it. */
function subjectOf(token: string): string {
  try {
    const { sub } = decodeJwt(token);
    if (sub !== undefined) return sub;
  } catch (error) {
    throw new CliError('SWISSBRAIN_TOKEN is not a JSON web token', { cause: error });
  }
  throw new CliError('SWISSBRAIN_TOKEN names no user (claim sub)');
}
