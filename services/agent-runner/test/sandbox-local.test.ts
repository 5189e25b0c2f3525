import { type ChildProcess, spawn } from 'node:child_process';
import { randomUUID } from 'node:crypto';
import { once } from 'node:events';
import {
  existsSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  writeFileSync,
} from 'node:fs';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { dirname, join } from 'node:path';
import { createInterface } from 'node:readline';
import { buffer } from 'node:stream/consumers';
import { fileURLToPath } from 'node:url';
import { processIdentity } from '@swissbrain/sandbox-runtime/processes';
import {
  endpointLives,
  readEndpoint,
  type SessionEndpoint,
} from '@swissbrain/sandbox-runtime/session-directory';
import { waitFor } from '@swissbrain/testkit/wait';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import type { OpenSession } from '../src/sandbox/driver.ts';
import { describeSandboxDriver } from './sandbox-contract.ts';
import { collect, createSandboxes, driverSecret, type Sandboxes } from './sandbox-fixture.ts';

let sandboxes: Sandboxes;
beforeAll(async () => {
  sandboxes = await createSandboxes();
});
afterAll(() => sandboxes.clear());

describeSandboxDriver('local driver', async () => ({
  driver: () => sandboxes.driver(),
  request: () => sandboxes.request(),
}));

const directoryOf = ({ runId, sessionNo }: OpenSession) => join(sandboxes.directory, `${runId}-${sessionNo}`);
const endpointOf = (request: OpenSession): SessionEndpoint => {
  const endpoint = readEndpoint(directoryOf(request));
  if (!endpoint) throw new Error('the session has no endpoint');
  return endpoint;
};

describe('the local driver', () => {
  it('is refused in production and without a real secret', () => {
    expect(() => sandboxes.driver({ environment: 'production' })).toThrow('refused in production');
    expect(() => sandboxes.driver({ secret: 'short' })).toThrow('at least 32 characters');
  });

  it('starts one runtime when many ask at once', async () => {
    const request = sandboxes.request();
    const drivers = Array.from({ length: 4 }, () => sandboxes.driver());
    const sessions = await Promise.all(drivers.map((driver) => driver.openSession(request)));
    await sessions[0]?.putFile('shared.txt', Buffer.from('x'));
    for (const session of sessions) expect(await session.listFiles()).toHaveLength(1);
    for (const session of sessions.slice(1)) session.detach();
    await sessions[0]?.close();
  });

  it('stores no secret and needs none but its own', async () => {
    const request = sandboxes.request();
    const session = await sandboxes.driver().openSession(request);
    const files = readdirSync(directoryOf(request), { recursive: true, withFileTypes: true });
    for (const file of files.filter((entry) => entry.isFile())) {
      expect(readFileSync(join(file.parentPath, file.name), 'utf8')).not.toMatch(/[0-9a-f]{64}/);
    }
    const stranger = sandboxes.driver({ secret: driverSecret.toUpperCase() });
    await expect(stranger.openSession(request)).rejects.toMatchObject({
      fault: 'lost',
      code: 'sandbox_lost',
    });
    await session.close();
  });

  it('removes a session with its programs, and removing nothing is harmless', async () => {
    const request = sandboxes.request();
    const driver = sandboxes.driver();
    const session = await driver.openSession(request);
    const endpoint = endpointOf(request);
    const running = collect(session, {
      code: `process.on('SIGTERM', () => {}); setInterval(() => {}, 1000);`,
    });
    const settled = running.then(
      ({ result }) => result.reason,
      (error: unknown) => (error as { code: string }).code,
    );
    await driver.removeSession(request.runId, request.sessionNo);
    // Whoever waits learns of the end or that the session is lost, by how far its answer came.
    expect(['killed', 'sandbox_lost']).toContain(await settled);
    expect(endpointLives(endpoint)).toBe(false);
    expect(existsSync(directoryOf(request))).toBe(false);
    await driver.removeSession(request.runId, request.sessionNo);
    await expect(driver.removeSession('../..', 1)).rejects.toMatchObject({ fault: 'user' });
  });

  it('sweeps the sessions of runs that are over, whoever started them', async () => {
    const [over, live] = [sandboxes.request(), sandboxes.request()];
    const other = await createSandboxes();
    mkdirSync(join(other.directory, 'not a session'));
    for (const request of [over, live, { ...over, sessionNo: 2 }]) {
      (await other.driver().openSession(request)).detach();
    }
    expect(await other.driver().sweep(async (runId) => runId === live.runId)).toBe(2);
    expect(readdirSync(other.directory).sort()).toEqual([`${live.runId}-1`, 'not a session'].sort());
    await other.clear();
  });

  it('says why a runtime did not start', async () => {
    const limits = { tier: 'free', cpuMillis: 1, memoryMb: 0, diskMb: 1, seconds: 1 };
    const opening = sandboxes.driver().openSession(sandboxes.request({ limits }));
    await expect(opening).rejects.toMatchObject({ fault: 'infrastructure', code: 'sandbox_start_failed' });
    await expect(opening).rejects.toThrow('SANDBOX_MEMORY_MB must be');
  });

  it('tells that Python is missing before anything is run', async () => {
    const request = sandboxes.request();
    const session = await sandboxes.driver({ searchPath: '/nowhere' }).openSession(request);
    expect((await session.languages())[1]).toEqual({ language: 'python', available: false, version: null });
    const executionId = randomUUID();
    const running = collect(session, { executionId, language: 'python', code: 'print(1)' });
    await expect(running).rejects.toMatchObject({ fault: 'user', code: 'language_unavailable' });
    expect(await session.lookup(executionId)).toBeNull();
    expect((await collect(session, { code: 'console.log(1)' })).stdout).toBe('1\n');
    await session.close();
  });
});

