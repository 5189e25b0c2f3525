import { createHash } from 'node:crypto';
import { once } from 'node:events';
import { existsSync } from 'node:fs';
import { connect, createServer, type Socket } from 'node:net';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { createCodeLink } from '../src/code-link.ts';
import { encodeLinkFrame, frameTypes, maxDataBytes, windowBytes } from '../src/link-frames.ts';
import { createRemoteCodeHost } from '../src/remote-code-host.ts';
import { startRemoteProgram } from '../src/remote-program.ts';
import {
  call,
  outcome,
  type RuntimeProcess,
  run,
  start,
  startRuntimeProcess,
  waitFor,
} from './runtime-process.ts';

let runtime: RuntimeProcess;
let port: number;
beforeAll(async () => {
  runtime = await startRuntimeProcess(
    { SANDBOX_MAX_PROCESSES: '40', SANDBOX_MEMORY_MB: '256' },
    undefined,
    'two',
  );
  port = runtime.port;
});
afterAll(() => runtime.destroy());

describe('a runtime in two parts', () => {
  it('keeps no socket that a program could connect to', async () => {
    expect(existsSync(join(runtime.directory, 'code.sock'))).toBe(false);
    const code = `
      import { connect } from 'node:net';
      connect(${JSON.stringify(join(runtime.directory, 'code.sock'))}).on('error', (error) => console.log(error.code));`;
    expect((await run(port, { code })).stdout.toString()).toBe('ENOENT\n');
  });

  it('gives all output of a program that writes faster than it is taken, in order', async () => {
    const code = `
      import { writeSync } from 'node:fs';
      for (let i = 0; i < 3000; i += 1) { writeSync(1, String(i).padEnd(1023, '.') + '\\n'); if (i % 100 === 0) writeSync(2, i + '\\n'); }`;
    const { record, stdout, stderr } = await run(port, { code, limits: { output_bytes: 8_000_000 } });
    expect(record).toMatchObject({ reason: 'exited', exit_code: 0, stdout_bytes: 3_072_000 });
    const lines = stdout.toString().trimEnd().split('\n');
    expect(lines.map((line) => Number.parseInt(line, 10))).toEqual(Array.from({ length: 3000 }, (_, i) => i));
    expect(stderr.toString().trim().split('\n')).toHaveLength(30);
  });

  it('moves a large file while programs run', async () => {
    await start(port, 'beside', { code: `setTimeout(() => console.log('done'), 500)` });
    const content = Buffer.alloc(20_000_000, 'abcdefg');
    const pieces = Array.from({ length: 200 }, (_, i) => content.subarray(i * 100_000, (i + 1) * 100_000));
    expect(await call(port, '/files/large.bin', { method: 'PUT', stream: pieces })).toMatchObject({
      status: 200,
    });
    const { stdout } = await run(port, {
      code: `import { readFileSync } from 'node:fs'; import { createHash } from 'node:crypto';
        console.log(createHash('md5').update(readFileSync('large.bin')).digest('hex'))`,
    });
    expect(stdout.toString().trim()).toBe(createHash('md5').update(content).digest('hex'));
    expect((await outcome(port, 'beside')).stdout.toString()).toBe('done\n');
    await call(port, '/files/large.bin', { method: 'DELETE' });
  });
});

describe('the death of the code container', () => {
  it('ends what runs as lost, in words, and closes the session to all else', async () => {
    const own = await startRuntimeProcess({}, undefined, 'two');
    try {
      await start(own.port, 'cut', { code: `console.log('begun'); setInterval(() => {}, 1000)` });
      await waitFor(async () => {
        const { json } = await call(own.port, '/executions/cut');
        return (json as { stdout_bytes: number }).stdout_bytes > 0;
      });
      own.code?.kill('SIGKILL');
      const { record, stdout } = await outcome(own.port, 'cut');
      expect(stdout.toString()).toBe('begun\n');
      expect(record).toMatchObject({ state: 'finished', reason: 'lost' });
      expect(record.message).toContain('the code container has ended');
      const later = await start(own.port, 'later', { code: '1' });
      expect(later).toMatchObject({ status: 503, json: { error: { code: 'closing' } } });
      expect(await call(own.port, '/files')).toMatchObject({
        status: 503,
        json: { error: { code: 'closing' } },
      });
    } finally {
      await own.destroy();
    }
  });

  it('follows that of the runtime', async () => {
    const own = await startRuntimeProcess({}, undefined, 'two');
    const ended = own.code && once(own.code, 'exit');
    own.child.kill('SIGKILL');
    expect(await ended).toEqual([0, null]);
    await own.destroy();
  });
});

