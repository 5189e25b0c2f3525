import { type Api, createApi, type ServiceUrls } from './api.ts';
import { type Artifacts, createArtifacts } from './artifacts.ts';
import { type Credits, createCredits } from './credits.ts';
import { createRuns, type Runs } from './runs.ts';
import { createTransport, type TransportOptions } from './transport.ts';

export interface ClientOptions extends TransportOptions {
  /** Where agent-runner answers. Behind one gateway this and all others are the same address. */
  readonly agentRunnerUrl: string;
  readonly creditsUrl: string;
  /** The other services, where they do not answer at the address of agent-runner. */
  readonly serviceUrls?: Partial<ServiceUrls>;
}

/** SwissBrain's API on behalf of one user. */
export interface Client {
  readonly runs: Runs;
  readonly artifacts: Artifacts;
  readonly credits: Credits;
  /** Every endpoint there is; the others are the usual ways through it. */
  readonly api: Api;
}

/** Creates a client. It holds no connection of its own and needs no closing. */
export function createClient(options: ClientOptions): Client {
  const transport = createTransport(options);
  const { agentRunnerUrl: gateway, creditsUrl: credits } = options;
  const api = createApi(transport, {
    ...{ agentRunner: gateway, collab: gateway, connectors: gateway, credits, scheduler: gateway },
    ...{ wideResearch: gateway, ...options.serviceUrls },
  });
  return {
    runs: createRuns(transport, api.agentRunner, gateway),
    artifacts: createArtifacts(transport, api.agentRunner),
    credits: createCredits(transport, api.credits, credits),
    api,
  };
}
