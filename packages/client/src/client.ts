import { type Artifacts, createArtifacts } from './artifacts.ts';
import { type Credits, createCredits } from './credits.ts';
import { createRuns, type Runs } from './runs.ts';
import { createTransport, type TransportOptions } from './transport.ts';

export interface ClientOptions extends TransportOptions {
  /** Where agent-runner answers. Behind one gateway this and `creditsUrl` are the same address. */
  readonly agentRunnerUrl: string;
  readonly creditsUrl: string;
}

/** SwissBrain's API on behalf of one user. */
export interface Client {
  readonly runs: Runs;
  readonly artifacts: Artifacts;
  readonly credits: Credits;
}

/** Creates a client. It holds no connection of its own and needs no closing. */
export function createClient(options: ClientOptions): Client {
  const transport = createTransport(options);
  return {
    runs: createRuns(transport, options.agentRunnerUrl),
    artifacts: createArtifacts(transport, options.agentRunnerUrl),
    credits: createCredits(transport, options.creditsUrl),
  };
}