/** A code container that says what it likes. */
async function pretend(answer: (socket: Socket, channel: number) => void) {
  const server = createServer();
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  const { port: at } = server.address() as { port: number };
  const accepted = once(server, 'connection');
  const hostile = connect(at, '127.0.0.1');
  hostile.on('error', () => undefined);
  hostile.once('data', (bytes: Buffer) => answer(hostile, bytes.readUInt32BE(5)));
  const [socket] = (await accepted) as [Socket];
  const link = createCodeLink(socket);
  const close = () => {
    hostile.destroy();
    server.close();
  };
  return { link, host: createRemoteCodeHost(link), close };
}
const json = (value: unknown) => Buffer.from(JSON.stringify(value));
const { data, done, message, fault, open, end } = frameTypes;

describe('what a hostile code container says', () => {
  const lies: readonly [string, (socket: Socket, channel: number) => void, string][] = [
    ['a frame of four gigabytes', (s) => s.write(Buffer.alloc(9, 0xff)), 'a frame of'],
    [
      'a frame over the limit',
      (s, c) => s.write(encodeLinkFrame(data, c, Buffer.alloc(maxDataBytes + 1))),
      'a frame of',
    ],
    ['an unknown type', (s, c) => s.write(Buffer.from([0, 0, 0, 0, 99, 0, 0, 0, c])), 'unknown type'],
    ['an answer nobody asked for', (s, c) => s.write(encodeLinkFrame(done, c + 7, json(null))), 'not open'],
    [
      'a second answer',
      (s, c) =>
        s.write(
          Buffer.concat([encodeLinkFrame(done, c, json({ bytes: 1 })), encodeLinkFrame(done, c, json(null))]),
        ),
      'not open',
    ],
    ['a request', (s, c) => s.write(encodeLinkFrame(open, c, json({ op: 'list' }))), 'only the runtime'],
    ['no JSON', (s, c) => s.write(encodeLinkFrame(done, c, Buffer.from('{'))), 'no JSON'],
    [
      'a message unasked',
      (s, c) => s.write(encodeLinkFrame(message, c, json({ exited: {} }))),
      'not asked for',
    ],
    [
      'a refusal with a status of its own',
      (s, c) => s.write(encodeLinkFrame(fault, c, json({ status: 200, code: 'x', message: '' }))),
      'refusal of unknown shape',
    ],
    [
      'bytes after the end',
      (s, c) =>
        s.write(
          Buffer.concat([
            encodeLinkFrame(end, c, Buffer.alloc(0)),
            encodeLinkFrame(data, c, Buffer.from('x')),
          ]),
        ),
      'after the end',
    ],
    [
      'more bytes than it may',
      (s, c) => {
        for (let i = 0; i <= windowBytes; i += maxDataBytes)
          s.write(encodeLinkFrame(data, c, Buffer.alloc(maxDataBytes)));
      },
      'credit',
    ],
    [
      'a size that is none',
      (s, c) => s.write(encodeLinkFrame(done, c, json({ bytes: -1 }))),
      'out of its range',
    ],
    [
      'text for a number',
      (s, c) => s.write(encodeLinkFrame(done, c, json({ bytes: '1' }))),
      'out of its range',
    ],
    ['a list for an object', (s, c) => s.write(encodeLinkFrame(done, c, json([1]))), 'unknown shape'],
  ];
  it.each(lies)('%s ends the connection', async (_name, lie, why) => {
    const { link, host, close } = await pretend(lie);
    // The second answer comes after a good one, which is taken.
    await host
      .usage()
      .catch((error: unknown) => expect(error).toMatchObject({ status: 503, code: 'closing' }));
    expect(await link.broken).toContain(why);
    await expect(host.list()).rejects.toMatchObject({ status: 503, code: 'closing' });
    close();
  });

  it('a program that ends twice, or speaks of streams there are not, is lost', async () => {
    const exited = { exited: { exit_code: 0, signal: null, spawn_error: null } };
    const twice = await pretend((s, c) =>
      s.write(Buffer.concat([1, 2].map(() => encodeLinkFrame(message, c, json(exited))))),
    );
    const stream = await pretend((s, c) => s.write(encodeLinkFrame(data, c, Buffer.from([7, 65]))));
    const first = startRemoteProgram(twice.link, 'x', () => undefined);
    expect(await first.exited).toMatchObject({ exitCode: 0 });
    await first.ended;
    expect(await twice.link.broken).toContain('second end');
    const second = startRemoteProgram(stream.link, 'x', () => undefined);
    expect(await second.ended).toMatchObject({ exitCode: null, lost: 'output of an unknown stream' });
    expect(await stream.link.broken).toContain('unknown stream');
    twice.close();
    stream.close();
  });
});
