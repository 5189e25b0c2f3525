import { spawn } from 'node:child_process';
import { randomUUID } from 'node:crypto';
import { once } from 'node:events';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import type { ExecutionResult, SandboxSession } from '@swissbrain/agent-runner/sandbox/driver';
import { SandboxError } from '@swissbrain/agent-runner/sandbox/errors';
import { waitFor } from '@swissbrain/testkit/wait';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { collect } from '../../services/agent-runner/test/sandbox-fixture.ts';
import {
  apply,
  type ClusterSandboxes,
  createClusterSandboxes,
  kubectl,
  podOf,
  sandboxNamespace,
} from './cluster.ts';

let sandboxes: ClusterSandboxes;
beforeAll(async () => {
  sandboxes = await createClusterSandboxes();
});
afterAll(() => sandboxes?.clear());

/** A program that has begun and does not end by itself. */
async function endless(session: SandboxSession) {
  const executionId = randomUUID();
  const { promise: begun, resolve } = Promise.withResolvers<void>();
  const code = `console.log('begun'); setInterval(() => {}, 1000);`;
  const running = session.execute({ executionId, language: 'javascript', code }, () => resolve());
  running.catch(() => undefined);
  await Promise.race([begun, running]);
  return { running };
}

/** A runtime with time to say so ends its program as lost; else the session itself is. Neither is billed. */
async function howItEnded(running: Promise<ExecutionResult>): Promise<string> {
  return running.then(
    (result) => result.reason,
    (error: unknown) => (error instanceof SandboxError ? error.fault : String(error)),
  );
}

describe('a session that is lost', () => {
  it('says so when its pod is deleted, and its number is not used again', async () => {
    const request = sandboxes.request();
    const driver = sandboxes.driver();
    const session = await driver.openSession(request);
    const { running } = await endless(session);
    await kubectl('-n', sandboxNamespace, 'delete', await podOf(session), '--wait=false');
    expect(await howItEnded(running)).toBe('lost');
    await expect(driver.openSession(request)).rejects.toMatchObject({ fault: 'lost' });
    const next = await driver.openSession({ ...request, sessionNo: 2 });
    expect((await collect(next, { code: 'console.log(1)' })).stdout).toBe('1\n');
    await next.close();
  });

  it('says so when its pod is evicted', async () => {
    const session = await sandboxes.open();
    const { running } = await endless(session);
    const name = (await podOf(session)).replace('pod/', '');
    const eviction = {
      apiVersion: 'policy/v1',
      kind: 'Eviction',
      metadata: { name, namespace: sandboxNamespace },
    };
    const path = `/api/v1/namespaces/${sandboxNamespace}/pods/${name}/eviction`;
    const evict = spawn('kubectl', ['create', '--raw', path, '-f', '-'], {
      stdio: ['pipe', 'ignore', 'inherit'],
    });
    evict.stdin.end(JSON.stringify(eviction));
    expect(await once(evict, 'exit')).toEqual([0, null]);
    expect(await howItEnded(running)).toBe('lost');
  });
});

