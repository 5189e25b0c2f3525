import { randomUUID } from 'node:crypto';
import { join } from 'node:path';
import { createClient } from '@swissbrain/client/client';
import { startChild, stopChild, untilReady } from '@swissbrain/local-stack/child';
import { freePort } from '@swissbrain/local-stack/ports';
import { serviceEnvironment } from '@swissbrain/testkit/environment';
import { mintToken } from '@swissbrain/testkit/tokens';

/** A run to follow, at an agent-runner in a process of its own. */
export interface FollowedRun {
  readonly eventsUrl: string;
  readonly token: string;
  stop(): Promise<void>;
}

/** Starts agent-runner and creates a run, which stays as it is: nobody here reserves credits for it. */
export async function startFollowedRun(options: {
  readonly root: string;
  readonly dataDir: string;
  readonly postgresUrl: string;
  readonly natsUrl: string;
  readonly redisUrl: string;
}): Promise<FollowedRun> {
  const { root, dataDir } = options;
  const secret = 'a secret of this benchmark, long enough for HS256';
  const port = await freePort();
  const url = `http://127.0.0.1:${port}`;
  const child = await startChild({
    ...{ name: 'agent-runner', command: process.execPath, cwd: root },
    args: [join(root, 'services/agent-runner/src/main.ts')],
    env: {
      ...serviceEnvironment('agent-runner', {
        database: { adminUrl: options.postgresUrl },
        nats: { url: options.natsUrl },
        redis: { url: options.redisUrl },
      }),
      ...{ PATH: process.env.PATH ?? '', PORT: String(port), LOG_LEVEL: 'error', NODE_ENV: 'development' },
      ...{ AUTH_JWT_SECRET: secret, RATE_LIMIT_PER_MINUTE: '1000000' },
      ...{ STORAGE_DIR: join(dataDir, 'artifacts'), STORAGE_SIGNING_SECRET: secret },
      ...{ SANDBOX_DIR: join(dataDir, 'sandboxes'), SANDBOX_SECRET: secret },
    },
    logFile: join(dataDir, 'agent-runner.log'),
  });
  const stop = async () => void (await stopChild(child, [{ signal: 'SIGTERM', waitMs: 10_000 }]));
  try {
    await untilReady(child, async () => (await fetch(`${url}/readyz`)).ok, 60_000);
    const token = await mintToken({ sub: randomUUID(), secret });
    const client = createClient({ agentRunnerUrl: url, creditsUrl: url, token: async () => token });
    const run = await client.runs.create({
      playbook: {
        name: 'followed',
        steps: [{ id: 'a', tool: 'code', with: { language: 'javascript', code: '1' } }],
      },
    });
    return { eventsUrl: `${url}/v1/runs/${run.id}/events`, token, stop };
  } catch (thrown) {
    await stop();
    throw thrown;
  }
}
