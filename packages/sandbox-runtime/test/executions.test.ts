import { createHash, randomBytes } from 'node:crypto';
import { existsSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { decodeOutputAnswer } from '../src/output-frames.ts';
import { processesWithVariable, processIdentity } from '../src/processes.ts';
import { markerVariable, type OutputHead } from '../src/protocol.ts';
import { readEndpoint } from '../src/session-directory.ts';
import {
  call,
  outcome,
  type RuntimeProcess,
  run,
  start,
  startRuntimeProcess,
  waitFor,
} from './runtime-process.ts';

const onLinux = process.platform === 'linux';
let runtime: RuntimeProcess;
let port: number;
let pythonAvailable: boolean;
beforeAll(async () => {
  runtime = await startRuntimeProcess({ SANDBOX_MAX_PROCESSES: '40', SANDBOX_MEMORY_MB: '256' });
  port = runtime.port;
  const { json } = await call(port, '/runtime');
  pythonAvailable = (json as { languages: { available: boolean }[] }).languages[1]?.available ?? false;
});
afterAll(() => runtime.destroy());

const workspace = (name: string) => join(runtime.directory, 'workspace', name);
/** Processes of the session that still live, by their mark. */
const left = () => processesWithVariable(markerVariable, `${readEndpoint(runtime.directory)?.instance}:`);
const pidIn = (name: string) =>
  waitFor(() => existsSync(workspace(name)) && Number(readFileSync(workspace(name), 'utf8')));
// Not by signal 0: who was killed stays a zombie until its new parent asks.
const lives = (pid: number) => processIdentity(pid) !== null;

describe('an execution id', () => {
  it('runs once however often the same request comes', async () => {
    const program = { code: `import { appendFileSync } from 'node:fs'; appendFileSync('once.txt', 'x')` };
    const answers = await Promise.all(Array.from({ length: 20 }, () => start(port, 'once', program)));
    expect(answers.map((answer) => answer.status).sort()).toEqual([...Array(19).fill(200), 201]);
    await outcome(port, 'once');
    expect(await start(port, 'once', program)).toMatchObject({ status: 200, json: { state: 'finished' } });
    expect(readFileSync(workspace('once.txt'), 'utf8')).toBe('x');
  });

  it('stands for one request only', async () => {
    await start(port, 'taken', { code: '1' });
    const other = await start(port, 'taken', { code: '2' });
    expect(other).toMatchObject({ status: 409, json: { error: { code: 'execution_conflict' } } });
    await outcome(port, 'taken');
  });
});

describe('a program', () => {
  it('gets arguments, its own variables and the workspace, and no standard input', async () => {
    const code = `
      import { text } from 'node:stream/consumers';
      console.log(JSON.stringify([process.argv.slice(2), process.env.COLOUR, await text(process.stdin), process.cwd()]));`;
    const { stdout, record } = await run(port, { code, args: ['a b', '"$(x)"'], env: { COLOUR: 'blue' } });
    expect(JSON.parse(stdout.toString())).toEqual([
      ['a b', '"$(x)"'],
      'blue',
      '',
      join(runtime.directory, 'workspace'),
    ]);
    expect(record).toMatchObject({
      state: 'finished',
      reason: 'exited',
      exit_code: 0,
      signal: null,
      message: null,
    });
  });

  it('gets nothing of the environment of the runtime', async () => {
    const { stdout } = await run(port, { code: 'console.log(Object.keys(process.env).sort().join())' });
    const expected = [
      'HOME',
      'LANG',
      'PATH',
      'PYTHONDONTWRITEBYTECODE',
      'PYTHONIOENCODING',
      markerVariable,
      'TMPDIR',
      'TZ',
    ];
    expect(stdout.toString().trim()).toBe(expected.sort().join());
  });

  it('is told apart by exit code and signal', async () => {
    expect((await run(port, { code: 'process.exit(7)' })).record).toMatchObject({
      reason: 'exited',
      exit_code: 7,
    });
    expect((await run(port, { code: `process.kill(process.pid, 'SIGSEGV')` })).record).toMatchObject({
      reason: 'exited',
      exit_code: null,
      signal: 'SIGSEGV',
    });
    const { record, stderr } = await run(port, { code: 'this is not JavaScript' });
    expect(record).toMatchObject({ reason: 'exited', exit_code: 1 });
    expect(stderr.toString()).toContain('SyntaxError');
  });

  it('runs from a file, as CommonJS by its name, and imports what lies beside it', async () => {
    const put = (path: string, text: string) =>
      call(port, `/files/${path}`, { method: 'PUT', stream: [Buffer.from(text)] });
    await put('lib/two.mjs', 'export const two = 2;');
    await put('main.cjs', `console.log(typeof require, process.argv[2])`);
    expect((await run(port, { file: 'main.cjs', args: ['x'] })).stdout.toString()).toBe('function x\n');
    const { stdout } = await run(port, { code: `import { two } from './lib/two.mjs'; console.log(two);` });
    expect(stdout.toString()).toBe('2\n');
  });

  it('leaves its code nowhere in the workspace', async () => {
    await run(port, { code: '1' });
    const { json } = await call(port, '/files');
    expect(JSON.stringify(json)).not.toContain('.swissbrain-');
    const { stdout } = await run(port, {
      code: `import { readdirSync } from 'node:fs'; console.log(readdirSync('.').join())`,
    });
    expect(stdout.toString().match(/\.swissbrain-/g)).toHaveLength(1);
  });

  it('shares the workspace with programs before it and beside it', async () => {
    await run(port, {
      code: `import { writeFileSync } from 'node:fs'; writeFileSync('shared.txt', 'left by one')`,
    });
    const [one, two] = await Promise.all(
      [1, 2].map(() =>
        run(port, {
          code: `import { readFileSync } from 'node:fs'; console.log(readFileSync('shared.txt', 'utf8'))`,
        }),
      ),
    );
    expect(one?.stdout.toString()).toBe('left by one\n');
    expect(two?.stdout.toString()).toBe('left by one\n');
  });

  it('runs in Python', async (context) => {
    if (!pythonAvailable) return context.skip();
    const code = 'import os, sys\nprint(sys.argv[1], os.environ["COLOUR"], "ü")\nsys.exit(3)';
    const { stdout, record } = await run(port, {
      language: 'python',
      code,
      args: ['a b'],
      env: { COLOUR: 'blue' },
    });
    expect(stdout.toString()).toBe('a b blue ü\n');
    expect(record).toMatchObject({ language: 'python', reason: 'exited', exit_code: 3 });
  });
});

describe('output', () => {
  it('is handed on byte by byte as it was written, also when it is no text', async () => {
    const bytes = randomBytes(300_000);
    await call(port, '/files/bytes.bin', { method: 'PUT', stream: [bytes] });
    const { stdout, stderr, record } = await run(port, {
      code: `
        import { readFileSync, writeSync } from 'node:fs';
        const bytes = readFileSync('bytes.bin');
        for (let at = 0; at < bytes.length;) at += writeSync(1, bytes, at, Math.min(997, bytes.length - at));
        writeSync(2, Buffer.from([0xff, 0xfe, 0x00, 0x80, 0xc3]));`,
    });
    expect(stdout.equals(bytes)).toBe(true);
    expect([...stderr]).toEqual([0xff, 0xfe, 0x00, 0x80, 0xc3]);
    expect(record).toMatchObject({ stdout_bytes: 300_000, stderr_bytes: 5, stdout_truncated: false });
  });

  it('cannot forge frames', async () => {
    const forged = Buffer.concat([Buffer.from([2, 0, 0, 0, 4]), Buffer.from('evil')]);
    const { stdout, stderr } = await run(port, {
      code: `process.stdout.write(Buffer.from('${forged.toString('hex')}', 'hex'))`,
    });
    expect(stdout.equals(forged)).toBe(true);
    expect(stderr.length).toBe(0);
  });

  it('is the same from any offset that was given out', async () => {
    await start(port, 'offsets', { code: `for (let i = 0; i < 3000; i++) console.log('line', i)` });
    const whole = await outcome(port, 'offsets');
    const offsets: number[] = [];
    const slices: Buffer[] = [];
    for (let offset = 0; offset < whole.record.output_size; ) {
      const answer = decodeOutputAnswer(
        (await call(port, `/executions/offsets/output?offset=${offset}`)).body,
      );
      slices.push(answer.frames);
      offset = (answer.head as OutputHead).next_offset;
      offsets.push(offset);
    }
    expect(offsets.at(-1)).toBe(whole.record.output_size);
    for (const [index, offset] of offsets.entries()) {
      const rest = decodeOutputAnswer(
        (await call(port, `/executions/offsets/output?offset=${offset}`)).body,
      ).frames;
      expect(
        Buffer.concat(slices.slice(index + 1))
          .subarray(0, rest.length)
          .equals(rest),
      ).toBe(true);
    }
  });

  it.each(['999999999', '-1', 'x', '0x10'])('is refused from offset %s', async (offset) => {
    await start(port, 'offset-refused', { code: `console.log('x')` });
    await outcome(port, 'offset-refused');
    const { status } = await call(port, `/executions/offset-refused/output?offset=${offset}`);
    expect([400, 416]).toContain(status);
  });

  it('is cut at its limit while the program goes on, and counted to the end', async () => {
    const { record, stdout, stderr } = await run(port, {
      code: `
        import { writeSync } from 'node:fs';
        for (let i = 0; i < 50; i++) writeSync(1, 'x'.repeat(1000));
        writeSync(2, 'done');`,
      limits: { output_bytes: 1_234 },
    });
    expect(stdout.toString()).toBe('x'.repeat(1_234));
    expect(stderr.toString()).toBe('done');
    expect(record).toMatchObject({
      reason: 'exited',
      exit_code: 0,
      stdout_bytes: 50_000,
      stdout_truncated: true,
      stderr_truncated: false,
    });
  });

  it('without end is stopped at its limit when that was asked for', async () => {
    const { record, stdout } = await run(port, {
      code: `import { writeSync } from 'node:fs'; for (;;) try { writeSync(1, 'y'.repeat(4096)) } catch {}`,
      limits: { output_bytes: 100_000, on_output_limit: 'kill' },
    });
    expect(stdout.length).toBe(100_000);
    expect(record).toMatchObject({ reason: 'output_limit', stdout_truncated: true });
  });

  it('without end is stopped by the clock', async () => {
    const { record } = await run(port, {
      code: `import { writeSync } from 'node:fs'; for (;;) try { writeSync(1, 'y'.repeat(4096)) } catch {}`,
      limits: { wall_ms: 700, output_bytes: 1_000 },
    });
    expect(record.reason).toBe('timeout');
    expect(record.output_size).toBeLessThan(2_000);
  });
});

describe('an end', () => {
  it('comes at the time limit and is measured', async () => {
    const { record } = await run(port, { code: 'setInterval(() => {}, 1000)', limits: { wall_ms: 600 } });
    expect(record).toMatchObject({
      reason: 'timeout',
      signal: 'SIGTERM',
      message: 'the time limit of 0.6 s was reached',
    });
    expect(record.duration_ms).toBeGreaterThanOrEqual(600);
  });

  it('comes for who ignores SIGTERM, after one chance to finish', async () => {
    const code = `process.on('SIGTERM', () => console.log('no')); console.log('begun'); setInterval(() => {}, 1000);`;
    await start(port, 'stubborn', { code });
    await call(port, '/executions/stubborn/output?wait=30000');
    expect((await call(port, '/executions/stubborn/kill', { method: 'POST' })).status).toBe(200);
    const { record, stdout } = await outcome(port, 'stubborn');
    expect(stdout.toString()).toBe('begun\nno\n');
    expect(record).toMatchObject({ reason: 'killed', signal: 'SIGKILL' });
  });

  it('comes when asked for, and asking again is harmless', async () => {
    await start(port, 'asked', { code: `setInterval(() => {}, 1000)` });
    expect(await call(port, '/executions/asked/kill', { method: 'POST' })).toMatchObject({
      json: { reason: 'killed' },
    });
    expect(await call(port, '/executions/asked/kill', { method: 'POST' })).toMatchObject({
      json: { reason: 'killed' },
    });
    expect((await call(port, '/executions/unknown/kill', { method: 'POST' })).status).toBe(404);
  });

  it('reaches children that were left in the process group', async () => {
    const { record } = await run(port, {
      code: `
        import { spawn } from 'node:child_process';
        import { writeFileSync } from 'node:fs';
        const child = spawn('sleep', ['600'], { stdio: 'inherit' });
        writeFileSync('child.pid', String(child.pid));
        process.exit(0);`,
    });
    expect(record).toMatchObject({ reason: 'exited', exit_code: 0 });
    expect(lives(await pidIn('child.pid'))).toBe(false);
  });

  it.runIf(onLinux)(
    'reaches who forked twice into a session of its own and holds the output open',
    async () => {
      const { record, stdout } = await run(port, {
        code: `
        import { spawn } from 'node:child_process';
        const inner = "setsid sh -c 'echo $$ > daemon.pid; exec sleep 600' & exit 0";
        const child = spawn('sh', ['-c', inner], { detached: true, stdio: 'inherit' });
        child.on('exit', () => { console.log('left'); });`,
      });
      expect(stdout.toString()).toBe('left\n');
      expect(record.reason).toBe('exited');
      expect(left()).toEqual([]);
      if (existsSync(workspace('daemon.pid'))) expect(lives(await pidIn('daemon.pid'))).toBe(false);
    },
  );

  it.runIf(onLinux)('reaches a daemon that ignores every signal it can', async () => {
    await run(port, {
      code: `
        import { spawn } from 'node:child_process';
        const trap = "trap '' TERM HUP INT; while :; do sleep 1; done";
        spawn('setsid', ['sh', '-c', trap], { detached: true, stdio: 'ignore' }).unref();
        setTimeout(() => process.exit(0), 300);`,
    });
    expect(left()).toEqual([]);
  });

  it.runIf(onLinux)('comes for a fork bomb, and the next program runs', async () => {
    const { record } = await run(port, {
      code: `
        import { spawn } from 'node:child_process';
        for (;;) { spawn('sleep', ['600'], { stdio: 'ignore', detached: true }); await new Promise(setImmediate); }`,
    });
    expect(record.reason).toBe('processes');
    expect(left()).toEqual([]);
    expect((await run(port, { code: 'console.log(1)' })).stdout.toString()).toBe('1\n');
  });

  it.runIf(onLinux).each([
    ['on the heap', 'const all = []; for (;;) all.push(Array.from({ length: 1e5 }, (_, i) => i + 0.5));'],
    ['in buffers', 'const all = []; for (;;) all.push(Buffer.alloc(1e7, 1));'],
  ])('comes at the memory limit %s, told apart from a crash', async (_, code) => {
    expect((await run(port, { code })).record).toMatchObject({ reason: 'memory' });
  });

  it.runIf(onLinux)('comes at the memory limit for the sum of its processes', async () => {
    const code = `
      import { spawn } from 'node:child_process';
      const hog = 'const b = Buffer.alloc(9e7, 1); setInterval(() => b.fill(2), 100)';
      for (let i = 0; i < 4; i++) spawn(process.execPath, ['-e', hog], { stdio: 'ignore' });
      setInterval(() => {}, 1000);`;
    expect((await run(port, { code })).record).toMatchObject({ reason: 'memory' });
  });

  it.runIf(onLinux)('comes when the workspace is full', async () => {
    const { record } = await run(port, {
      code: `
        import { appendFileSync } from 'node:fs';
        for (let i = 0; ; i++) { appendFileSync('part' + (i % 16), Buffer.alloc(1e6, 1)); await new Promise((r) => setTimeout(r, 5)); }`,
    });
    expect(record).toMatchObject({ reason: 'disk', message: expect.stringContaining('the disk is full') });
    for (let i = 0; i < 16; i += 1) await call(port, `/files/part${i}`, { method: 'DELETE' });
  });

  it.runIf(onLinux)('of one file is its size limit, which a program can handle', async () => {
    const { record, stdout } = await run(port, {
      code: `
        import { openSync, truncateSync, writeSync } from 'node:fs';
        openSync('sparse', 'w');
        try { truncateSync('sparse', 1e12); } catch (error) { console.log(error.code); }`,
    });
    expect(stdout.toString()).toBe('EFBIG\n');
    expect(record.exit_code).toBe(0);
  });

  it('loses nothing of what was written just before it', async () => {
    const code = `
      import { writeSync } from 'node:fs';
      const bytes = Buffer.alloc(700_000, 'z');
      for (let at = 0; at < bytes.length;) try { at += writeSync(1, bytes, at) } catch {}
      process.exit(0);`;
    const { stdout } = await run(port, { code });
    const digest = (bytes: Buffer) => createHash('sha256').update(bytes).digest('hex');
    expect(digest(stdout)).toBe(digest(Buffer.alloc(700_000, 'z')));
  });

  it('of a program that cannot be started is told', async () => {
    const env = Object.fromEntries(
      Array.from({ length: 40 }, (_, index) => [`V${index}`, 'x'.repeat(60_000)]),
    );
    const { record } = await run(port, { code: '1', env: { ...env } }).catch(() => ({ record: null }));
    // Larger than a request may be, or than the system takes: refused either way, and the runtime goes on.
    expect(record === null || record.reason === 'spawn_error').toBe(true);
    expect((await call(port, '/health')).status).toBe(200);
  });
});
