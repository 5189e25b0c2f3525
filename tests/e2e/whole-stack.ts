import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join, resolve } from 'node:path';
import { playbookInputs } from '@swissbrain/cli/inputs';
import { readPlaybook } from '@swissbrain/cli/playbook';
import { type Client, createClient } from '@swissbrain/client/client';
import type { CreateRunBody } from '@swissbrain/client/types';
import type { StackState } from '@swissbrain/local-stack/state';
import { startStack } from '@swissbrain/local-stack/supervisor';
import type { ServiceName } from '@swissbrain/shared-schema/ids';
import { mintToken } from '@swissbrain/testkit/tokens';
import { Pool } from 'pg';

export const root = resolve(import.meta.dirname, '../..');
export type ServerName = 'nats' | 'redis';

/** The whole of SwissBrain in a folder of its own, as `npm start` brings it up. */
export interface WholeStack extends AsyncDisposable {
  state(): StackState;
  /** Rows as the superuser sees them. */
  query<Row>(text: string, values?: readonly unknown[]): Promise<Row[]>;
  clientOf(userId: string): Client;
  /** Ends a process at once, with no chance to tidy up. */
  kill(target: ServiceName | ServerName): void;
  /** For the command line's SWISSBRAIN_ROOT: the checkout whose `.swissbrain` this is. */
  readonly cliRoot: string;
}

/** Starts Postgres, NATS, Redis and the six services beside any that run already. */
export async function startWholeStack(overrides: Readonly<Record<string, string>> = {}): Promise<WholeStack> {
  const cliRoot = await mkdtemp(join(tmpdir(), 'swissbrain-e2e-'));
  const dataDir = join(cliRoot, '.swissbrain');
  const given = new Set(['DATABASE_URL', 'NATS_URL', 'REDIS_URL', 'AUTH_JWT_SECRET']);
  const environment = Object.fromEntries(Object.entries(process.env).filter(([name]) => !given.has(name)));
  const stack = await startStack({ root, dataDir, log: () => {}, environment, overrides, durable: false });
  const pool = new Pool({ connectionString: stack.state().postgres_url, max: 2 });
  return {
    state: () => stack.state(),
    query: async <Row>(text: string, values: readonly unknown[] = []) => {
      const { rows } = await pool.query(text, [...values]);
      return rows as Row[];
    },
    clientOf: (userId) => {
      const { services, jwt_secret: secret } = stack.state();
      return createClient({
        agentRunnerUrl: services['agent-runner'].url,
        creditsUrl: services.credits.url,
        token: () => mintToken({ sub: userId, secret }),
      });
    },
    kill: (target) => {
      const { services, servers } = stack.state();
      const pid = target === 'nats' || target === 'redis' ? servers[target]?.pid : services[target].pid;
      if (pid === undefined) throw new Error(`${target} is not a process of this stack`);
      process.kill(pid, 'SIGKILL');
    },
    cliRoot,
    [Symbol.asyncDispose]: async () => {
      await pool.end();
      await stack.stop();
      await rm(cliRoot, { recursive: true, force: true });
    },
  };
}

/** The body that starts the demo: the playbook with its default inputs, read as the command line reads them. */
export async function demoRun(file = 'seattle-weather.yaml'): Promise<CreateRunBody> {
  const path = join(root, 'examples', file);
  const { outline, document } = await readPlaybook(path);
  const places = { directory: root, playbookDirectory: join(root, 'examples'), root };
  return { playbook: document, inputs: await playbookInputs(outline.inputs, new Map(), places) };
}
