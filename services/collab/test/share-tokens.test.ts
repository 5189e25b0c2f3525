import { createHash, randomUUID } from 'node:crypto';
import type { Database } from '@swissbrain/service-kit/database';
import { createTestDatabase, type TestDatabase } from '@swissbrain/testkit/database';
import { openServiceDatabase } from '@swissbrain/testkit/service-database';
import { type RawBuilder, sql } from 'kysely';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';

let clone: TestDatabase;
let database: Database;
beforeAll(async () => {
  clone = await createTestDatabase();
  database = openServiceDatabase('collab', clone, { connections: 50 });
});
afterAll(async () => {
  await database?.close();
  await clone?.drop();
});

interface Standing {
  readonly session_id: string;
  readonly owner_id: string;
  readonly role: string;
  readonly previous_role: string | null;
}

const run = <R = unknown>(statement: RawBuilder<R>) => database.serviceStatement(statement);
const redeem = (token: string | null, user: string) =>
  run(sql<Standing>`SELECT * FROM redeem_share_token(${token}, ${user})`);

describe('a share token', () => {
  test('lets whoever brings it in with its role, and takes one use', async () => {
    const { owner, session } = await newSession();
    const { id, token } = await newInvite(session, owner, { role: 'editor', max_uses: 3 });
    const guest = await newUser();
    expect(await redeem(token, guest)).toEqual([
      { session_id: session, owner_id: owner, role: 'editor', previous_role: null },
    ]);
    expect(await participantsOf(session)).toEqual([
      { user_id: guest, role: 'editor', invite_id: id, presence: 'offline', revoked: false },
    ]);
    expect(await usesOf(id)).toBe(1);
  });

  test('gives one who brings it again the same answer, for no further use, whatever became of it', async () => {
    const { owner, session } = await newSession();
    const { id, token } = await newInvite(session, owner, { role: 'viewer', max_uses: 1 });
    const guest = await newUser();
    await redeem(token, guest);
    const again = [{ session_id: session, owner_id: owner, role: 'viewer', previous_role: 'viewer' }];
    expect(await redeem(token, guest)).toEqual(again);
    await run(sql`UPDATE collaboration_invites SET revoked_at = now(), expires_at = now() WHERE id = ${id}`);
    expect(await redeem(token, guest)).toEqual(again);
    expect(await usesOf(id)).toBe(1);
  });

  test('is for its own document: who takes part in another one joins by it, and by no right from there', async () => {
    const { owner, session } = await newSession();
    const other = await newSession();
    const guest = await newUser();
    const there = await newInvite(other.session, other.owner, { role: 'editor' });
    await redeem(there.token, guest);
    const here = await newInvite(session, owner, { role: 'viewer' });
    expect(await redeem(here.token, guest)).toEqual([
      { session_id: session, owner_id: owner, role: 'viewer', previous_role: null },
    ]);
    expect(await participantsOf(other.session)).toMatchObject([{ user_id: guest, role: 'editor' }]);
  });

  test('makes a viewer an editor, and an editor no viewer', async () => {
    const { owner, session } = await newSession();
    const [viewer, editor] = [
      await newInvite(session, owner, { role: 'viewer' }),
      await newInvite(session, owner, { role: 'editor' }),
    ];
    const guest = await newUser();
    await redeem(viewer.token, guest);
    const [before] = await joinedAt(session);
    expect(await redeem(editor.token, guest)).toMatchObject([{ role: 'editor', previous_role: 'viewer' }]);
    expect(await redeem(viewer.token, guest)).toMatchObject([{ role: 'editor', previous_role: 'editor' }]);
    expect(await participantsOf(session)).toMatchObject([{ role: 'editor', invite_id: editor.id }]);
    expect(await joinedAt(session)).toEqual([before]);
    expect([await usesOf(viewer.id), await usesOf(editor.id)]).toEqual([1, 1]);
  });

  test('makes one an editor whom the service let in as a viewer without any', async () => {
    const { owner, session } = await newSession();
    const guest = await newUser();
    await run(sql`INSERT INTO collaboration_participants (session_id, owner_id, user_id, role)
      VALUES (${session}, ${owner}, ${guest}, 'viewer')`);
    const { token } = await newInvite(session, owner, { role: 'editor' });
    expect(await redeem(token, guest)).toMatchObject([{ role: 'editor', previous_role: 'viewer' }]);
  });

  test('undoes nothing that the owner did: not for the lowered, by this one or another', async () => {
    const { owner, session } = await newSession();
    const first = await newInvite(session, owner, { role: 'editor' });
    const second = await newInvite(session, owner, { role: 'editor' });
    const guest = await newUser();
    await redeem(first.token, guest);
    await run(sql`UPDATE collaboration_participants SET role = 'viewer' WHERE user_id = ${guest}`);
    for (const { token } of [first, second])
      expect(await redeem(token, guest)).toMatchObject([{ role: 'viewer', previous_role: 'viewer' }]);
    expect([await usesOf(first.id), await usesOf(second.id)]).toEqual([1, 0]);
  });

  test('lets the removed in only when it was made after that', async () => {
    const { owner, session } = await newSession();
    const before = await newInvite(session, owner, { role: 'viewer' });
    const guest = await newUser();
    await redeem(before.token, guest);
    await run(sql`UPDATE collaboration_participants
      SET revoked_at = clock_timestamp(), joined_at = now() - interval '1 day' WHERE user_id = ${guest}`);
    expect(await redeem(before.token, guest)).toEqual([]);
    // Not even one of the same instant.
    const instant = await newInvite(session, owner, { role: 'editor' });
    await run(sql`UPDATE collaboration_invites SET created_at = revoked.revoked_at
      FROM collaboration_participants revoked WHERE revoked.user_id = ${guest} AND collaboration_invites.id = ${instant.id}`);
    expect(await redeem(instant.token, guest)).toEqual([]);
    expect(await usesOf(instant.id)).toBe(0);

    const after = await newInvite(session, owner, { role: 'editor' });
    expect(await redeem(after.token, guest)).toMatchObject([{ role: 'editor', previous_role: null }]);
    expect(await participantsOf(session)).toMatchObject([
      { user_id: guest, role: 'editor', invite_id: after.id, revoked: false },
    ]);
    const [{ fresh } = { fresh: false }] = await run(sql<{ fresh: boolean }>`
      SELECT joined_at > now() - interval '1 hour' AS fresh FROM collaboration_participants WHERE user_id = ${guest}`);
    expect(fresh).toBe(true);
  });

  test('is nothing to the owner, who has every right already', async () => {
    const { owner, session } = await newSession();
    const { id, token } = await newInvite(session, owner, { role: 'viewer', max_uses: 1 });
    const all = [{ session_id: session, owner_id: owner, role: 'owner', previous_role: 'owner' }];
    expect(await redeem(token, owner)).toEqual(all);
    expect(await participantsOf(session)).toEqual([]);
    expect(await usesOf(id)).toBe(0);
  });

  test('takes nobody else along: a user whom nobody knows is refused', async () => {
    const { owner, session } = await newSession();
    const { id, token } = await newInvite(session, owner, { role: 'viewer' });
    await expect(redeem(token, randomUUID())).rejects.toMatchObject({
      code: '23503',
      constraint: 'collaboration_participants_user_fkey',
    });
    expect(await usesOf(id)).toBe(0);
  });
});

