import { randomUUID } from 'node:crypto';
import { readdir } from 'node:fs/promises';
import type { QuestionView, RunView } from '@swissbrain/shared-schema/http/agent-runner';
import { waitFor } from '@swissbrain/testkit/wait';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import type { Tool } from '../src/tools/tool.ts';
import { eventsOf, storyOf } from './support/events.ts';
import { createGate, gateStep } from './support/gate.ts';
import { newUser, playbookOf, type Runner, startRunner, step, type User } from './support/runner.ts';

let runner: Runner;
let user: User;
const gate = createGate();
/** The gate as a tool that takes nothing back. */
const wipe: Tool = { ...gate.tool, name: 'wipe', effect: 'destructive' } as Tool;

beforeAll(async () => {
  runner = await startRunner({ extraTools: [gate.tool, wipe], overrides: { RUN_CONCURRENCY: '1' } });
  user = await newUser(runner.url);
});
afterAll(() => runner?.stop());

const questionsOf = async (runId: string, of: User = user) => {
  const response = await of.request('GET', `/v1/runs/${runId}/questions`);
  expect(response.status).toBe(200);
  return ((await response.json()) as { items: QuestionView[] }).items;
};
const answer = (question: QuestionView, given: unknown, { of = user, key = randomUUID() as string } = {}) =>
  of.request(
    'POST',
    `/v1/runs/${question.run_id}/questions/${question.id}/answer`,
    { answer: given },
    { 'idempotency-key': key },
  );
const inState = (id: string, status: RunView['status']) =>
  waitFor(
    async () => {
      const run = await user.run(id);
      return run.status === status ? run : undefined;
    },
    { timeoutMs: 30_000, describe: `run ${id} to be ${status}` },
  );
const asked = async (id: string) => {
  await inState(id, 'waiting_input');
  const question = (await questionsOf(id)).find(({ status }) => status === 'open');
  if (!question) throw new Error('no question is open');
  return question;
};
const ask = (id: string, more: Record<string, unknown> = {}) => ({
  id,
  tool: 'human',
  with: { question: 'Which one?', ...more },
});
const sessionsOf = async (id: string) =>
  (await readdir(`${runner.directory}/sandboxes`).catch(() => [])).filter((name) => name.startsWith(id));

