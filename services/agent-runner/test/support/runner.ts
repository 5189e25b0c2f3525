import { randomUUID } from 'node:crypto';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { parseConfig } from '@swissbrain/service-kit/config';
import type {
  ArtifactView,
  CreateRunBody,
  createRunBody,
  RunView,
  StepView,
} from '@swissbrain/shared-schema/http/agent-runner';
import { createTestDatabase, type TestDatabase } from '@swissbrain/testkit/database';
import { serviceEnvironment } from '@swissbrain/testkit/environment';
import { startTestNats } from '@swissbrain/testkit/nats';
import { startTestRedis } from '@swissbrain/testkit/redis';
import type { TestServer } from '@swissbrain/testkit/server';
import { mintToken } from '@swissbrain/testkit/tokens';
import { waitFor } from '@swissbrain/testkit/wait';
import type { z } from 'zod';
import { configSchema } from '../../src/config.ts';
import { startService } from '../../src/service.ts';
import type { Tool } from '../../src/tools/tool.ts';
import { type CreditsPart, playCredits } from './credits-part.ts';

/** agent-runner on servers of its own, with someone who plays credits. */
export interface Runner {
  readonly url: string;
  readonly database: TestDatabase;
  readonly nats: TestServer;
  readonly redis: TestServer;
  readonly credits: CreditsPart;
  readonly directory: string;
  readonly environment: Readonly<Record<string, string>>;
  stop(): Promise<void>;
}

export interface RunnerOptions {
  readonly overrides?: Readonly<Record<string, string>>;
  readonly extraTools?: readonly Tool[];
  /** False: only the servers and credits; the test starts the service itself. */
  readonly service?: boolean;
}

/** Starts everything; `stop` takes it down in reverse. */
export async function startRunner({
  overrides = {},
  extraTools = [],
  service = true,
}: RunnerOptions = {}): Promise<Runner> {
  await using opened = new AsyncDisposableStack();
  const directory = await mkdtemp(join(tmpdir(), 'swissbrain-runner-'));
  opened.defer(() => rm(directory, { recursive: true, force: true }));
  const database = opened.adopt(await createTestDatabase(), (clone) => clone.drop());
  const [nats, redis] = await Promise.all([startTestNats(), startTestRedis()]);
  opened.defer(() => nats.stop());
  opened.defer(() => redis.stop());
  const credits = opened.adopt(await playCredits(nats.url), (part) => part.close());
  const environment = serviceEnvironment('agent-runner', {
    ...{ database, nats, redis },
    overrides: {
      STORAGE_DIR: join(directory, 'artifacts'),
      STORAGE_SIGNING_SECRET: 'signs the links of this test, 32 characters',
      SANDBOX_DIR: join(directory, 'sandboxes'),
      SANDBOX_SECRET: 'the sandbox secret of this test, 32 characters',
      RUN_LEASE_SECONDS: '3',
      RUN_DISPATCH_POLL_MS: '100',
      RUN_SWEEP_MS: '300',
      RUN_HOLD_HEARTBEAT_MS: '200',
      RUN_FOLLOW_HEARTBEAT_MS: '200',
      PATH: process.env.PATH ?? '',
      // The same tools on every machine; the tests of the browser look for one.
      BROWSER_CHROMIUM_PATH: '/nowhere/chromium',
      ...overrides,
    },
  });
  let url = '';
  if (service) {
    const config = parseConfig(configSchema, environment);
    const running = await startService(config, { extraTools });
    opened.defer(() => running.stop());
    url = running.url;
  }
  const owned = opened.move();
  return {
    ...{ database, nats, redis, credits, directory, environment },
    url,
    stop: () => owned.disposeAsync(),
  };
}

/** A user with a token, and what one does with runs. */
export interface User {
  readonly id: string;
  readonly token: string;
  request(method: string, path: string, body?: unknown, headers?: Record<string, string>): Promise<Response>;
  create(body: z.input<typeof createRunBody>): Promise<RunView>;
  run(id: string): Promise<RunView>;
  steps(id: string): Promise<StepView[]>;
  artifacts(id: string): Promise<ArtifactView[]>;
  /** Waits until the run has ended. */
  ended(id: string): Promise<RunView>;
}

const final: ReadonlySet<string> = new Set(['completed', 'failed', 'cancelled', 'timed_out']);

/** A user of the API at `url`: a new one, or the one with this id. */
export async function newUser(url: string, id: string = randomUUID()): Promise<User> {
  const token = await mintToken({ sub: id });
  const request: User['request'] = (method, path, body, headers = {}) =>
    fetch(new URL(path, url), {
      method,
      headers: {
        authorization: `Bearer ${token}`,
        ...(body === undefined ? {} : { 'content-type': 'application/json' }),
        ...headers,
      },
      ...(body === undefined ? {} : { body: typeof body === 'string' ? body : JSON.stringify(body) }),
    });
  const read = async <T>(path: string): Promise<T> => {
    const response = await request('GET', path);
    if (!response.ok) throw new Error(`${path}: ${response.status} ${await response.text()}`);
    return (await response.json()) as T;
  };
  const run = (runId: string) => read<RunView>(`/v1/runs/${runId}`);
  return {
    id,
    token,
    request,
    run,
    async create(body) {
      const response = await request('POST', '/v1/runs', body, { 'idempotency-key': randomUUID() });
      if (response.status !== 201) throw new Error(`create: ${response.status} ${await response.text()}`);
      return (await response.json()) as RunView;
    },
    steps: async (runId) => (await read<{ items: StepView[] }>(`/v1/runs/${runId}/steps`)).items,
    artifacts: async (runId) => (await read<{ items: ArtifactView[] }>(`/v1/runs/${runId}/artifacts`)).items,
    ended: (runId) =>
      waitFor(
        async () => {
          const found = await run(runId);
          return final.has(found.status) ? found : undefined;
        },
        { timeoutMs: 30_000, describe: `the end of run ${runId}` },
      ),
  };
}

/** A step of a test's playbook: a JavaScript program, or a call of another tool. */
export function step(id: string, code: string, more: Record<string, unknown> = {}) {
  return { id, tool: 'code', with: { language: 'javascript' as const, code, timeout_seconds: 20 }, ...more };
}

/** A playbook of these steps. */
export function playbookOf(
  steps: readonly Record<string, unknown>[],
  more: Record<string, unknown> = {},
): CreateRunBody {
  return { playbook: { name: 'test', steps, ...more } } as unknown as CreateRunBody;
}
