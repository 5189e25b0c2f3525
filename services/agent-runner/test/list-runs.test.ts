import { randomUUID } from 'node:crypto';
import type { RunView } from '@swissbrain/shared-schema/http/agent-runner';
import { runPage } from '@swissbrain/shared-schema/http/agent-runner';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { newUser, type Runner, startRunner, type User } from './support/runner.ts';

let runner: Runner;
let user: User;
const ids = {
  root: randomUUID(),
  child: randomUUID(),
  fork: randomUUID(),
  old: randomUUID(),
  foreign: randomUUID(),
};
const started = Date.UTC(2026, 0, 10);
const at = (hours: number) => new Date(started + hours * 3_600_000).toISOString();

interface Row {
  readonly id: string;
  readonly user: string;
  readonly root?: string;
  readonly parent?: string;
  readonly forked?: string;
  readonly status: string;
  readonly mode: string;
  readonly hours: number;
}
const insert = ({ id, user: of, root = id, parent, forked, status, mode, hours }: Row) =>
  runner.database.query(
    `INSERT INTO agent_runs (id, user_id, root_run_id, parent_run_id, forked_from, kind, title, goal, playbook, status, mode,
       created_at, finished_at)
     VALUES ($1, $2, $3, $4, $5, $6, 't', $7, $8, $9::agent_run_status, $10::agent_mode, $11, $12)`,
    [
      ...[id, of, root, parent ?? null, forked ?? null, mode === 'playbook' ? 'playbook' : 'goal'],
      ...[mode === 'playbook' ? null : 'g', mode === 'playbook' ? '{}' : null, status, mode, at(hours)],
      ['completed', 'failed', 'cancelled', 'timed_out'].includes(status) ? at(hours + 1) : null,
    ],
  );

beforeAll(async () => {
  runner = await startRunner();
  user = await newUser(runner.url);
  const other = await newUser(runner.url);
  await user.request('GET', '/v1/runs');
  await other.request('GET', '/v1/runs');
  const of = { user: user.id };
  await insert({ ...of, id: ids.old, status: 'completed', mode: 'coding', hours: 0 });
  await insert({ ...of, id: ids.root, status: 'paused', mode: 'playbook', hours: 1 });
  await insert({
    ...of,
    id: ids.child,
    root: ids.root,
    parent: ids.root,
    status: 'failed',
    mode: 'coding',
    hours: 2,
  });
  await insert({ ...of, id: ids.fork, forked: ids.old, status: 'cancelled', mode: 'research', hours: 3 });
  await insert({
    user: other.id,
    id: ids.foreign,
    forked: ids.old,
    status: 'failed',
    mode: 'coding',
    hours: 2,
  });
});
afterAll(() => runner?.stop());

const nameOf = new Map<string, string>(Object.entries(ids).map(([name, id]) => [id, name]));
const listed = async (query: string) => {
  const answer = await user.request('GET', `/v1/runs?${query}`);
  expect(answer.status).toBe(200);
  return runPage.parse(await answer.json()).items.map(({ id }: RunView) => nameOf.get(id));
};

describe('GET /v1/runs', () => {
  it.each([
    ['', ['fork', 'child', 'root', 'old']],
    ['status=paused', ['root']],
    ['status=failed,cancelled', ['fork', 'child']],
    ['status=completed,paused', ['root', 'old']],
    ['mode=coding', ['child', 'old']],
    ['mode=coding,research', ['fork', 'child', 'old']],
    ['kind=playbook', ['root']],
    [`created_after=${at(1)}`, ['fork', 'child', 'root']],
    [`created_before=${at(1)}`, ['old']],
    [`created_after=${at(1)}&created_before=${at(3)}`, ['child', 'root']],
    [`parent_run_id=${ids.root}`, ['child']],
    [`root_run_id=${ids.root}`, ['child', 'root']],
    [`forked_from=${ids.old}`, ['fork']],
    ['roots_only=true', ['fork', 'root', 'old']],
    ['roots_only=false&mode=coding&status=failed', ['child']],
    [`root_run_id=${ids.foreign}`, []],
  ])('finds by "%s"', async (query, expected) => {
    expect(await listed(query)).toEqual(expected);
  });

  it('keeps to its filters from page to page', async () => {
    const found: (string | undefined)[] = [];
    for (let cursor: string | null = ''; cursor !== null; ) {
      const path: string = `/v1/runs?limit=1&mode=coding,research${cursor && `&cursor=${cursor}`}`;
      const page = runPage.parse(await (await user.request('GET', path)).json());
      found.push(...page.items.map(({ id }) => nameOf.get(id)));
      cursor = page.next_cursor;
    }
    expect(found).toEqual(['fork', 'child', 'old']);
  });

  it.each([
    'status=happy',
    'status=',
    'mode=coding,',
    'kind=x',
    'created_after=today',
    'parent_run_id=1',
    'roots_only=2',
  ])('refuses "%s"', async (query) => {
    expect((await user.request('GET', `/v1/runs?${query}`)).status).toBe(400);
  });
});