describe('a question', () => {
  it('holds neither worker nor sandbox, and the workspace is there again after the answer', async () => {
    const run = await user.create(
      playbookOf([
        step('before', `import { writeFileSync } from 'node:fs'; writeFileSync('note.txt', 'kept');`),
        { ...ask('which', { choices: ['red', 'blue'] }), needs: ['before'] },
        step('after', '', {
          with: {
            language: 'javascript',
            code: `import { readFileSync } from 'node:fs'; console.log(readFileSync('note.txt', 'utf8'), process.argv[2]);`,
            args: ['${{ steps.which.output.answer }}'],
          },
        }),
      ]),
    );
    const question = await asked(run.id);
    expect(question).toMatchObject({ kind: 'question', prompt: 'Which one?', choices: ['red', 'blue'] });
    await waitFor(async () => (await sessionsOf(run.id)).length === 0, { describe: 'the sandbox to go' });
    // The only place of this process is free.
    const other = await user.create(playbookOf([gateStep('a', 'pass')]));
    expect((await user.ended(other.id)).status).toBe('completed');
    await waitFor(() => runner.credits.beats.flat().length > 0);

    const refused = await answer(question, 'green');
    expect([refused.status, await refused.json()]).toMatchObject([422, { code: 'invalid_answer' }]);
    const key = randomUUID();
    expect((await answer(question, 'blue', { key })).status).toBe(200);
    expect((await answer(question, 'blue', { key })).headers.get('idempotency-replayed')).toBe('true');
    expect((await answer(question, 'blue')).status).toBe(200);
    const second = await answer(question, 'red');
    expect([second.status, await second.json()]).toMatchObject([409, { code: 'question_closed' }]);

    expect(await user.ended(run.id)).toMatchObject({ status: 'completed', attempt: 2 });
    const [, which, after] = await user.steps(run.id);
    expect(which?.output).toEqual({ answer: 'blue', by: 'user' });
    expect(after?.output).toMatchObject({ stdout: 'kept blue\n' });
    const story = await storyOf(runner.database, run.id);
    expect(story.filter((type) => type.startsWith('run.'))).toEqual([
      ...['run.requested', 'run.queued', 'run.started', 'run.question_asked', 'run.waiting'],
      ...['run.question_answered', 'run.resumed', 'run.started', 'run.completed'],
    ]);
    const waiting = (await eventsOf(runner.database, run.id)).find(({ type }) => type === 'run.waiting');
    expect(waiting?.data).toMatchObject({
      waits_for: 'input',
      questions: [{ question_id: question.id, step_id: which?.id, kind: 'question', prompt: 'Which one?' }],
    });
  });

  it('does not hold up what runs beside it, whose worker takes the answer', async () => {
    const run = await user.create(
      playbookOf([
        ask('which'),
        gateStep('beside', 'beside'),
        { ...gateStep('next', 'pass'), needs: ['which'] },
      ]),
    );
    const question = await waitFor(async () => (await questionsOf(run.id))[0], { describe: 'the question' });
    expect((await user.run(run.id)).status).toBe('running');
    expect((await answer(question, { any: ['json', 1] })).status).toBe(200);
    await waitFor(async () => (await user.steps(run.id)).at(-1)?.status === 'completed');
    gate.open('beside');
    expect(await user.ended(run.id)).toMatchObject({ status: 'completed', attempt: 1 });
  });

  it('is answered by its default, or fails its step, when its time is up', async () => {
    const withDefault = await user.create(playbookOf([ask('which', { default: 'red', timeout_seconds: 1 })]));
    expect(await user.ended(withDefault.id)).toMatchObject({ status: 'completed' });
    expect((await user.steps(withDefault.id))[0]?.output).toEqual({ answer: 'red', by: 'default' });
    const without = await user.create(playbookOf([ask('which', { timeout_seconds: 1 })]));
    expect(await user.ended(without.id)).toMatchObject({
      status: 'failed',
      error: { code: 'question_timed_out' },
    });
    const [question] = await questionsOf(without.id);
    expect(question).toMatchObject({ status: 'timed_out', answer: null });
    if (question) expect((await answer(question, 'late')).status).toBe(409);
  });

  it('is refused before the run where it makes no sense', async () => {
    const bad = [
      { choices: ['a'], answer_schema: { type: 'string' } },
      { choices: ['a'], default: 'b' },
      { answer_schema: { type: 'number' }, default: 'b' },
      { answer_schema: { type: 'string', pattern: '(a+)+$' } },
      { action: 'approve', default: 'approve' },
      { timeout_seconds: 0 },
    ];
    for (const more of bad) {
      const response = await user.request('POST', '/v1/runs', playbookOf([ask('which', more)]), {
        'idempotency-key': randomUUID(),
      });
      expect([more, response.status]).toEqual([more, 422]);
    }
  });

  it('takes an answer that fits its schema, of its own user alone', async () => {
    const run = await user.create(
      playbookOf([
        ask('which', { answer_schema: { type: 'object', properties: { n: { type: 'integer' } } } }),
      ]),
    );
    const question = await asked(run.id);
    const stranger = await newUser(runner.url);
    expect((await answer(question, { n: 1 }, { of: stranger })).status).toBe(404);
    expect((await stranger.request('GET', `/v1/runs/${run.id}/questions`)).status).toBe(404);
    expect((await answer({ ...question, id: randomUUID() }, { n: 1 })).status).toBe(404);
    expect((await answer(question, { n: 'one' })).status).toBe(422);
    const path = `/v1/runs/${run.id}/questions/${question.id}/answer`;
    expect((await user.request('POST', path, { answer: { n: 1 } })).status).toBe(400);
    expect((await user.request('POST', path, {}, { 'idempotency-key': 'a' })).status).toBe(400);
    expect((await user.request('POST', `/v1/runs/${run.id}/cancel`)).status).toBe(200);
    expect(await user.run(run.id)).toMatchObject({ status: 'cancelled', steps: { open: 0 } });
    expect((await questionsOf(run.id))[0]).toMatchObject({ status: 'withdrawn' });
    expect((await answer(question, { n: 1 })).status).toBe(409);
  });
});

describe('a call that cannot be taken back', () => {
  const wipeStep = { id: 'wipe', tool: 'wipe', with: { name: 'pass', cost: 1 } };
  const calls = async (id: string) => {
    const [only] = await user.steps(id);
    return gate.begun.filter(({ stepId }) => stepId === only?.id).length;
  };

  it('is made once it was approved, with the arguments that were shown', async () => {
    const run = await user.create(playbookOf([wipeStep]));
    const question = await asked(run.id);
    expect(question).toMatchObject({
      kind: 'approval',
      tool: 'wipe',
      tool_input: wipeStep.with,
      choices: ['approve', 'deny'],
    });
    expect(await calls(run.id)).toBe(0);
    expect((await answer(question, { approve: true })).status).toBe(422);
    expect((await answer(question, 'approve')).status).toBe(200);
    expect(await user.ended(run.id)).toMatchObject({ status: 'completed', credits: { consumed: '1' } });
    expect(await calls(run.id)).toBe(1);
  });

  it('is not made and not billed when it was denied', async () => {
    const run = await user.create(playbookOf([wipeStep]));
    await answer(await asked(run.id), 'deny');
    expect(await user.ended(run.id)).toMatchObject({
      status: 'failed',
      error: { code: 'approval_denied' },
      credits: { consumed: '0' },
    });
    expect(await calls(run.id)).toBe(0);
  });

  it('needs no approval where the policy of the run grants it, and others do where it names them', async () => {
    const granted = await user.create({ ...playbookOf([wipeStep]), approvals: 'never' });
    expect((await user.ended(granted.id)).status).toBe('completed');
    const named = await user.create({
      ...playbookOf([gateStep('a', 'pass', { needs: ['wipe'] }), wipeStep]),
      approvals: ['gate'],
    });
    const question = await asked(named.id);
    expect(question).toMatchObject({ kind: 'approval', tool: 'gate' });
    await answer(question, 'approve');
    expect((await user.ended(named.id)).status).toBe('completed');
  });
});
