import { randomUUID } from 'node:crypto';
import { type Client, createClient } from '@swissbrain/client/client';
import { ApiProblem } from '@swissbrain/client/problem';
import { backoffMs, isTransient, pause, type RetryPolicy } from '@swissbrain/client/retry';
import type { CreateRunBody, RunEvent } from '@swissbrain/client/types';
import { waitFor } from '@swissbrain/testkit/wait';
import { expect } from 'vitest';
import { auditRuns, waitUntilSettled } from '../e2e/run-audit.ts';
import type { Release } from './release.ts';

/** Users who start one run after the other and follow each to its end. */
export interface Load {
  /** Runs that have ended so far. */
  ended(): number;
  /** Lets every user finish; resolves when each run has been audited. @throws what went wrong for a user */
  stop(): Promise<LoadReport>;
}

export interface LoadReport {
  readonly runs: number;
  /** Requests that were made again, by what came of them before: an answer that asked for it, or none. */
  readonly retried: Readonly<Record<string, number>>;
}

/** One step in a sandbox between steps without one. */
const withSandbox: CreateRunBody = {
  playbook: {
    name: 'under load, in a sandbox',
    steps: [
      { id: 'before', tool: 'memory', with: { action: 'save', key: 'before', content: 'begun' } },
      {
        id: 'code',
        tool: 'code',
        needs: ['before'],
        with: {
          language: 'javascript',
          code: `for (let i = 0; i < 20; i += 1) { console.log('line', i); await new Promise((next) => setTimeout(next, 100)); }`,
        },
      },
      {
        id: 'after',
        tool: 'memory',
        needs: ['code'],
        with: { action: 'save', key: 'after', content: 'done' },
      },
    ],
  },
} as unknown as CreateRunBody;

/** Ten short steps without a sandbox. */
export const withoutSandbox = {
  playbook: {
    name: 'under load',
    steps: Array.from({ length: 10 }, (_, i) => ({
      id: `step_${i}`,
      tool: 'memory',
      needs: i === 0 ? [] : [`step_${i - 1}`],
      with: { action: 'save', key: `key-${i}`, content: `content ${i}` },
    })),
  },
} as unknown as CreateRunBody;

/** Starts the users: the first of them with sandboxes. */
export function startLoad(release: Release, users = 3): Load {
  let stopped = false;
  const retried: Record<string, number> = {};
  const runIds: string[] = [];
  const onRetry = (error: unknown) => {
    const kind = kindOf(error);
    retried[kind] = (retried[kind] ?? 0) + 1;
  };
  const working = Array.from({ length: users }, async (_, index) => {
    const client = clientWithoutRetries(release, randomUUID());
    while (!stopped) {
      const runId = await createRun(client, index === 0 ? withSandbox : withoutSandbox, onRetry);
      const events = await followToEnd(client, runId, onRetry);
      expect(
        events.map(({ run_seq }) => run_seq),
        'a follower misses and repeats nothing',
      ).toEqual(events.map((_event, place) => place + 1));
      expect(events.at(-1)?.type, `the end of run ${runId}`).toBe('run.completed');
      runIds.push(runId);
    }
  });
  // A failure shows itself when the load is stopped.
  for (const user of working) user.catch(() => undefined);
  return {
    ended: () => runIds.length,
    stop: async () => {
      stopped = true;
      await Promise.all(working);
      for (const runId of runIds) await waitUntilSettled(release, runId);
      await auditRuns(release, runIds);
      return { runs: runIds.length, retried };
    },
  };
}

/** Each failure is seen here and counted: what the client makes again by itself nobody would hear of. */
function clientWithoutRetries(release: Release, userId: string): Client {
  return createClient({
    ...{ agentRunnerUrl: release.url, creditsUrl: release.url },
    token: () => release.tokenOf(userId),
    retry: { ...patience, attempts: 1 },
  });
}

const patience: RetryPolicy = { attempts: 60, baseMs: 100, capMs: 2_000 };

/** What a request that may go well later came to. @throws the error, where it may not */
function kindOf(error: unknown): string {
  if (error === null) return 'stream ended';
  if (!isTransient(error)) throw error;
  return error instanceof ApiProblem ? `${error.status} ${error.code}` : 'no answer';
}

/** One key for as many attempts as it takes, as a careful caller does it. */
async function createRun(
  client: Client,
  body: CreateRunBody,
  onRetry: (error: unknown) => void,
): Promise<string> {
  const idempotencyKey = randomUUID();
  for (let attempt = 1; ; attempt += 1) {
    try {
      return (await client.runs.create(body, { idempotencyKey })).id;
    } catch (error) {
      onRetry(error);
      if (attempt >= patience.attempts) throw error;
      await pause(backoffMs(patience, attempt));
    }
  }
}

async function followToEnd(
  client: Client,
  runId: string,
  onRetry: (error: unknown) => void,
): Promise<RunEvent[]> {
  const events: RunEvent[] = [];
  const onReconnect = ({ error }: { readonly error: unknown }) => onRetry(error);
  for await (const event of client.runs.follow(runId, { onReconnect })) events.push(event);
  return events;
}

/** Waits for so many further runs to end: the load goes on whatever was done to the release. */
export async function untilFurther(load: Load, runs: number): Promise<void> {
  const wanted = load.ended() + runs;
  await waitFor(() => load.ended() >= wanted, { describe: `${runs} further runs`, timeoutMs: 120_000 });
}
