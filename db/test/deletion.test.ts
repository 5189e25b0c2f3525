import { createTestDatabase } from '@swissbrain/testkit/database';
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import { openSession, type Session } from './acting.ts';
import { insert } from './constraints/check.ts';
import { alice, run, session as sessionId, step, third } from './constraints/table.ts';
import {
  createWorlds,
  difference,
  inSecondWorld,
  moved,
  rowOf,
  type Snapshot,
  takeSnapshot,
} from './world.ts';

let database: Awaited<ReturnType<typeof createTestDatabase>>;
let session: Session;
let before: Snapshot;

beforeAll(async () => {
  database = await createTestDatabase();
  session = await openSession(database.adminUrl);
  await createWorlds(session);
  // Alice takes part in the other session, and has written in it.
  const participant = moved(rowOf('public.collaboration_participants'));
  await insert(session, 'public.collaboration_participants', { ...participant, id: third, user_id: alice });
  const edit = moved(rowOf('public.collaboration_edits'));
  await insert(session, 'public.collaboration_edits', { ...edit, seq: '2', actor_id: alice });
  // A run of hers has a child.
  const child = { ...rowOf('public.agent_runs'), id: third, parent_run_id: run };
  await insert(session, 'public.agent_runs', child);
  before = await takeSnapshot(session);
});
afterAll(async () => {
  await session.end();
  await database.drop();
});
beforeEach(() => session.query('BEGIN'));
afterEach(() => session.query('ROLLBACK'));

describe('deleting', () => {
  it('a user leaves nothing behind but the ledger, and nothing of anyone else changes', async () => {
    await session.query('DELETE FROM auth.users WHERE id = $1', [alice]);
    const after = await takeSnapshot(session);
    expect(difference(before, after)).toEqual({
      gone: {
        'public.agent_artifacts': 1,
        'public.agent_memory': 1,
        'public.agent_messages': 1,
        'public.agent_questions': 1,
        'public.agent_runs': 2,
        'public.agent_steps': 1,
        'public.api_idempotency': 1,
        'public.collaboration_edits': 1,
        'public.collaboration_invites': 1,
        'public.collaboration_participants': 2,
        'public.collaboration_sessions': 1,
        'public.connector_credentials': 1,
        'public.connector_usage_log': 1,
        'public.scheduled_task_runs': 1,
        'public.scheduled_tasks': 1,
        'public.wide_research_jobs': 1,
        'public.wide_research_subtasks': 1,
        'public.wide_research_templates': 1,
      },
      added: { 'public.event_outbox': 1, 'sb.deleted_users': 1 },
      changed: { 'public.collaboration_edits': ['actor_id'] },
    });
    const naming = [...after].filter(([, rows]) =>
      [...rows.values()].some((row) => JSON.stringify(row).includes(alice)),
    );
    expect(naming.map(([name]) => name)).toEqual([
      'public.agent_user_deletions', // the proof that it was done
      'public.credit_audit',
      'public.credit_balances',
      'public.credit_grants',
      'public.credit_idempotency',
      'public.credit_reservations',
      'public.credit_transactions',
      'public.event_outbox', // until its month is dropped: the others are yet to be told
      'public.payment_cancellations',
      'public.payment_refunds',
      'public.user_subscriptions',
      'sb.deleted_users',
    ]);
  });

  it('the other user leaves the world of the first as it was', async () => {
    await session.query('DELETE FROM auth.users WHERE id = $1', [inSecondWorld(alice)]);
    const after = await takeSnapshot(session);
    for (const [name, rows] of before) {
      for (const [key, row] of rows) {
        const theirs = JSON.stringify(row).includes('5c000000-');
        if (!theirs) expect(after.get(name)?.get(key), `${name} ${key}`).toEqual(row);
      }
    }
  });

  it('a run takes its children, steps, messages, questions and artifacts, and leaves the memory', async () => {
    await session.query('DELETE FROM agent_runs WHERE id = $1', [run]);
    expect(difference(before, await takeSnapshot(session))).toEqual({
      gone: {
        'public.agent_artifacts': 1,
        'public.agent_messages': 1,
        'public.agent_questions': 1,
        'public.agent_runs': 2,
        'public.agent_steps': 1,
      },
      added: {},
      changed: { 'public.agent_memory': ['run_id'] },
    });
  });

  it('a step takes what it asked and leaves what came of it', async () => {
    await session.query('DELETE FROM agent_steps WHERE id = $1', [step]);
    const { gone, changed } = difference(before, await takeSnapshot(session));
    expect(gone).toEqual({ 'public.agent_questions': 1, 'public.agent_steps': 1 });
    expect(changed).toMatchObject({
      'public.agent_artifacts': ['step_id'],
      'public.agent_messages': ['step_id'],
    });
  });

  it('a session takes its participants, invites and edits', async () => {
    await session.query('DELETE FROM collaboration_sessions WHERE id = $1', [sessionId]);
    expect(difference(before, await takeSnapshot(session))).toEqual({
      gone: {
        'public.collaboration_edits': 1,
        'public.collaboration_invites': 1,
        'public.collaboration_participants': 1,
        'public.collaboration_sessions': 1,
      },
      added: {},
      changed: {},
    });
  });
});