describe('a stranger gets the same answer, no row, for', () => {
  test.each([
    ['one that has expired', sql`expires_at = now() - interval '1 second'`],
    ['one that was revoked', sql`revoked_at = now()`],
    ['one that is used up', sql`max_uses = 1, uses = 1`],
  ])('%s', async (_, change) => {
    const { owner, session } = await newSession();
    const { id, token } = await newInvite(session, owner, { role: 'viewer' });
    await run(sql`UPDATE collaboration_invites SET ${change} WHERE id = ${id}`);
    const uses = await usesOf(id);
    expect(await redeem(token, await newUser())).toEqual([]);
    expect(await participantsOf(session)).toEqual([]);
    expect(await usesOf(id)).toBe(uses);
  });

  test('one that nobody made, the hash of one, and none', async () => {
    const { owner, session } = await newSession();
    const { token } = await newInvite(session, owner, { role: 'viewer' });
    const hash = createHash('sha256').update(token).digest('hex');
    for (const wrong of [`${token.slice(0, -1)}!`, `\\x${hash}`, hash, '', null])
      expect(await redeem(wrong, await newUser())).toEqual([]);
  });

  test('one of a document that is closed, which those who take part keep', async () => {
    const { owner, session } = await newSession();
    const { token } = await newInvite(session, owner, { role: 'viewer' });
    const guest = await newUser();
    await redeem(token, guest);
    await run(
      sql`UPDATE collaboration_sessions SET status = 'closed', closed_at = now() WHERE id = ${session}`,
    );
    expect(await redeem(token, await newUser())).toEqual([]);
    expect(await redeem(token, guest)).toMatchObject([{ role: 'viewer', previous_role: 'viewer' }]);
  });

  test('one at the very moment it expires, and not a moment before', async () => {
    const { owner, session } = await newSession();
    const { id, token } = await newInvite(session, owner, { role: 'viewer' });
    const guest = await newUser();
    const expiring = (when: string) =>
      database.withService(async (tx) => {
        await sql`UPDATE collaboration_invites SET expires_at = now() + ${when}::interval WHERE id = ${id}`.execute(
          tx,
        );
        return (await sql`SELECT role FROM redeem_share_token(${token}, ${guest})`.execute(tx)).rows;
      });
    expect(await expiring('0')).toEqual([]);
    expect(await expiring('1 microsecond')).toEqual([{ role: 'viewer' }]);
  });
});

