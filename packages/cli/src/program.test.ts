import { systemClock } from '@swissbrain/service-kit/clock';
import { SignJWT } from 'jose';
import { beforeAll, describe, expect, it } from 'vitest';
import { type Handler, reply, startServer } from '../../client/test/server.ts';
import { createContext } from './context.ts';
import { runCli } from './program.ts';

const user = '0195d3a4-5d7e-7c31-9f39-0c2a7d4f4a11';
let token = '';
beforeAll(async () => {
  const secret = new TextEncoder().encode('a secret of the test that is long enough');
  token = await new SignJWT({}).setSubject(user).setProtectedHeader({ alg: 'HS256' }).sign(secret);
});

/** Runs a command line against the given environment, without a checkout around it. */
async function cli(args: readonly string[], environment: Readonly<Record<string, string>> = {}) {
  let out = '';
  let err = '';
  const context = createContext({
    stdout: {
      isTty: false,
      columns: 100,
      write: (text) => {
        out += text;
      },
    },
    stderr: {
      isTty: false,
      columns: 100,
      write: (text) => {
        err += text;
      },
    },
    environment,
    directory: import.meta.dirname,
    root: import.meta.dirname,
    clock: systemClock,
    signal: new AbortController().signal,
    yieldProcessor: () => {},
  });
  const code = await runCli(args, context);
  return { code, out, err };
}

async function against(handler: Handler, ...args: string[]) {
  await using server = await startServer(handler);
  // Awaited here: the server is gone when this function returns.
  return await cli(args, { SWISSBRAIN_URL: server.url, SWISSBRAIN_TOKEN: token });
}

describe('runCli', () => {
  it('shows its help', async () => {
    const { code, out } = await cli(['--help']);
    expect(code).toBe(0);
    for (const name of ['run', 'follow', 'runs', 'artifacts', 'credits', 'tap', 'dlq', 'token', 'doctor']) {
      expect(out).toMatch(new RegExp(`^ {2}${name}\\b`, 'm'));
    }
    expect(out).toContain('Exit status: 0 success');
  });

  it.each([
    [['fly']],
    [['follow']],
    [['runs', '--limit', 'many']],
    [['runs', '--status', 'asleep']],
    [['run']],
  ])('ends with 2 for %j', async (args) => {
    const { code, err } = await cli(args, { SWISSBRAIN_URL: 'http://127.0.0.1:9', SWISSBRAIN_TOKEN: token });
    expect([code, err.startsWith('error')]).toEqual([2, true]);
  });

  it('says how to start a stack when there is none', async () => {
    const { code, err } = await cli(['runs']);
    expect(code).toBe(3);
    expect(err).toContain('the local stack is not running');
    expect(err).toContain('npm start');
  });

  it('makes no token for another SwissBrain', async () => {
    const { code, err } = await cli(['token'], { SWISSBRAIN_URL: 'https://swissbrain.example' });
    expect([code, err]).toEqual([2, expect.stringContaining('development tokens are for the local stack')]);
  });

  it('wants a token with a URL', async () => {
    expect(await cli(['runs'], { SWISSBRAIN_URL: 'http://127.0.0.1:9' })).toMatchObject({ code: 2 });
    const { err } = await cli(['runs'], {
      SWISSBRAIN_URL: 'http://127.0.0.1:9',
      SWISSBRAIN_TOKEN: 'nonsense',
    });
    expect(err).toContain('not a JSON web token');
  });
});

describe('runs', () => {
  it('passes the query on and the page through', async () => {
    const page = { items: [], next_cursor: 'next' };
    let path = '';
    const result = await against(
      (request, response) => {
        path = request.url ?? '';
        reply(response, 200, page);
      },
      'runs',
      '--limit',
      '5',
      '--status',
      'failed',
      '--json',
    );
    expect(path).toBe('/v1/runs?limit=5&status=failed');
    expect(result).toEqual({ code: 0, out: `${JSON.stringify(page)}\n`, err: '' });
  });

  it('ends with 4 and the problem when it is refused', async () => {
    const problem = {
      title: 'A valid access token is required',
      detail: 'it has expired',
      code: 'unauthorized',
    };
    const { code, out, err } = await against((_, response) => reply(response, 401, problem), 'runs');
    expect([code, out]).toEqual([4, '']);
    expect(err).toContain(
      'error A valid access token is required\n      it has expired\n      401 unauthorized',
    );
    expect(err).toContain('swissbrain token');
  });
});

describe('doctor', () => {
  it('ends with 1 when something needed is down', async () => {
    const { code, out } = await cli(['doctor', '--json']);
    const { healthy, findings } = JSON.parse(out) as {
      healthy: boolean;
      findings: Record<string, unknown>[];
    };
    expect([code, healthy]).toEqual([1, false]);
    expect(findings).toContainEqual(
      expect.objectContaining({ name: 'stack', status: 'down', advice: 'Start SwissBrain: npm start' }),
    );
  });

  it('asks the SwissBrain that the environment names', async () => {
    const { code, out } = await against((request, response) => {
      if (request.url === '/v1/tools') {
        const reason = 'no model is configured: set MODEL_NAME';
        reply(response, 200, { items: [{ name: 'llm', available: false, reason }] });
      } else reply(response, 200, { granted: true });
    }, 'doctor');
    expect(code).toBe(0);
    expect(out).toMatch(/✔ api/);
    expect(out).toContain('no model is configured: set MODEL_NAME');
    expect(out).toContain('Everything needed is up.');
  });
});
