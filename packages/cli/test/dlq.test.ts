import { randomUUID } from 'node:crypto';
import { jetstream, jetstreamManager } from '@nats-io/jetstream';
import { systemClock } from '@swissbrain/service-kit/clock';
import type { ConsumerDefinition } from '@swissbrain/service-kit/consumer';
import { serveDeadLetters } from '@swissbrain/service-kit/dead-letter-routes';
import { envelopeToHeaders } from '@swissbrain/service-kit/event-headers';
import type { RunningService } from '@swissbrain/service-kit/lifecycle';
import { openPlatform, type Platform, serve } from '@swissbrain/service-kit/platform';
import type { ServiceName } from '@swissbrain/shared-schema/ids';
import { mintToken } from '@swissbrain/testkit/tokens';
import { afterAll, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import { startServer } from '../../client/test/server.ts';
import { type Stack, startStack, ticked } from '../../service-kit/test/stack.ts';
import { createContext } from '../src/context.ts';
import { runCli } from '../src/program.ts';

let stack: Stack;
let platform: Platform;
const running: RunningService[] = [];
let urls = '';
const taken: number[] = [];
const refused = new Set<number>();

const counts: ConsumerDefinition<{ number: number }> = {
  ...{ durable: 'counts', event: ticked, concurrency: 1, batch: 1, ackWaitMs: 30_000, backoffMs: [1] },
  maxAttempts: 1,
  async handle(_tx, events) {
    for (const { data } of events) {
      if (refused.has(data.number)) throw new Error(`cannot take ${data.number}`);
      taken.push(data.number);
    }
  },
};

beforeAll(async () => {
  stack = await startStack();
  const open = async (service: ServiceName, definitions: readonly ConsumerDefinition[]) => {
    platform = await openPlatform(service, stack.config(service));
    serveDeadLetters(platform, definitions);
    running.push(await serve(platform));
    return `${service}=${running.at(-1)?.url}`;
  };
  urls = [await open('collab', []), await open('credits', [counts])].join(',');
});
afterAll(async () => {
  for (const service of running) await service.stop();
  await stack.stop();
});
beforeEach(async () => {
  taken.splice(0);
  refused.clear();
  await (await jetstreamManager(platform.nats)).streams.purge('DLQ');
});

async function bury(subject: string, data: Record<string, unknown>): Promise<number> {
  const id = randomUUID();
  const meta = envelopeToHeaders({
    ...{ id, type: ticked.type, version: 1, source: 'credits', aggregate_type: 'ticker', aggregate_id: id },
    ...{ aggregate_seq: 1n, user_id: id, root_id: id, run_seq: null, traceparent: null },
    time: systemClock.now().toISOString(),
  });
  meta.set('sb-dlq-error', 'refused postgres://app:hunter2@db/x');
  meta.set('sb-dlq-attempts', '5');
  return (await jetstream(platform.nats).publish(`dlq.${subject}`, JSON.stringify(data), { headers: meta }))
    .seq;
}

async function dlq(args: readonly string[], environment: Readonly<Record<string, string>> = {}) {
  let [out, err] = ['', ''];
  const sink = (write: (text: string) => void) => ({ isTty: false, columns: 200, write });
  const token = await mintToken({ claims: { scope: 'operator' } });
  const context = createContext({
    stdout: sink((text) => {
      out += text;
    }),
    stderr: sink((text) => {
      err += text;
    }),
    environment: { SWISSBRAIN_SERVICE_URLS: urls, SWISSBRAIN_TOKEN: token, ...environment },
    ...{ directory: '/', root: '/nowhere', clock: systemClock, signal: new AbortController().signal },
    yieldProcessor: () => {},
  });
  const code = await runCli(['dlq', ...args], context);
  return { code, out, err, lines: out.split('\n').filter((line) => line !== '') };
}

describe('swissbrain dlq', () => {
  it('lists the dead events of all services, or of one, page by page', async () => {
    expect((await dlq(['list'])).out).toBe('No dead events.\n');
    const first = await bury('credits.credits_counts', { number: 1 });
    const second = await bury('credits.credits_counts', { number: 2 });
    const other = await bury('collab.collab_docs', { number: 3 });
    const all = await dlq(['list']);
    expect([all.code, all.err]).toEqual([0, '']);
    expect(all.lines.map((line) => line.split(' ')[0])).toEqual([
      `collab:${other}`,
      `credits:${first}`,
      `credits:${second}`,
    ]);
    expect(all.lines[1]).toMatch(/credits_counts {2}credits\.ticked@1 {2}refused postgres:/);
    expect(all.out).not.toContain('hunter2');
    const page = await dlq(['list', '--service', 'credits', '--limit', '1']);
    expect(page.lines[1]).toBe(`more: swissbrain dlq list --service credits --cursor ${first}`);
    const next = await dlq(['list', '--service', 'credits', '--cursor', String(first), '--json']);
    expect(next.lines.map((line) => JSON.parse(line))).toMatchObject([
      { letter: `credits:${second}`, service: 'credits', consumer: 'credits_counts', attempts: 5 },
    ]);
  });

  it('shows one without its secrets', async () => {
    const sequence = await bury('credits.credits_counts', { number: 1, api_key: 'hidden' });
    const shown = await dlq(['show', `credits:${sequence}`]);
    expect(shown.out).toContain('"number": 1');
    expect(shown.out).toMatch(/ce-type +credits\.ticked/);
    const asJson = await dlq(['show', `credits:${sequence}`, '--json']);
    expect(JSON.parse(asJson.out)).toMatchObject({ data: { number: 1, api_key: '[redacted]' } });
    for (const text of [shown.out, asJson.out]) {
      expect(text).not.toContain('hidden');
      expect(text).not.toContain('hunter2');
    }
  });

  it('drives them again, goes on after one that fails, and says so by its exit status', async () => {
    const sequences: number[] = [];
    for (const number of [1, 2, 3]) sequences.push(await bury('credits.credits_counts', { number }));
    refused.add(2);
    const driven = await dlq(['redrive', '--all', '--consumer', 'credits_counts']);
    expect(driven.code).toBe(4);
    expect(driven.lines).toEqual([`credits:${sequences[0]}  done`, `credits:${sequences[2]}  done`]);
    expect(driven.err).toContain('cannot take 2');
    expect(taken).toEqual([1, 3]);
    refused.clear();
    const last = await dlq(['redrive', `credits:${sequences[1]}`, '--json']);
    expect(last.code).toBe(0);
    expect(JSON.parse(last.out)).toMatchObject({ letter: `credits:${sequences[1]}`, outcome: 'done' });
    expect((await dlq(['list'])).out).toBe('No dead events.\n');
  });

  it('drops them', async () => {
    const sequence = await bury('collab.collab_docs', { number: 1 });
    expect((await dlq(['drop', `collab:${sequence}`])).out).toBe(`collab:${sequence}  dropped\n`);
    const again = await dlq(['drop', `collab:${sequence}`]);
    expect([again.code, again.err]).toEqual([4, expect.stringContaining('dead_letter_not_found')]);
  });

  it('shows what it can when a service is down', async () => {
    const gone = await startServer(() => {});
    await gone[Symbol.asyncDispose]();
    const sequence = await bury('credits.credits_counts', { number: 1 });
    const listed = await dlq(['list'], { SWISSBRAIN_SERVICE_URLS: `scheduler=${gone.url},${urls}` });
    expect(listed.code).toBe(3);
    expect(listed.lines).toHaveLength(1);
    expect(listed.lines[0]).toContain(`credits:${sequence}`);
    expect(listed.err).toContain(gone.url);
  });

  it('is refused to users', async () => {
    const refusal = await dlq(['list', '--service', 'credits'], { SWISSBRAIN_TOKEN: await mintToken() });
    expect([refusal.code, refusal.err]).toEqual([4, expect.stringContaining('scope operator')]);
  });

  it.each([
    [['show', 'credits'], 'not a dead letter: credits'],
    [['show', 'billing:1'], 'billing is not a service'],
    [['show', 'scheduler:1'], 'does not say where scheduler is'],
    [['redrive'], 'name the letters, or say --all'],
    [['redrive', 'credits:1', '--all'], 'name the letters, or say --all'],
    [['redrive', 'credits:1', '--service', 'credits'], 'go with --all'],
    [['list', '--cursor', '1'], '--cursor goes with --service'],
  ])('refuses %j', async (args, problem) => {
    const refusal = await dlq(args);
    expect([refusal.code, refusal.err]).toEqual([2, expect.stringContaining(problem)]);
  });

  it('wants the address of each service', async () => {
    const one = await dlq(['list'], { SWISSBRAIN_SERVICE_URLS: '', SWISSBRAIN_URL: 'http://127.0.0.1:1' });
    expect([one.code, one.err]).toEqual([2, expect.stringContaining('SWISSBRAIN_SERVICE_URLS')]);
    const none = await dlq(['list'], { SWISSBRAIN_SERVICE_URLS: 'credits' });
    expect([none.code, none.err]).toEqual([2, expect.stringContaining('has no URL for credits')]);
  });
});