describe('a session that cannot start', () => {
  it('says that its image is missing, without waiting out its time', async () => {
    const opening = sandboxes.open({}, { image: 'docker.io/swissbrain/sandbox-nowhere:0' });
    await expect(opening).rejects.toMatchObject({ fault: 'infrastructure', code: 'sandbox_image_missing' });
  });

  it('says that no machine has room', async () => {
    const limits = { tier: 'default', cpuMillis: 1_000, memoryMb: 50_000, diskMb: 64, seconds: 60 };
    const opening = sandboxes.open({ limits }, { startSeconds: 8 });
    await expect(opening).rejects.toMatchObject({ fault: 'infrastructure', code: 'sandbox_unschedulable' });
    await expect(opening).rejects.toThrow('no machine has room');
  });

  it('says that all places are taken, and starts when one is free', async () => {
    const limits = { ...sandboxes.request().limits, tier: 'small' };
    const first = await sandboxes.open({ limits });
    const second = sandboxes.open({ limits }, { startSeconds: 8 });
    await expect(second).rejects.toMatchObject({ code: 'sandbox_unschedulable' });
    await expect(second).rejects.toThrow('all places for sandboxes are taken');
    const third = sandboxes.open({ limits });
    await first.close();
    await (await third).close();
  });

  it('says that a policy refuses it', async () => {
    const opening = sandboxes.open({}, { image: 'docker.io/library/node:24-bookworm-slim' });
    await expect(opening).rejects.toMatchObject({ code: 'sandbox_refused' });
    await expect(opening).rejects.toThrow('only the images of sandboxes run here');
  });

  it('finds a cluster that does not know its rights out of reach, as one is that begins, and starts when it does', async () => {
    const place = ['-n', sandboxNamespace, 'rolebinding', 'sandbox-driver'] as const;
    const rights = JSON.parse(await kubectl('get', ...place, '-o', 'json'));
    const { name, namespace, labels, annotations } = rights.metadata;
    const [driver, request] = [sandboxes.driver(), sandboxes.request()];
    await kubectl('delete', ...place);
    try {
      const refusal = await waitFor(
        async () => {
          const trial = await driver.openSession(sandboxes.request()).catch((error: unknown) => error);
          if (trial instanceof Error) return trial;
          await (trial as SandboxSession).close();
        },
        { describe: 'the rights to be gone' },
      );
      expect(refusal).toMatchObject({ fault: 'infrastructure', code: 'sandbox_cluster_unreachable' });
    } finally {
      await apply({ ...rights, metadata: { name, namespace, labels, annotations } });
    }
    const session = await waitFor(() => driver.openSession(request), { timeoutMs: 60_000 });
    await session.close();
  });

  it('says that its RuntimeClass is missing, and runs in one that is there', async () => {
    await expect(sandboxes.open({}, { runtimeClass: 'nowhere' })).rejects.toThrow('RuntimeClass');
    const session = await sandboxes.open({}, { runtimeClass: 'strict' });
    expect((await collect(session, { code: 'console.log(1)' })).stdout).toBe('1\n');
    await session.close();
  });
});

describe('agent-runner', () => {
  it('killed in the middle of a long program, is followed by another that misses no byte and runs nothing twice', async () => {
    const { settings, request } = { settings: sandboxes.settings(), request: sandboxes.request() };
    const execution = {
      executionId: randomUUID(),
      language: 'javascript' as const,
      code: `import { appendFileSync } from 'node:fs'; appendFileSync('runs', 'x');
        for (let i = 0; i < 600; i += 1) { console.log('line', i); await new Promise((next) => setTimeout(next, 100)); }`,
    };
    const child = spawn(process.execPath, [join(import.meta.dirname, 'driver-process.ts')], {
      stdio: ['pipe', 'pipe', 'inherit'],
    });
    const { namespaces, ...rest } = settings;
    child.stdin.end(JSON.stringify({ settings: rest, namespaces: [...namespaces], request, execution }));
    const seen: Buffer[] = [];
    let fromOffset = 0;
    for await (const line of createInterface(child.stdout)) {
      const piece = JSON.parse(line) as { data: string; nextOffset: number };
      seen.push(Buffer.from(piece.data, 'base64'));
      fromOffset = piece.nextOffset;
      if (seen.length === 30) child.kill('SIGKILL');
      if (seen.length >= 30) break;
    }
    const successor = await sandboxes.driver().openSession(request);
    const result = await successor.execute(execution, ({ data }) => void seen.push(Buffer.from(data)), {
      fromOffset,
    });
    const expected = Array.from({ length: 600 }, (_, i) => `line ${i}\n`).join('');
    expect(Buffer.concat(seen).toString()).toBe(expected);
    expect(result).toMatchObject({ reason: 'exited', exitCode: 0 });
    // All of it, by the runtime's own clock, whoever was listening.
    expect(result.durationMs).toBeGreaterThan(59_000);
    const { stdout } = await collect(successor, {
      code: `import { readFileSync } from 'node:fs'; console.log(readFileSync('runs', 'utf8'))`,
    });
    expect(stdout).toBe('x\n');
    await successor.close();
  });
});
