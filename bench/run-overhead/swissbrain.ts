import { execFile } from 'node:child_process';
import { randomUUID } from 'node:crypto';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { connect } from '@nats-io/transport-node';
import { type Client, createClient } from '@swissbrain/client/client';
import type { CreateRunBody } from '@swissbrain/client/types';
import { type Child, startChild, stopChild, untilReady } from '@swissbrain/local-stack/child';
import { freePort } from '@swissbrain/local-stack/ports';
import type { ServiceName } from '@swissbrain/shared-schema/ids';
import { serviceEnvironment } from '@swissbrain/testkit/environment';
import { mintToken } from '@swissbrain/testkit/tokens';
import { waitFor } from '@swissbrain/testkit/wait';
import { Pool } from 'pg';
import type { Load, Sample } from './program.ts';

/** The servers that both sides use. */
export interface Servers {
  readonly postgresUrl: string;
  readonly natsUrl: string;
  readonly redisUrl: string;
}

export interface SwissBrain {
  measure(load: Load): Promise<Sample>;
  /** A new user who may spend at will. */
  user(): Promise<Client>;
  /** Bytes of memory that agent-runner holds. */
  memory(): Promise<number>;
  stop(): Promise<void>;
}

/** agent-runner and credits as processes, on a migrated database, with one user per run that may spend at will. */
export async function startSwissBrain(
  root: string,
  dataDir: string,
  servers: Servers,
  {
    program = 'bench/run-overhead/agent-runner.ts',
    settings = {},
  }: { readonly program?: string; readonly settings?: Readonly<Record<string, string>> } = {},
): Promise<SwissBrain> {
  const secret = 'a secret of this benchmark, long enough for HS256';
  const environmentOf = (service: ServiceName, port: number): Record<string, string> => ({
    ...serviceEnvironment(service, {
      database: { adminUrl: servers.postgresUrl },
      nats: { url: servers.natsUrl },
      redis: { url: servers.redisUrl },
    }),
    ...{ PATH: process.env.PATH ?? '', PORT: String(port), LOG_LEVEL: 'error', NODE_ENV: 'development' },
    ...{ DATABASE_POOL_SIZE: '10', AUTH_JWT_SECRET: secret, RATE_LIMIT_PER_MINUTE: '1000000' },
    ...{ STORAGE_DIR: join(dataDir, 'artifacts'), STORAGE_SIGNING_SECRET: secret },
    ...{ SANDBOX_DIR: join(dataDir, 'sandboxes'), SANDBOX_SECRET: secret },
    ...settings,
  });
  const start = async (service: ServiceName, file: string) => {
    const port = await freePort();
    const url = `http://127.0.0.1:${port}`;
    const child = await startChild({
      ...{ name: service, command: process.execPath, args: [join(root, file)], cwd: root },
      ...{ env: environmentOf(service, port), logFile: join(dataDir, `${service}.log`) },
    });
    await untilReady(child, async () => (await fetch(`${url}/readyz`)).ok, 60_000);
    return { child, url };
  };
  const runner = await start('agent-runner', program);
  const credits = await start('credits', 'services/credits/src/main.ts');
  const pool = new Pool({ connectionString: servers.postgresUrl, max: 2 });
  const nats = await connect({ servers: servers.natsUrl });
  const clientOf = (userId: string): Client =>
    createClient({
      ...{ agentRunnerUrl: runner.url, creditsUrl: credits.url, timeoutMs: 120_000 },
      token: () => mintToken({ sub: userId, secret }),
    });
  const users: Client[] = [];

  return {
    async measure(load) {
      while (users.length < load.workflows) users.push(await wealthyUser(pool, clientOf));
      const released = countReleases(nats);
      const started = performance.now();
      const runs = await Promise.all(
        users.slice(0, load.workflows).map((user) => user.runs.create(chain(load.steps))),
      );
      await released.all(runs.map(({ id }) => id));
      const seconds = (performance.now() - started) / 1000;
      return {
        seconds,
        stepMs: await stepTimes(
          pool,
          runs.map(({ id }) => id),
          load,
        ),
      };
    },
    user: () => wealthyUser(pool, clientOf),
    async memory() {
      const { stdout } = await promisify(execFile)('ps', ['-o', 'rss=', '-p', String(runner.child.pid)]);
      return Number(stdout.trim()) * 1_024;
    },
    async stop() {
      await nats.close();
      await pool.end();
      const stop = (child: Child) => stopChild(child, [{ signal: 'SIGTERM', waitMs: 10_000 }]);
      await Promise.all([stop(runner.child), stop(credits.child)]);
    },
  };
}

/** A playbook of no-op steps, each needing the one before it. */
function chain(steps: number): CreateRunBody {
  return {
    playbook: {
      name: 'chain',
      steps: Array.from({ length: steps }, (_, index) => ({
        ...{ id: `s${index}`, tool: 'noop', with: {} },
        needs: index === 0 ? [] : [`s${index - 1}`],
      })),
    },
  };
}

/** A user whose account is open and unlimited: the benchmark is about the path, not about running out of money. */
async function wealthyUser(pool: Pool, clientOf: (userId: string) => Client): Promise<Client> {
  const userId = randomUUID();
  const client = clientOf(userId);
  await client.runs.list();
  await waitFor(
    async () =>
      (await pool.query('select 1 from public.user_subscriptions where user_id = $1', [userId])).rowCount,
    { describe: 'the account to be opened' },
  );
  await pool.query(`select sb.apply_tier($1, 'enterprise', now(), 'bench')`, [userId]);
  return client;
}

/** Resolves when the holds of the given runs are settled, which is when their last step has been charged. */
function countReleases(nats: Awaited<ReturnType<typeof connect>>) {
  const seen = new Set<string>();
  let check = () => {};
  const subscription = nats.subscribe('sb.credits.released.*.*', {
    callback: (_error, message) => {
      seen.add(message.subject.split('.').at(-1) ?? '');
      check();
    },
  });
  return {
    all: (ids: readonly string[]) =>
      new Promise<void>((resolve) => {
        check = () => {
          if (!ids.every((id) => seen.has(id))) return;
          subscription.unsubscribe();
          resolve();
        };
        check();
      }),
  };
}

async function stepTimes(pool: Pool, runIds: readonly string[], load: Load): Promise<number[]> {
  const { rows } = await pool.query<{ ms: number | null; charged: string }>(
    `select extract(epoch from finished_at - lag(finished_at) over (partition by run_id order by step_index))::float8 * 1000 as ms
     from public.agent_steps where run_id = any($1) and status = 'completed'`,
    [runIds],
  );
  const { rows: charged } = await pool.query<{ count: string }>(
    `select count(distinct step_id) from public.credit_transactions where run_id = any($1) and kind = 'consume'`,
    [runIds],
  );
  const expected = load.workflows * load.steps;
  if (rows.length !== expected || Number(charged[0]?.count) !== expected) {
    throw new Error(`${rows.length} steps done and ${charged[0]?.count} charged of ${expected}`);
  }
  return rows.flatMap(({ ms }) => (ms === null ? [] : [ms]));
}
