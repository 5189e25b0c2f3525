import { execFile } from 'node:child_process';
import { mkdtemp, readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { serviceNames } from '@swissbrain/shared-schema/ids';
import { waitFor } from '@swissbrain/testkit/wait';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { z } from 'zod';
import { auditRun, waitUntilSettled } from './run-audit.ts';
import { root, startWholeStack, type WholeStack } from './whole-stack.ts';

const run = promisify(execFile);
const csvPath = join(root, 'node_modules/vega-datasets/data/seattle-weather.csv');

/** Mean daily highs by month (1 to 12), computed here from the same file in another way. */
async function meanHighs(): Promise<number[]> {
  const [, ...lines] = (await readFile(csvPath, 'utf8')).trim().split(/\r?\n/);
  const highs = lines
    .map((line) => line.split(','))
    .map(([date = '', , high]) => [Number(date.slice(5, 7)), Number(high)]);
  return Array.from({ length: 12 }, (_, index) => {
    const ofMonth = highs.flatMap(([month, high]) =>
      month === index + 1 && high !== undefined ? [high] : [],
    );
    return ofMonth.reduce((sum, high) => sum + high, 0) / ofMonth.length;
  });
}

const monthly = z.object({
  days: z.number(),
  months: z.array(z.object({ month: z.number(), temp_max_mean: z.number() })),
});

const questionPlaybook = `
name: One question
steps:
  - id: which
    tool: human
    with: { question: Which city? }
  - id: say
    tool: code
    needs: [which]
    with:
      language: javascript
      code: console.log('done')
`;

describe('the demo', () => {
  let stack: WholeStack;
  beforeAll(async () => {
    stack = await startWholeStack();
  });
  afterAll(async () => {
    await stack?.[Symbol.asyncDispose]();
  });
  const swissbrain = async (...args: string[]): Promise<string> => {
    const { stdout } = await run(process.execPath, [join(root, 'packages/cli/src/main.ts'), ...args], {
      env: { ...process.env, SWISSBRAIN_ROOT: stack.cliRoot, NO_COLOR: '1' },
      cwd: root,
    });
    return stdout;
  };

  it('turns the weather of Seattle into numbers, a chart and a report, and pays for it', async () => {
    const output = join(stack.cliRoot, 'output');
    const shown = await swissbrain('run', 'examples/seattle-weather.yaml', '--output', output);
    const [runId = ''] = /[0-9a-f]{8}-[0-9a-f-]{27}/.exec(shown) ?? [];
    const artifact = (name: string) => readFile(join(output, runId, name), 'utf8');

    const { days, months } = monthly.parse(JSON.parse(await artifact('monthly.json')));
    expect(days).toBe(1461);
    const expected = await meanHighs();
    for (const { month, temp_max_mean: mean } of months)
      expect(mean).toBeCloseTo(expected[month - 1] ?? Number.NaN, 2);
    expect(await artifact('chart.svg')).toMatch(/^<svg[\s\S]*<\/svg>\s*$/);
    const report = await artifact('report.md');
    expect(
      report.match(
        /^\| (?:January|February|March|April|May|June|July|August|September|October|November|December) /gm,
      ),
    ).toHaveLength(12);

    const settled = await waitUntilSettled(stack, runId);
    await auditRun(stack, runId);
    const balance = z
      .object({ balance: z.object({ available: z.string() }) })
      .parse(JSON.parse(await swissbrain('credits', '--json')));
    const spent = BigInt(settled.consumed_micro);
    expect(spent).toBeGreaterThan(0n);
    expect(Math.round(Number(balance.balance.available) * 1e6)).toBe(100_000_000 - Number(spent));
  });

  it('shows a run again from the beginning, and its events from the stream', async () => {
    const [first] = z
      .object({ items: z.array(z.object({ id: z.string(), status: z.string() })) })
      .parse(JSON.parse(await swissbrain('runs', '--json'))).items;
    if (!first) throw new Error('the demo left no run');
    expect(first.status).toBe('completed');
    const followed = await swissbrain('follow', first.id);
    for (const type of ['run.requested', 'run.started', 'step.completed', 'run.completed'])
      expect(followed).toContain(type);
    const tapped = (await swissbrain('tap', 'run.*', '--since', '1h', '--json')).trim().split('\n');
    expect(tapped.map((line) => z.object({ type: z.string() }).parse(JSON.parse(line)).type)).toEqual(
      expect.arrayContaining(['run.requested', 'run.queued', 'run.started', 'run.completed']),
    );
  });

  it('asks a person, waits, goes on with the answer, and may be forked, retried and replayed', async () => {
    const directory = await mkdtemp(join(stack.cliRoot, 'question-'));
    const file = join(directory, 'question.yaml');
    await writeFile(file, questionPlaybook);
    await writeFile(join(directory, 'cities.csv'), 'city\nBern\n');
    const runId = (await swissbrain('run', file, '--detach')).trim();
    const statusOf = async (id: string) =>
      z
        .object({ items: z.array(z.object({ id: z.string(), status: z.string() })) })
        .parse(JSON.parse(await swissbrain('runs', '--json')))
        .items.find((run) => run.id === id)?.status;
    await waitFor(async () => (await statusOf(runId)) === 'waiting_input');
    expect(await swissbrain('questions', runId)).toContain('Which city?');
    const asked = z
      .object({ items: z.array(z.object({ id: z.string() })).length(1) })
      .parse(JSON.parse(await swissbrain('questions', runId, '--json')));
    const question = asked.items[0]?.id ?? '';
    expect(await swissbrain('answer', runId, question, 'Bern')).toContain('answered');
    await waitFor(async () => (await statusOf(runId)) === 'completed');
    const runs: string[] = [];
    for (const args of [
      ['fork', runId, '--from', '1'],
      ['retry', runId, '--from', '1'],
    ])
      runs.push((await swissbrain(...args)).split(' ')[0] ?? '');
    for (const id of runs) await waitFor(async () => (await statusOf(id)) === 'completed');
    expect(JSON.parse(await swissbrain('replay', runId))).toBeTypeOf('object');

    const uploaded = z
      .object({ name: z.string(), size_bytes: z.number() })
      .parse(JSON.parse(await swissbrain('artifacts', 'upload', join(directory, 'cities.csv'), '--json')));
    expect(uploaded).toEqual({ name: 'cities.csv', size_bytes: 10 });
    expect(await swissbrain('tools')).toContain('human');
  });

  it('pauses, resumes and cancels a run from the command line', async () => {
    const directory = await mkdtemp(join(stack.cliRoot, 'control-'));
    const file = join(directory, 'question.yaml');
    await writeFile(file, questionPlaybook);
    const runId = (await swissbrain('run', file, '--detach')).trim();
    const shows = async (command: string, status: string) =>
      waitFor(async () => (await swissbrain(command, runId)).includes(status));
    await shows('pause', 'paused');
    expect(await swissbrain('resume', runId)).not.toContain('paused');
    await shows('cancel', 'cancelled');
  });

  it.each(serviceNames)('%s describes the API that the client is made of', async (service) => {
    const answer = await fetch(`${stack.state().services[service].url}/openapi.json`);
    const { servers, ...described } = z.looseObject({}).parse(await answer.json());
    const known = await readFile(join(root, 'packages/client/openapi', `${service}.json`), 'utf8');
    // Else: npm run client:generate.
    expect(described).toEqual(JSON.parse(known));
    expect(servers).toHaveLength(1);
  });

  it('is in good health', async () => {
    expect(await swissbrain('doctor')).toContain('agent-runner');
  });
});
