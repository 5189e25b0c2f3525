import { randomUUID } from 'node:crypto';
import { scheduleFired } from '@swissbrain/shared-schema/events/scheduler';
import { researchItemCancelled, researchItemRequested } from '@swissbrain/shared-schema/events/wide-research';
import type { RunView } from '@swissbrain/shared-schema/http/agent-runner';
import { startModelServer } from '@swissbrain/testkit/model-server';
import { waitFor } from '@swissbrain/testkit/wait';
import { afterAll, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import { eventsOf, storyOf } from './support/events.ts';
import { createGate, gateStep } from './support/gate.ts';
import { newUser, playbookOf, type Runner, startRunner, type User } from './support/runner.ts';

let runner: Runner;
let user: User;
let model: Awaited<ReturnType<typeof startModelServer>>;
const gate = createGate();
beforeAll(async () => {
  model = await startModelServer();
  runner = await startRunner({
    extraTools: [gate.tool],
    overrides: { RUN_CONCURRENCY: '1', MODEL_BASE_URL: model.url, MODEL_NAME: 'scripted' },
  });
  user = await newUser(runner.url);
});
afterAll(async () => {
  await runner?.stop();
  await model?.stop();
});
beforeEach(() => {
  runner.credits.onRequest = () => ({ hold: 100_000_000n });
  runner.credits.onExtend = () => ({ status: 'extended', held_micro: '0' });
  model.script = [{ text: 'done' }];
});

const inState = (id: string, status: RunView['status'], of: User = user) =>
  waitFor(
    async () => {
      const run = await of.run(id);
      return run.status === status ? run : undefined;
    },
    { timeoutMs: 30_000, describe: `run ${id} to be ${status}` },
  );
const childrenOf = (id: string) =>
  runner.database.query<{ id: string; status: string }>(
    'select id, status::text from agent_runs where parent_run_id = $1 order by created_at',
    [id],
  );
const agentStep = (id: string, steps: readonly Record<string, unknown>[]) => ({
  id,
  tool: 'agent',
  with: { playbook: { name: id, steps } },
});

describe('a run below another', () => {
  it('works in the only place while its parent waits, on the same hold, and gives its result back', async () => {
    const requested = runner.credits.requested.length;
    const run = await user.create(
      playbookOf([
        agentStep('part', [gateStep('a', 'pass', { cost: 2 })]),
        { ...gateStep('b', 'pass', { cost: 1 }), needs: ['part'] },
      ]),
    );
    expect(await user.ended(run.id)).toMatchObject({ status: 'completed', credits: { consumed: '1' } });
    const [child] = await childrenOf(run.id);
    if (!child) throw new Error('there is no child');
    expect(await user.run(child.id)).toMatchObject({
      status: 'completed',
      parent_run_id: run.id,
      root_run_id: run.id,
      credits: { consumed: '2' },
    });
    expect((await user.steps(run.id))[0]?.output).toMatchObject({ run_id: child.id, status: 'completed' });
    expect(runner.credits.requested.slice(requested).map(({ run_id }) => run_id)).toContain(run.id);
    const used = (await eventsOf(runner.database, child.id)).find(({ type }) => type === 'step.completed');
    expect(used?.data).toMatchObject({ run_id: child.id, root_run_id: run.id });
    expect((await storyOf(runner.database, run.id)).filter((type) => type.startsWith('run.'))).toEqual([
      ...['run.requested', 'run.queued', 'run.started', 'run.waiting', 'run.resumed', 'run.started'],
      'run.completed',
    ]);
    const waiting = (await eventsOf(runner.database, run.id)).find(({ type }) => type === 'run.waiting');
    expect(waiting?.data).toMatchObject({ waits_for: 'children', questions: [] });
  });

  it('that fails fails the step that waits for it', async () => {
    const run = await user.create(playbookOf([agentStep('part', [gateStep('a', 'fail')])]));
    expect(await user.ended(run.id)).toMatchObject({ status: 'failed', error: { code: 'told_to' } });
  });

  it('is cancelled with its parent, however deep, also when a worker has it', async () => {
    const run = await user.create(
      playbookOf([agentStep('outer', [agentStep('inner', [gateStep('a', 'deep', { cost: 1 })])])]),
    );
    await waitFor(() => gate.begun.some((call) => call.name === 'deep'), { describe: 'the innermost call' });
    const [outer] = await childrenOf(run.id);
    const [inner] = await childrenOf(outer?.id ?? '');
    await user.request('POST', `/v1/runs/${run.id}/cancel`);
    for (const id of [run.id, outer?.id ?? '', inner?.id ?? '']) {
      expect(await user.ended(id)).toMatchObject({ status: 'cancelled', credits: { consumed: '0' } });
    }
  });

  it('does not go on when its parent ends in another way', async () => {
    const run = await user.create(
      playbookOf([
        agentStep('part', [{ id: 'ask', tool: 'human', with: { question: 'Which?' } }]),
        gateStep('beside', 'pass'),
      ]),
    );
    await waitFor(async () => (await childrenOf(run.id))[0]?.status === 'waiting_input');
    await inState(run.id, 'waiting_input');
    await runner.database.query(
      `update agent_runs set status = 'failed', finished_at = now(), error_code = 'test' where id = $1`,
      [run.id],
    );
    const [child] = await childrenOf(run.id);
    expect((await user.ended(child?.id ?? '')).status).toBe('cancelled');
  });

  it('ends the chain when there are too many above it', async () => {
    let steps: Record<string, unknown>[] = [gateStep('a', 'pass')];
    for (let depth = 0; depth < 5; depth += 1) steps = [agentStep(`d${depth}`, steps)];
    const run = await user.create(playbookOf(steps));
    expect(await user.ended(run.id)).toMatchObject({ status: 'failed', error: { code: 'too_deep' } });
  });
});

describe('an item of a research', () => {
  const item = (runId: string | null) => ({
    research_id: randomUUID(),
    run_id: runId,
    item_id: randomUUID(),
    item_index: 0,
    item_run_id: randomUUID(),
    attempt: 1,
  });
  const words = {
    title: 'Bern',
    goal: 'Find it',
    input: { city: 'Bern' },
    output_schema: { type: 'object' },
  };

  it('is a run of the id that was asked for, once, whatever is delivered twice', async () => {
    const asked = item(null);
    const of = { run_id: asked.item_run_id, user_id: user.id };
    await runner.credits.publish(researchItemRequested, of, { ...asked, ...words });
    await runner.credits.publish(researchItemRequested, of, { ...asked, ...words });
    await waitFor(async () => (await user.request('GET', `/v1/runs/${asked.item_run_id}`)).status === 200);
    expect(await user.ended(asked.item_run_id)).toMatchObject({
      status: 'completed',
      title: 'Bern',
      mode: 'research',
    });
    const story = await storyOf(runner.database, asked.item_run_id);
    expect(story.filter((type) => type === 'run.requested')).toHaveLength(1);
  });

  it('draws on the hold of the run that asked, and ends with a reason when that has ended', async () => {
    const parent = await user.create(playbookOf([gateStep('a', 'research-parent')]));
    await waitFor(() => gate.begun.some((call) => call.name === 'research-parent'));
    const asked = item(parent.id);
    const of = { run_id: parent.id, user_id: user.id };
    await runner.credits.publish(researchItemRequested, of, { ...asked, ...words });
    await waitFor(async () => (await childrenOf(parent.id)).length === 1, { describe: 'the item' });
    expect(await user.run(asked.item_run_id)).toMatchObject({ root_run_id: parent.id, status: 'queued' });
    await runner.credits.publish(researchItemCancelled, of, asked);
    expect((await user.ended(asked.item_run_id)).status).toBe('cancelled');
    gate.open('research-parent');
    await user.ended(parent.id);
    const late = item(parent.id);
    await runner.credits.publish(researchItemRequested, of, { ...late, ...words });
    await waitFor(async () => (await user.request('GET', `/v1/runs/${late.item_run_id}`)).status === 200);
    expect(await user.ended(late.item_run_id)).toMatchObject({ error: { code: 'parent_ended' } });
  });

  it('that was cancelled before it was asked for never runs', async () => {
    const asked = item(null);
    const of = { run_id: asked.item_run_id, user_id: user.id };
    await runner.credits.publish(researchItemCancelled, of, asked);
    await waitFor(async () => (await user.request('GET', `/v1/runs/${asked.item_run_id}`)).status === 200);
    await runner.credits.publish(researchItemRequested, of, { ...asked, ...words });
    const marker = item(null);
    await runner.credits.publish(researchItemRequested, of, { ...marker, ...words });
    await waitFor(async () => (await user.request('GET', `/v1/runs/${marker.item_run_id}`)).status === 200);
    await user.ended(marker.item_run_id);
    expect(await user.run(asked.item_run_id)).toMatchObject({ status: 'cancelled', attempt: 0 });
  });
});

describe('a schedule', () => {
  const firing = (target: unknown, more: Record<string, unknown> = {}) => ({
    schedule_id: randomUUID(),
    name: 'nightly',
    scheduled_for: '2026-01-01T00:00:00Z',
    target_kind: 'run' as const,
    target_id: randomUUID(),
    cause: 'schedule' as const,
    target: target as never,
    cancel_target_ids: [] as string[],
    ...more,
  });
  const fire = async (fired: ReturnType<typeof firing>, of: User = user) => {
    await runner.credits.publish(scheduleFired, { run_id: fired.target_id, user_id: of.id }, fired);
    await waitFor(async () => (await of.request('GET', `/v1/runs/${fired.target_id}`)).status === 200, {
      describe: 'the run of the firing',
    });
  };

  it('starts its run once and cancels those it is to replace, of its own user alone', async () => {
    const waiting = playbookOf([{ id: 'ask', tool: 'human', with: { question: 'Which?' } }]);
    const old = firing(waiting);
    await fire(old);
    await inState(old.target_id, 'waiting_input');
    const stranger = await newUser(runner.url);
    const theirs = firing(playbookOf([gateStep('a', 'pass')]), { cancel_target_ids: [old.target_id] });
    await fire(theirs, stranger);
    expect((await stranger.ended(theirs.target_id)).status).toBe('completed');
    expect((await user.run(old.target_id)).status).toBe('waiting_input');
    const next = firing(playbookOf([gateStep('a', 'pass')]), { cancel_target_ids: [old.target_id] });
    await fire(next);
    await fire(next);
    expect((await user.ended(next.target_id)).status).toBe('completed');
    expect((await user.run(old.target_id)).status).toBe('cancelled');
    expect((await storyOf(runner.database, next.target_id))[0]).toBe('run.requested');
  });

  it('whose run cannot be made leaves a failed one that says why', async () => {
    for (const [target, code] of [
      [{ nonsense: true }, 'invalid_run'],
      [playbookOf([{ id: 'a', tool: 'no-such-tool' }]), 'invalid_playbook'],
    ] as const) {
      const fired = firing(target);
      await fire(fired);
      expect(await user.ended(fired.target_id)).toMatchObject({ status: 'failed', error: { code } });
    }
  });
});