describe('at the same moment', () => {
  test('50 who bring a token with 10 uses make exactly 10 participants', async () => {
    const { owner, session } = await newSession();
    const { id, token } = await newInvite(session, owner, { role: 'editor', max_uses: 10 });
    const guests = await Promise.all(Array.from({ length: 50 }, newUser));
    const answers = await Promise.all(guests.map((guest) => redeem(token, guest)));
    const letIn = guests.filter((_, index) => answers[index]?.length === 1);
    expect(letIn).toHaveLength(10);
    const participants = await participantsOf(session);
    expect(participants.map(({ user_id }) => user_id).toSorted()).toEqual(letIn.toSorted());
    expect(await usesOf(id)).toBe(10);
  });

  test('one user who brings it 20 times takes one use', async () => {
    const { owner, session } = await newSession();
    const { id, token } = await newInvite(session, owner, { role: 'viewer', max_uses: 5 });
    const guest = await newUser();
    const answers = await Promise.all(Array.from({ length: 20 }, () => redeem(token, guest)));
    expect(answers.flat().map(({ role }) => role)).toEqual(Array(20).fill('viewer'));
    expect(answers.flat().filter(({ previous_role }) => previous_role === null)).toHaveLength(1);
    expect(await usesOf(id)).toBe(1);
  });

  test('one user with two tokens of one document ends with the higher role', async () => {
    const { owner, session } = await newSession();
    const guest = await newUser();
    const invites = [
      await newInvite(session, owner, { role: 'viewer' }),
      await newInvite(session, owner, { role: 'editor' }),
    ];
    await Promise.all([...invites, ...invites, ...invites].map(({ token }) => redeem(token, guest)));
    expect(await participantsOf(session)).toMatchObject([{ user_id: guest, role: 'editor' }]);
  });
});

async function newUser(): Promise<string> {
  const id = randomUUID();
  await clone.query('INSERT INTO auth.users (id) VALUES ($1)', [id]);
  return id;
}

async function newSession(): Promise<{ owner: string; session: string }> {
  const [owner, session] = [await newUser(), randomUUID()];
  await run(
    sql`INSERT INTO collaboration_sessions (id, user_id, title) VALUES (${session}, ${owner}, 'document')`,
  );
  return { owner, session };
}

async function newInvite(
  session: string,
  owner: string,
  { role, max_uses = null }: { role: 'editor' | 'viewer'; max_uses?: number | null },
): Promise<{ id: string; token: string }> {
  const [made] = await run(sql<{ id: string; token: string }>`
    WITH made AS MATERIALIZED (SELECT * FROM generate_share_token()), invite AS (
      INSERT INTO collaboration_invites (session_id, user_id, token_hash, role, max_uses, expires_at)
      SELECT ${session}, ${owner}, token_hash, ${role}, ${max_uses}, now() + interval '1 day' FROM made RETURNING id
    ) SELECT invite.id, made.token FROM invite, made`);
  if (!made) throw new Error('no invite was made');
  return made;
}

const participantsOf = (session: string) =>
  run(sql<{ user_id: string }>`SELECT user_id, role, invite_id, presence, revoked_at IS NOT NULL AS revoked
    FROM collaboration_participants WHERE session_id = ${session}`);

const joinedAt = (session: string) =>
  run(sql`SELECT joined_at FROM collaboration_participants WHERE session_id = ${session}`);

async function usesOf(invite: string): Promise<number | undefined> {
  const [row] = await run(sql<{ uses: number }>`SELECT uses FROM collaboration_invites WHERE id = ${invite}`);
  return row?.uses;
}