describe('when agent-runner is killed', () => {
  const started: ChildProcess[] = [];
  afterAll(() => {
    for (const child of started) child.kill('SIGKILL');
  });

  it('its successor attaches: the code has run once and no byte of output is missing', async () => {
    const request = sandboxes.request();
    const execution = {
      executionId: randomUUID(),
      language: 'javascript',
      code: `
        import { appendFileSync, existsSync } from 'node:fs';
        appendFileSync('runs', 'x');
        for (let i = 0; !existsSync('finish'); i++) { console.log('tick', i); await new Promise((r) => setTimeout(r, 20)); }
        console.log('the end');`,
    } as const;
    const client = spawn(process.execPath, [fileURLToPath(new URL('./sandbox-client.ts', import.meta.url))], {
      stdio: ['pipe', 'pipe', 'inherit'],
    });
    started.push(client);
    client.stdin.end(
      JSON.stringify({ directory: sandboxes.directory, secret: driverSecret, request, execution }),
    );
    const seen: { data: string; nextOffset: number }[] = [];
    for await (const line of createInterface({ input: client.stdout })) {
      seen.push(JSON.parse(line));
      if (seen.length === 5) client.kill('SIGKILL');
    }

    const session = await sandboxes.driver().openSession(request);
    expect(await session.lookup(execution.executionId)).toMatchObject({ state: 'running' });
    await session.putFile('finish', new Uint8Array(0));
    const rest: Uint8Array[] = [];
    const fromOffset = seen.at(-1)?.nextOffset ?? 0;
    const result = await session.execute(execution, ({ data }) => void rest.push(data), { fromOffset });
    expect(result).toMatchObject({ reason: 'exited', exitCode: 0 });
    expect((await buffer(session.getFile('runs'))).toString()).toBe('x');
    const whole = await collect(session, execution);
    const pieces = [...seen.map(({ data }) => Buffer.from(data, 'base64')), ...rest];
    expect(Buffer.concat(pieces).toString()).toBe(whole.stdout);
    const lines = whole.stdout.trimEnd().split('\n');
    expect(lines).toEqual([...lines.slice(0, -1).keys()].map((i) => `tick ${i}`).concat('the end'));
    await session.close();
  });

  it('between starting a runtime and hearing from it, the successor uses whichever comes up', async () => {
    const request = sandboxes.request();
    const client = spawn(process.execPath, [fileURLToPath(new URL('./sandbox-client.ts', import.meta.url))], {
      stdio: ['pipe', 'ignore', 'inherit'],
    });
    started.push(client);
    client.stdin.end(JSON.stringify({ directory: sandboxes.directory, secret: driverSecret, request }));
    await waitFor(() => existsSync(join(directoryOf(request), 'runtime.log')), {
      describe: 'a runtime to be started',
    });
    client.kill('SIGKILL');
    await once(client, 'exit');
    const session = await sandboxes.driver().openSession(request);
    expect((await collect(session, { code: 'console.log(1)' })).stdout).toBe('1\n');
    await session.close();
  });
});

