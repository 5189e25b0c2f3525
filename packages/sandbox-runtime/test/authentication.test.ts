import { randomBytes } from 'node:crypto';
import { createConnection } from 'node:net';
import { text } from 'node:stream/consumers';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { wallClockMs } from '../src/clock.ts';
import { signatureHeaders } from '../src/signing.ts';
import { call, type RuntimeProcess, run, start, startRuntimeProcess } from './runtime-process.ts';

let runtime: RuntimeProcess;
beforeAll(async () => {
  runtime = await startRuntimeProcess();
});
afterAll(() => runtime.destroy());

const program = JSON.stringify({ language: 'javascript', code: '1' });
const put = { method: 'PUT', body: program } as const;

describe('who may talk to a runtime', () => {
  it('answers the holder of the secret, authentically', async () => {
    expect(await call(runtime.port, '/health')).toMatchObject({ status: 200, authentic: true, json: {} });
  });

  it.each([
    ['without a signature', { headers: { [signatureHeaders.mac]: '' } }],
    ['with a made-up signature', { headers: { [signatureHeaders.mac]: '0'.repeat(64) } }],
    ['with another secret', { secret: 'another secret that is as long as this one' }],
    ['signed for another path', { signedTarget: '/executions/other' }],
    ['with a nonce of another form', { nonce: 'x' }],
    ['with a time that is none', { headers: { [signatureHeaders.time]: 'now' } }],
    ['with another digest', { headers: { [signatureHeaders.digest]: '0'.repeat(64) } }],
  ])('refuses a request %s and tells it nothing', async (_, lie) => {
    const answer = await call(runtime.port, '/executions/forged', { ...put, ...lie });
    expect(answer).toMatchObject({ status: 401, authentic: false });
    expect(answer.body.length).toBe(0);
    expect((await call(runtime.port, '/executions/forged')).status).toBe(404);
  });

  it('refuses a request that it has seen, and says so to whom it may concern', async () => {
    const nonce = randomBytes(16).toString('hex');
    const timeMs = wallClockMs();
    expect((await call(runtime.port, '/health', { nonce, timeMs })).status).toBe(200);
    const again = await call(runtime.port, '/health', { nonce, timeMs });
    expect(again).toMatchObject({
      status: 401,
      authentic: true,
      json: { error: { code: 'request_replayed' } },
    });
  });

  it.each([-600_000, 600_000])('refuses a request whose clock is %d ms off', async (offset) => {
    const answer = await call(runtime.port, '/health', { timeMs: wallClockMs() + offset });
    expect(answer).toMatchObject({ status: 401, json: { error: { code: 'request_stale' } } });
  });

  it('refuses a body other than the signed one', async () => {
    const sentBody = Buffer.from(JSON.stringify({ language: 'javascript', code: 'evil()' }));
    const answer = await call(runtime.port, '/executions/swapped', { ...put, sentBody });
    expect(answer).toMatchObject({ status: 400, json: { error: { code: 'body_altered' } } });
    expect((await call(runtime.port, '/executions/swapped')).status).toBe(404);
  });

  it('refuses a body that is too large with an answer that can be read', async () => {
    const body = Buffer.alloc(20 * 1024 * 1024, 'x');
    const answer = await call(runtime.port, '/executions/huge', { method: 'PUT', body });
    expect(answer).toMatchObject({ status: 413, json: { error: { code: 'body_too_large' } } });
  });

  it('does not read the body of a stranger', async () => {
    const socket = createConnection(runtime.port, '127.0.0.1');
    socket.write('PUT /executions/x HTTP/1.1\r\nhost: x\r\ncontent-length: 1000000000\r\n\r\n');
    expect(await text(socket)).toMatch(/^HTTP\/1.1 401 /);
  });

  it("gives a program no way to the secret: not in its environment, not in the runtime's, not on its command line", async () => {
    const { stdout } = await run(runtime.port, {
      code: `
        import { readFileSync, readdirSync } from 'node:fs';
        console.log(JSON.stringify(process.env));
        for (const pid of [process.ppid, 'self']) for (const name of ['environ', 'cmdline'])
          try { console.log(readFileSync('/proc/' + pid + '/' + name, 'latin1')) } catch {}
        console.log(readdirSync('..', { recursive: true }).join());
        for (const name of readdirSync('../state')) console.log(readFileSync('../state/' + name, 'latin1'));
        console.log(readFileSync('../session.json', 'latin1'));
      `,
    });
    expect(stdout.toString()).not.toContain('the secret of a session');
    expect(stdout.toString()).toContain('SWISSBRAIN_SANDBOX');
  });

  it('refuses a program that talks to the runtime itself', async () => {
    const code = `
      const answers = await Promise.all(['/health', '/executions/me', '/shutdown'].map((path) =>
        fetch('http://127.0.0.1:${runtime.port}' + path, { method: path === '/shutdown' ? 'POST' : 'GET' })));
      console.log(answers.map((answer) => answer.status).join());`;
    expect((await run(runtime.port, { code })).stdout.toString().trim()).toBe('401,401,401');
    expect((await call(runtime.port, '/health')).status).toBe(200);
  });

  it.each([
    ['/nowhere', 404, 'route_missing'],
    ['/executions/unknown', 404, 'execution_missing'],
    ['/executions/unknown/output', 404, 'execution_missing'],
    ['/executions/%2e%2e', 400, 'request_invalid'],
    ['/executions/a%2Fb', 400, 'request_invalid'],
    ['/files/%', 400, 'request_invalid'],
  ])('answers %s with %d %s', async (target, status, code) => {
    expect(await call(runtime.port, target)).toMatchObject({
      status,
      authentic: true,
      json: { error: { code } },
    });
  });

  it.each([
    ['{', 'body'],
    ['[]', 'body'],
    ['{"language":"cobol","code":""}', 'language'],
    ['{"language":"javascript"}', 'code'],
    ['{"language":"javascript","code":"","file":"a"}', 'code'],
    ['{"language":"javascript","code":"","args":"x"}', 'args'],
    ['{"language":"javascript","code":"","args":["\\u0000"]}', 'args[0]'],
    ['{"language":"javascript","code":"","env":{"A=B":"x"}}', 'env'],
    ['{"language":"javascript","code":"","limits":{"wall_ms":0}}', 'limits.wall_ms'],
    ['{"language":"javascript","code":"","limits":{"on_output_limit":"x"}}', 'limits.on_output_limit'],
    ['{"language":"javascript","code":"","surprise":1}', 'body'],
  ])('refuses the execution %s and names the field', async (body, field) => {
    const answer = await call(runtime.port, '/executions/bad', { method: 'PUT', body });
    expect(answer).toMatchObject({ status: 400, json: { error: { code: 'request_invalid' } } });
    expect((answer.json as { error: { message: string } }).error.message).toMatch(
      new RegExp(`^${RegExp.escape(field)} `),
    );
  });

  it('frees an id whose program could not be laid ready', async () => {
    expect(await start(runtime.port, 'late', { file: 'late.mjs' })).toMatchObject({ status: 404 });
    expect(await start(runtime.port, 'late', { code: '1' })).toMatchObject({ status: 201 });
  });
});
