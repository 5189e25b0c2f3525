import { randomBytes, randomUUID } from 'node:crypto';
import { buffer } from 'node:stream/consumers';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import type { OpenSession, OutputChunk, SandboxDriver, SandboxSession } from '../src/sandbox/driver.ts';
import { collect } from './sandbox-fixture.ts';

export interface DriverUnderTest {
  driver(): SandboxDriver;
  request(): OpenSession;
}

/** What every driver keeps. Each case works on sessions that the driver under test opens. */
export function describeSandboxDriver(name: string, prepare: () => Promise<DriverUnderTest>): void {
  describe(`a session of the ${name}`, () => {
    let under: DriverUnderTest;
    let driver: SandboxDriver;
    let request: OpenSession;
    let session: SandboxSession;
    beforeAll(async () => {
      under = await prepare();
      driver = under.driver();
      request = under.request();
      session = await driver.openSession(request);
    });
    afterAll(async () => {
      await session.close();
    });

    it('runs JavaScript and reports what it did', async () => {
      const code = `console.log(process.argv.slice(2), process.env.COLOUR); console.error('on stderr'); process.exit(3);`;
      const { result, stdout, stderr } = await collect(session, {
        code,
        args: ['a'],
        env: { COLOUR: 'blue' },
      });
      expect(stdout).toBe(`[ 'a' ] blue\n`);
      expect(stderr).toBe('on stderr\n');
      expect(result).toMatchObject({ state: 'finished', reason: 'exited', exitCode: 3, signal: null });
      expect(result).toMatchObject({
        stdoutBytes: 13,
        stderrBytes: 10,
        stdoutTruncated: false,
        message: null,
      });
      expect(result.durationMs).toBeGreaterThan(0);
    });

    it('runs Python where it says so, and refuses it with words where it does not', async () => {
      const languages = await session.languages();
      expect(languages[0]).toMatchObject({ language: 'javascript', available: true });
      const running = collect(session, { language: 'python', code: 'print(6 * 7)' });
      if (languages[1]?.available) expect((await running).stdout).toBe('42\n');
      else await expect(running).rejects.toMatchObject({ fault: 'user', code: 'language_unavailable' });
    });

    it('is found again by a driver that knows nothing of it, with its files', async () => {
      await session.putFile('kept.txt', Buffer.from('kept'));
      const again = await under.driver().openSession(request);
      expect(again.name).toBe(session.name);
      expect((await buffer(again.getFile('kept.txt'))).toString()).toBe('kept');
      again.detach();
    });

    it('runs an execution once for twenty callers, who all see all of it', async () => {
      const execution = {
        executionId: randomUUID(),
        code: `import { appendFileSync } from 'node:fs'; appendFileSync('count', 'x'); console.log('seen');`,
      };
      const seen = await Promise.all(Array.from({ length: 20 }, () => collect(session, execution)));
      expect(new Set(seen.map((one) => JSON.stringify(one))).size).toBe(1);
      expect(seen[0]?.stdout).toBe('seen\n');
      expect((await buffer(session.getFile('count'))).toString()).toBe('x');
    });

    it('refuses another program under a used id', async () => {
      const executionId = randomUUID();
      await collect(session, { executionId, code: '1' });
      const other = collect(session, { executionId, code: '2' });
      await expect(other).rejects.toMatchObject({ fault: 'user', code: 'execution_conflict' });
    });

    it('goes on with the output where a reader left, to the same bytes', async () => {
      const code = `for (let i = 0; i < 20000; i++) console.log('line', i, 'ü'.repeat(i % 7));`;
      const execution = { executionId: randomUUID(), language: 'javascript', code } as const;
      const chunks: OutputChunk[] = [];
      await session.execute(execution, (chunk) => void chunks.push(chunk));
      for (const from of [0, Math.floor(chunks.length / 2), chunks.length - 1]) {
        const rest: Uint8Array[] = [];
        const fromOffset = chunks[from]?.nextOffset ?? 0;
        await session.execute(execution, ({ data }) => void rest.push(data), { fromOffset });
        expect(
          Buffer.concat(rest).equals(Buffer.concat(chunks.slice(from + 1).map(({ data }) => data))),
        ).toBe(true);
      }
    });

    it('reads no faster than the reader takes', async () => {
      let inside = 0;
      let most = 0;
      const code = `for (let i = 0; i < 500; i++) console.log('x'.repeat(1000))`;
      await session.execute({ executionId: randomUUID(), language: 'javascript', code }, async () => {
        inside += 1;
        most = Math.max(most, inside);
        await new Promise((resolve) => setImmediate(resolve));
        inside -= 1;
      });
      expect(most).toBe(1);
    });

    it('looks executions up', async () => {
      const executionId = randomUUID();
      expect(await session.lookup(executionId)).toBeNull();
      const { result } = await collect(session, { executionId, code: '1' });
      expect(await session.lookup(executionId)).toEqual(result);
    });

    it('leaves a program running when a caller stops waiting, and ends it when told', async () => {
      const executionId = randomUUID();
      const gone = new AbortController();
      const code = `console.log('begun'); setInterval(() => {}, 1000);`;
      const waiting = session.execute(
        { executionId, language: 'javascript', code },
        () => gone.abort(new Error('left')),
        {
          signal: gone.signal,
        },
      );
      await expect(waiting).rejects.toThrow('left');
      expect(await session.lookup(executionId)).toMatchObject({ state: 'running', reason: null });
      await session.kill(executionId);
      expect(await session.lookup(executionId)).toMatchObject({ state: 'finished', reason: 'killed' });
    });

    it('ends a program at its time, whatever it does about it', async () => {
      const code = `process.on('SIGTERM', () => {}); setInterval(() => {}, 1000);`;
      const { result } = await collect(session, { code, limits: { wallMs: 500 } });
      expect(result).toMatchObject({ reason: 'timeout', message: 'the time limit of 0.5 s was reached' });
    });

    it('cuts output at its limit', async () => {
      const { result, stdout } = await collect(session, {
        code: `console.log('y'.repeat(5000))`,
        limits: { outputBytes: 100 },
      });
      expect(stdout).toBe('y'.repeat(100));
      expect(result).toMatchObject({
        reason: 'exited',
        exitCode: 0,
        stdoutBytes: 5001,
        stdoutTruncated: true,
      });
    });

    it('moves files in and out byte by byte, from bytes and from a stream', async () => {
      const content = randomBytes(3_000_000);
      async function* pieces() {
        for (let at = 0; at < content.length; at += 100_001) yield content.subarray(at, at + 100_001);
      }
      await session.putFile('in/whole.bin', content);
      await session.putFile('in/ü %#?&.bin', pieces());
      expect((await buffer(session.getFile('in/whole.bin'))).equals(content)).toBe(true);
      expect((await buffer(session.getFile('in/ü %#?&.bin'))).equals(content)).toBe(true);
      expect(await session.listFiles()).toContainEqual({
        path: 'in/ü %#?&.bin',
        type: 'file',
        size: 3_000_000,
      });
      await session.deleteFile('in');
      expect((await session.listFiles()).filter(({ path }) => path.startsWith('in'))).toEqual([]);
    });

    it.each(['../x', '/etc/passwd', 'a/../../x', ''])(
      "refuses the path %j as the user's fault",
      async (path) => {
        const refusal = { fault: 'user', code: path === '' ? 'route_missing' : 'path_refused' };
        await expect(session.putFile(path, Buffer.from('x'))).rejects.toMatchObject(refusal);
        if (path !== '') await expect(buffer(session.getFile(path))).rejects.toMatchObject(refusal);
      },
    );

    it('refuses a file that does not fit, with an answer that arrives', async () => {
      const large = Buffer.alloc((request.limits.diskMb + 8) * 1024 * 1024);
      await expect(session.putFile('large.bin', large)).rejects.toMatchObject({
        fault: 'user',
        code: 'workspace_full',
      });
      expect(await session.listFiles()).not.toContainEqual(expect.objectContaining({ path: 'large.bin' }));
    });

    it('is given on to a new session by a snapshot, byte by byte', async () => {
      await session.putFile('data/a.bin', randomBytes(500_000));
      await collect(session, {
        code: `import { symlinkSync } from 'node:fs'; symlinkSync('a.bin', 'data/link');`,
      });
      const snapshot = await buffer(session.snapshot());
      const next = await driver.openSession({ ...request, sessionNo: request.sessionNo + 1 });
      try {
        await next.putFile('stale.txt', Buffer.from('x'));
        await next.restore(snapshot);
        expect(await next.listFiles()).toEqual(await session.listFiles());
        expect((await buffer(next.snapshot())).equals(snapshot)).toBe(true);
        const { stdout } = await collect(next, {
          code: `import { readFileSync } from 'node:fs'; console.log(readFileSync('data/link').length);`,
        });
        expect(stdout).toBe('500000\n');
      } finally {
        await next.close();
      }
    });

    it('refuses a snapshot that is none and keeps its files', async () => {
      const before = await session.listFiles();
      await expect(session.restore(randomBytes(5_000))).rejects.toMatchObject({
        fault: 'user',
        code: 'archive_invalid',
      });
      expect(await session.listFiles()).toEqual(before);
    });
  });
}