describe('a session is lost, and said to be', () => {
  it('when its runtime is killed in the middle of an execution', async () => {
    const request = sandboxes.request();
    const driver = sandboxes.driver();
    const session = await driver.openSession(request);
    const code = `
      import { writeFileSync } from 'node:fs';
      writeFileSync('program.pid', String(process.pid));
      console.log('begun');
      setInterval(() => {}, 1000);`;
    const running = session.execute({ executionId: randomUUID(), language: 'javascript', code }, () => {
      process.kill(endpointOf(request).pid, 'SIGKILL');
    });
    await expect(running).rejects.toMatchObject({ fault: 'lost', code: 'sandbox_lost' });
    await expect(session.listFiles()).rejects.toMatchObject({ fault: 'lost' });
    const program = Number(readFileSync(join(directoryOf(request), 'workspace', 'program.pid'), 'utf8'));
    // Opening it again neither starts it anew nor leaves its program running beside the session to come.
    await expect(driver.openSession(request)).rejects.toMatchObject({ fault: 'lost' });
    if (process.platform === 'linux') expect(processIdentity(program)).toBeNull();
    const next = await driver.openSession({ ...request, sessionNo: 2 });
    expect(await next.listFiles()).toEqual([]);
    await next.close();
    await driver.removeSession(request.runId, request.sessionNo);
  });

  it('when it has ended for being idle', async () => {
    const request = sandboxes.request();
    const driver = sandboxes.driver({ idleSeconds: 1 });
    const session = await driver.openSession(request);
    session.detach();
    const endpoint = endpointOf(request);
    await waitFor(() => !endpointLives(endpoint), { describe: 'the idle runtime to end' });
    await expect(driver.openSession(request)).rejects.toMatchObject({ fault: 'lost' });
    await expect(session.listFiles()).rejects.toMatchObject({ fault: 'lost' });
  });

  it('when something else answers on its port', async () => {
    const impostor = createServer((_, response) => response.end('{}')).listen(0, '127.0.0.1');
    await once(impostor, 'listening');
    const request = sandboxes.request();
    const endpoint: SessionEndpoint = {
      pid: process.pid,
      identity: processIdentity(process.pid) ?? '',
      port: (impostor.address() as AddressInfo).port,
      instance: '0'.repeat(32),
    };
    const file = join(directoryOf(request), 'session.json');
    mkdirSync(dirname(file));
    writeFileSync(file, JSON.stringify(endpoint));
    await expect(sandboxes.driver().openSession(request)).rejects.toMatchObject({ fault: 'lost' });
    impostor.close();
    // Not left for the clean-up, which would take this very process for the runtime.
    writeFileSync(file, JSON.stringify({ ...endpoint, identity: 'of an earlier process' }));
  });

  it('when a program has put another folder in the place of its workspace, which is left alone', async () => {
    const request = sandboxes.request();
    const session = await sandboxes.driver().openSession(request);
    const worth = mkdtempSync(join(sandboxes.directory, '..', 'swissbrain-worth-'));
    try {
      writeFileSync(join(worth, 'file'), 'of worth');
      const code = `import { renameSync, symlinkSync } from 'node:fs'; const here = ${JSON.stringify(join(directoryOf(request), 'workspace'))};
        renameSync(here, here + '.away'); symlinkSync(${JSON.stringify(worth)}, here);`;
      await collect(session, { code });
      for (const work of [
        () => collect(session, { code: '1' }),
        () => session.putFile('new', Buffer.from('x')),
        () => session.deleteFile('file'),
        () => session.restore(Buffer.alloc(1_024)),
      ]) {
        await expect(work()).rejects.toThrow('a program has moved its workspace away');
      }
      await session.close();
      expect(readdirSync(worth)).toEqual(['file']);
    } finally {
      rmSync(worth, { recursive: true });
    }
  });

  it('but not when it only takes its time: then it can be tried again', async () => {
    const request = sandboxes.request();
    const session = await sandboxes.driver().openSession(request);
    const { pid } = endpointOf(request);
    process.kill(pid, 'SIGSTOP');
    const impatient = sandboxes.driver().openSession({ ...request, signal: AbortSignal.timeout(300) });
    await expect(impatient).rejects.toMatchObject({ name: 'TimeoutError' });
    process.kill(pid, 'SIGCONT');
    expect(await session.listFiles()).toEqual([]);
    await session.close();
  });
});
