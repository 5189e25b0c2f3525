import { randomUUID } from 'node:crypto';
import { readdir } from 'node:fs/promises';
import { systemClock } from '@swissbrain/service-kit/clock';
import type { Database } from '@swissbrain/service-kit/database';
import type {
  QuestionView,
  ReplayView,
  RunView,
  StepView,
} from '@swissbrain/shared-schema/http/agent-runner';
import { type ModelServer, startModelServer } from '@swissbrain/testkit/model-server';
import { openServiceDatabase } from '@swissbrain/testkit/service-database';
import { waitFor } from '@swissbrain/testkit/wait';
import { afterAll, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import { expireRuns } from '../src/operations/expire-runs.ts';
import { sweepObjects } from '../src/operations/sweep-objects.ts';
import { createLocalStore } from '../src/storage/local-store.ts';
import { blobTool } from './support/blob.ts';
import { eventsOf } from './support/events.ts';
import { createGate, gateStep } from './support/gate.ts';
import { newUser, playbookOf, type Runner, startRunner, type User } from './support/runner.ts';

const mib = 1024 * 1024;
const gate = createGate();
let model: ModelServer;
let runner: Runner;
let database: Database;
let user: User;
beforeAll(async () => {
  model = await startModelServer();
  runner = await startRunner({
    extraTools: [blobTool, gate.tool],
    overrides: {
      MODEL_BASE_URL: model.url,
      MODEL_NAME: 'scripted',
      MODEL_CONTEXT_TOKENS: '1000000',
      REMOVAL_SETTLE_SECONDS: '0',
      REMOVAL_POLL_MS: '100',
    },
  });
  database = openServiceDatabase('agent-runner', runner.database);
  user = await newUser(runner.url);
});
afterAll(async () => {
  await database?.close();
  await runner?.stop();
  await model?.stop();
});
beforeEach(() => model.reset());

const blob = (id: string, bytes: number, more: Record<string, unknown> = {}) => ({
  id,
  tool: 'blob',
  with: { bytes },
  ...more,
});
const read = async <T>(path: string, of: User = user): Promise<T> => {
  const answer = await of.request('GET', path);
  expect(answer.status).toBe(200);
  return (await answer.json()) as T;
};
const made = async (path: string, body: unknown): Promise<RunView> => {
  const answer = await user.request('POST', path, body, { 'idempotency-key': randomUUID() });
  const text = await answer.text();
  expect(answer.status, text).toBe(201);
  return JSON.parse(text) as RunView;
};
const answered = async (runId: string, answer: unknown) => {
  await waitFor(async () => (await user.run(runId)).status === 'waiting_input', { describe: 'the question' });
  const [question] = (await read<{ items: QuestionView[] }>(`/v1/runs/${runId}/questions`)).items;
  const path = `/v1/runs/${runId}/questions/${question?.id}/answer`;
  expect((await user.request('POST', path, { answer }, { 'idempotency-key': randomUUID() })).status).toBe(
    200,
  );
};
/** The longest value of any row of this run, in bytes. */
const longest = async (runId: string) => {
  const [row] = await runner.database.query<{ longest: number }>(
    `SELECT max(octet_length(value::text)) AS longest FROM (
       SELECT input AS value FROM agent_steps WHERE run_id = $1 UNION ALL
       SELECT output FROM agent_steps WHERE run_id = $1 UNION ALL
       SELECT content FROM agent_messages WHERE run_id = $1 UNION ALL
       SELECT unnest(ARRAY[playbook, inputs, output]) FROM agent_runs WHERE id = $1) AS all_values`,
    [runId],
  );
  return row?.longest ?? 0;
};
const keysOf = async (runId: string) =>
  (
    await runner.database.query<{ storage_key: string }>(
      `SELECT storage_key FROM agent_artifacts WHERE run_id = $1 AND kind = 'payload'`,
      [runId],
    )
  ).map((row) => row.storage_key);
const objects = () => createLocalStore(`${runner.directory}/artifacts`, systemClock);
const sweepInDays = (days: number) => {
  const clock = { ...systemClock, now: () => new Date(systemClock.now().getTime() + days * 86_400_000) };
  const store = createLocalStore(`${runner.directory}/artifacts`, clock);
  const { signal } = new AbortController();
  return sweepObjects({ database, objects: store, clock, graceDays: 3, signal });
};

describe('a value of a megabyte', () => {
  const steps = [
    blob('big', mib),
    { id: 'ask', tool: 'human', with: { question: 'Go on?' }, needs: ['big'] },
    {
      id: 'write',
      tool: 'file',
      with: {
        action: 'write',
        path: 'big.txt',
        content: '${{ steps.big.output.text }}${{ steps.ask.output.answer }}',
      },
      artifacts: ['big.txt'],
    },
  ];

  it('goes from step to step of a playbook, also when the run was left in between, and no row holds it', async () => {
    const run = await user.create(playbookOf(steps));
    await answered(run.id, 'yes');
    expect(await user.ended(run.id)).toMatchObject({ status: 'completed' });
    const [file] = (await user.artifacts(run.id)).filter(({ kind }) => kind === 'output');
    expect(file).toMatchObject({ name: 'big.txt', size_bytes: mib + 3 });
    const [big] = await user.steps(run.id);
    expect(big?.output).toEqual({ text: 'b'.repeat(mib), note: null });
    expect(await longest(run.id)).toBeLessThanOrEqual(64 * 1024);
    const [row] = await runner.database.query<{ output_ref: Record<string, unknown> }>(
      `SELECT output_ref FROM agent_steps WHERE run_id = $1 AND step_key = 'big'`,
      [run.id],
    );
    const [key] = await keysOf(run.id);
    expect(row?.output_ref).toEqual({ key, size_bytes: mib + 23, sha256: key?.split('/').at(-1) });
    // They are not files of the run.
    expect((await user.artifacts(run.id)).map(({ kind }) => kind)).not.toContain('payload');
    for (const event of await eventsOf(runner.database, run.id))
      expect(JSON.stringify(event.data).length).toBeLessThan(64 * 1024);
  });

  it('may be given by the playbook itself, and is told from another one when a run is forked', async () => {
    const text = 'ä'.repeat(100_000);
    const playbook = [
      { id: 'note', tool: 'blob', with: { bytes: 1, note: { text, a: 1, b: [2] } } },
      { ...gateStep('broken', 'fail'), needs: ['note'] },
    ];
    const given = {
      ...playbookOf(playbook, { inputs: { long: { type: 'string' } } }),
      inputs: { long: text },
    };
    const run = await user.create(given);
    expect(await user.ended(run.id)).toMatchObject({ status: 'failed', error: { code: 'told_to' } });
    expect(await longest(run.id)).toBeLessThanOrEqual(64 * 1024);
    const [note] = await user.steps(run.id);
    expect(note?.input).toEqual({ bytes: 1, note: { text, a: 1, b: [2] } });
    expect(note?.output).toEqual({ text: 'b', note: { text, a: 1, b: [2] } });

    const again = await made(`/v1/runs/${run.id}/retry`, {});
    expect(again.steps).toMatchObject({ total: 2, completed: 1 });
    const edited = structuredClone(given.playbook);
    if (edited?.steps[0]) edited.steps[0].with = { bytes: 1, note: { text: `${text}!`, a: 1, b: [2] } };
    const other = await made(`/v1/runs/${run.id}/fork`, { playbook: edited });
    expect(other.steps).toMatchObject({ total: 2, completed: 0 });
    for (const { id } of [again, other]) expect((await user.ended(id)).status).toBe('failed');

    const replayed = await user.request('POST', `/v1/runs/${run.id}/replay`, {});
    const view = (await replayed.json()) as ReplayView;
    expect(view.steps[0]).toMatchObject({ verdict: 'recorded', output: { note: { text } } });
    expect(view.first_difference).toBe('broken');
  });

  it('stays for a fork when its run is deleted, and goes with the last that refers to it', async () => {
    const run = await user.create(
      playbookOf([blob('big', mib + 7), { ...gateStep('broken', 'fail'), needs: ['big'] }]),
    );
    await user.ended(run.id);
    const fork = await made(`/v1/runs/${run.id}/retry`, {});
    await user.ended(fork.id);
    const [key = ''] = await keysOf(run.id);
    const expire = async (id: string) => {
      await runner.database.query(
        `UPDATE agent_runs SET finished_at = now() - interval '8 days' WHERE id = $1`,
        [id],
      );
      await waitFor(async () => {
        await expireRuns(database, new AbortController().signal);
        return (await user.request('GET', `/v1/runs/${id}`)).status === 404;
      });
    };
    await expire(run.id);
    await sweepInDays(5);
    expect((await user.steps(fork.id))[0]?.output).toMatchObject({ text: 'b'.repeat(mib + 7) });
    await expire(fork.id);
    expect(await objects().head(key)).not.toBeNull();
    await sweepInDays(5);
    expect(await objects().head(key)).toBeNull();
  });

  it('is asked for in pages that hold only so much', async () => {
    const many = Array.from({ length: 12 }, (_, place) => blob(`b${place}`, mib));
    const run = await user.create(playbookOf(many));
    await user.ended(run.id);
    const sizes: number[] = [];
    for (let after: number | null = -1; after !== null; ) {
      const page: { items: StepView[]; next_after: number | null } = await read(
        `/v1/runs/${run.id}/steps?after=${after}&limit=500`,
      );
      sizes.push(page.items.length);
      for (const { output } of page.items) expect((output as { text: string }).text.length).toBe(mib);
      after = page.next_after;
    }
    expect(sizes).toEqual([7, 5]);
  });

  it('that the storage has lost is an error that says so, and a value that looks like a reference is a value', async () => {
    const victim = await user.create(playbookOf([blob('big', mib)]));
    await user.ended(victim.id);
    const [key = ''] = await keysOf(victim.id);
    const forged = { key, size_bytes: 5, sha256: '0'.repeat(64) };
    const other = await newUser(runner.url);
    const run = await other.create(playbookOf([{ id: 'a', tool: 'blob', with: { bytes: 0, note: forged } }]));
    await other.ended(run.id);
    expect((await other.steps(run.id))[0]?.output).toEqual({ text: '', note: forged });

    await objects().delete(key);
    const answer = await user.request('GET', `/v1/runs/${victim.id}/steps`);
    expect(answer.status).toBe(503);
    expect(await answer.json()).toMatchObject({ code: 'content_unavailable' });
  });

  it('that is too large even for that fails its step', async () => {
    const run = await user.create(playbookOf([blob('huge', 17 * mib)]));
    expect(await user.ended(run.id)).toMatchObject({ status: 'failed', error: { code: 'output_too_large' } });
  });

  it('goes with its user', async () => {
    const leaver = await newUser(runner.url);
    await leaver.ended((await leaver.create(playbookOf([blob('big', mib)]))).id);
    const body = { confirm: 'delete everything' };
    await leaver.request('DELETE', '/v1/me', body, { 'idempotency-key': randomUUID() });
    await waitFor(async () => (await read<{ status: string }>('/v1/me/deletion', leaver)).status === 'done', {
      timeoutMs: 60_000,
      describe: 'the deletion',
    });
    const files = await readdir(`${runner.directory}/artifacts`, { recursive: true });
    expect(files.filter((path) => path.includes(leaver.id))).toEqual([]);
  });
});

describe('a goal', () => {
  it('has large calls, results, messages and answers, also when it was left in between', async () => {
    const content = 'c'.repeat(100_000);
    const answer = 'd'.repeat(200_000);
    model.script = [
      { calls: [{ name: 'blob', input: { bytes: mib } }] },
      { calls: [{ name: 'file', input: { action: 'write', path: 'artifacts/c.txt', content } }] },
      { calls: [{ name: 'human', input: { question: 'Go on?' } }] },
      { text: answer },
    ];
    const run = await user.create({ goal: 'Be long' });
    await answered(run.id, 'yes');
    const ended = await user.ended(run.id);
    expect(ended).toMatchObject({ status: 'completed', output: { text: answer } });
    expect(await longest(run.id)).toBeLessThanOrEqual(64 * 1024);
    const last = model.requests.at(-1)?.messages ?? [];
    expect(JSON.stringify(last).includes(content)).toBe(true);
    const steps = await user.steps(run.id);
    const outputs = steps.map(({ key, output }) => [key, JSON.stringify(output).length] as const);
    expect(outputs.find(([key]) => key === 'call-1-0')?.[1]).toBeGreaterThan(mib);
    expect(steps.find(({ name }) => name === 'file')?.input).toMatchObject({ content });
    const { items } = await read<{ items: { role: string; content: unknown }[] }>(
      `/v1/runs/${run.id}/messages`,
    );
    expect(items.filter(({ content: said }) => JSON.stringify(said).includes(content))).toHaveLength(1);
    const listed = await read<{ items: RunView[] }>('/v1/runs?limit=1');
    expect(listed.items[0]).toMatchObject({ id: run.id, output: { text: answer } });
    // A repeated cancel shows the run as it ended.
    const cancelled = await user.request('POST', `/v1/runs/${run.id}/cancel`);
    expect(await cancelled.json()).toMatchObject({ status: 'completed', output: { text: answer } });

    model.script = [{ text: 'short' }];
    const fork = await made(`/v1/runs/${run.id}/fork`, { from_step: steps.length - 1 });
    expect(await user.ended(fork.id)).toMatchObject({ status: 'completed', output: { text: 'short' } });
    expect(JSON.stringify(model.requests.at(-1)?.messages).includes(content)).toBe(true);
    expect(await longest(fork.id)).toBeLessThanOrEqual(64 * 1024);
  });

  it('gives the large answer of a run below it to whoever asked', async () => {
    const answer = 'e'.repeat(100_000);
    runner.credits.onExtend = () => ({ status: 'extended', held_micro: '900000000' });
    model.conversations = [
      {
        match: 'parent',
        turns: [{ calls: [{ name: 'agent', input: { goal: 'a child' } }] }, { text: 'done' }],
      },
      { match: 'a child', turns: [{ text: answer }] },
    ];
    const run = await user.create({ goal: 'parent' });
    expect(await user.ended(run.id)).toMatchObject({ status: 'completed', output: { text: 'done' } });
    const child = (await user.steps(run.id)).find(({ name }) => name === 'agent');
    expect(child?.output).toMatchObject({ output: { text: answer } });
  });
});
