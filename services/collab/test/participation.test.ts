import { createHash, randomUUID } from 'node:crypto';
import type { Database } from '@swissbrain/service-kit/database';
import { createTestDatabase, type TestDatabase } from '@swissbrain/testkit/database';
import { openServiceDatabase, principalFor } from '@swissbrain/testkit/service-database';
import { type RawBuilder, sql } from 'kysely';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';

let clone: TestDatabase;
let database: Database;
beforeAll(async () => {
  clone = await createTestDatabase();
  database = openServiceDatabase('collab', clone);
});
afterAll(async () => {
  await database?.close();
  await clone?.drop();
});

const run = <R = unknown>(statement: RawBuilder<R>) => database.serviceStatement(statement);
const as = async <R = unknown>(user: string, statement: RawBuilder<R>): Promise<R[]> =>
  (await database.withUser(principalFor(user), (tx) => statement.execute(tx))).rows;

describe('generate_share_token', () => {
  test('makes tokens of 256 random bits, each with its hash', async () => {
    const rows = await run(sql<{ token: string; token_hash: Buffer }>`
      SELECT (made).token, (made).token_hash
      FROM (SELECT generate_share_token() AS made FROM generate_series(1, 200)) AS all_made`);
    expect(new Set(rows.map(({ token }) => token)).size).toBe(200);
    for (const { token, token_hash } of rows) {
      const [, random = ''] = /^sbs_([A-Za-z0-9_-]{43})$/.exec(token) ?? [];
      expect(Buffer.from(random, 'base64url')).toHaveLength(32);
      expect(token_hash).toEqual(createHash('sha256').update(token).digest());
    }
  });

  test('has no place in the database for the token itself, and shows the hash to no user', async () => {
    const { owner, session } = await newSession();
    await as(
      owner,
      sql`INSERT INTO collaboration_invites (session_id, user_id, token_hash, role, expires_at)
        SELECT ${session}, ${owner}, token_hash, 'viewer', now() + interval '1 day' FROM generate_share_token()`,
    );
    expect(await as(owner, sql`SELECT role, uses FROM collaboration_invites`)).toEqual([
      { role: 'viewer', uses: 0 },
    ]);
    await expect(as(owner, sql`SELECT token_hash FROM collaboration_invites`)).rejects.toMatchObject({
      code: '42501',
    });
  });
});

describe('presence', () => {
  const report = (replica: string, ...presence: { session: string; user: string; connections: number }[]) =>
    run(
      sql`SELECT * FROM update_participant_presence(${replica}, ${JSON.stringify(
        presence.map(({ session, user, connections }) => ({
          session_id: session,
          user_id: user,
          connections,
          cursor: connections > 0 ? { anchor: 1 } : null,
        })),
      )}::jsonb)`,
    );

  test('tells of changes only, and takes a whole replica in one call', async () => {
    const { owner, session, guest } = await newSession();
    const here = (user: string, connections = 1) => ({ session, user, connections });
    const stranger = randomUUID();
    expect(await report('a', here(owner), here(guest, 2), here(stranger))).toEqual(
      expect.arrayContaining([
        { session_id: session, user_id: owner, presence: 'online' },
        { session_id: session, user_id: guest, presence: 'online' },
      ]),
    );
    expect(await report('a', here(owner), here(guest))).toEqual([]);
    expect(await report('a', here(guest, 0))).toEqual([
      { session_id: session, user_id: guest, presence: 'offline' },
    ]);
    expect(await run(sql`SELECT cursor FROM collaboration_participants WHERE user_id = ${guest}`)).toEqual([
      { cursor: null },
    ]);
  });

  test('takes the larger of two reports about one, and keeps the cursor that no report replaces', async () => {
    const { session, guest } = await newSession();
    const cursor = (at: number | null) => (at === null ? null : { anchor: at });
    const send = (...reports: { connections: number; at: number | null }[]) =>
      run(
        sql`SELECT presence FROM update_participant_presence('a', ${JSON.stringify(
          reports.map(({ connections, at }) => ({
            session_id: session,
            user_id: guest,
            connections,
            cursor: cursor(at),
          })),
        )}::jsonb)`,
      );
    const row = () =>
      run(sql`SELECT connections, cursor FROM collaboration_participants WHERE user_id = ${guest}`);
    expect(await send({ connections: 2, at: 7 }, { connections: 1, at: null })).toHaveLength(1);
    expect(await row()).toEqual([{ connections: 2, cursor: { anchor: 7 } }]);
    expect(await send({ connections: 1, at: null })).toEqual([]);
    expect(await row()).toEqual([{ connections: 1, cursor: { anchor: 7 } }]);
  });

  test('is found stale for so many at a time as are asked for, the longest silent first', async () => {
    const { owner, session, guest } = await newSession();
    await report('a', { session, user: owner, connections: 1 }, { session, user: guest, connections: 1 });
    await run(sql`UPDATE collaboration_participants
      SET last_seen_at = now() - CASE user_id WHEN ${owner} THEN interval '9 days' ELSE interval '8 days' END
      WHERE session_id = ${session}`);
    const stale = () => run(sql`SELECT user_id FROM mark_stale_participants_offline(1)`);
    // One that another has in hand is its to mark: the others are not held up.
    const beside = await database.withService(async (tx) => {
      const lock = sql`SELECT user_id FROM collaboration_participants WHERE session_id = ${session} FOR UPDATE`;
      await lock.execute(tx);
      return stale();
    });
    expect(beside).toEqual([]);
    expect(await stale()).toEqual([{ user_id: owner }]);
    expect(await stale()).toEqual([{ user_id: guest }]);
    expect(await stale()).toEqual([]);
  });

  test('believes that one left only from the replica that saw them last', async () => {
    const { session, guest } = await newSession();
    await report('a', { session, user: guest, connections: 1 });
    await report('b', { session, user: guest, connections: 1 });
    expect(await report('a', { session, user: guest, connections: 0 })).toEqual([]);
    expect(await report('b', { session, user: guest, connections: 0 })).toHaveLength(1);
  });

  test('is kept when two minutes have passed to the instant', async () => {
    const { session, guest } = await newSession();
    await report('a', { session, user: guest, connections: 1 });
    const stale = await database.withService(async (tx) => {
      await sql`UPDATE collaboration_participants SET last_seen_at = now() - interval '2 minutes'
        WHERE session_id = ${session}`.execute(tx);
      return sql<{ session_id: string }>`SELECT * FROM mark_stale_participants_offline()`.execute(tx);
    });
    expect(stale.rows.filter(({ session_id }) => session_id === session)).toEqual([]);
    await run(sql`UPDATE collaboration_participants SET last_seen_at = now() WHERE session_id = ${session}`);
  });

  test('is that of one session: who takes part in two is seen where they are', async () => {
    const { session, guest } = await newSession();
    const other = await newSession(guest);
    await report('a', { session, user: guest, connections: 1 });
    const rows = await run(
      sql`SELECT session_id, presence FROM collaboration_participants WHERE user_id = ${guest}`,
    );
    expect(rows).toEqual(
      expect.arrayContaining([
        { session_id: session, presence: 'online' },
        { session_id: other.session, presence: 'offline' },
      ]),
    );
  });

  test('is not for those whose access was revoked', async () => {
    const { session, guest } = await newSession();
    await run(sql`UPDATE collaboration_participants SET revoked_at = now() WHERE user_id = ${guest}`);
    expect(await report('a', { session, user: guest, connections: 1 })).toEqual([]);
  });

  test('ends two minutes after the last report', async () => {
    const { owner, session, guest } = await newSession();
    await report('a', { session, user: owner, connections: 1 }, { session, user: guest, connections: 1 });
    const seen = (user: string, ago: string) =>
      run(sql`UPDATE collaboration_participants SET last_seen_at = now() - ${ago}::interval
        WHERE session_id = ${session} AND user_id = ${user}`);
    await seen(owner, '119 seconds');
    await seen(guest, '121 seconds');
    expect(await run(sql`SELECT session_id, user_id FROM mark_stale_participants_offline()`)).toEqual([
      { session_id: session, user_id: guest },
    ]);
    expect(await run(sql`SELECT * FROM mark_stale_participants_offline()`)).toEqual([]);
    const now = await run(sql`
      SELECT user_id, presence, connections, cursor FROM collaboration_participants WHERE session_id = ${session}`);
    expect(now).toEqual(
      expect.arrayContaining([
        { user_id: owner, presence: 'online', connections: 1, cursor: { anchor: 1 } },
        { user_id: guest, presence: 'offline', connections: 0, cursor: null },
      ]),
    );
  });
});

describe('one who takes part', () => {
  test('may change how they appear, and neither their role nor anyone else', async () => {
    const { owner, session, guest } = await newSession();
    const mine = sql`session_id = ${session} AND user_id = ${guest}`;
    expect(
      await as(
        guest,
        sql`UPDATE collaboration_participants SET display_name = 'Guest' WHERE session_id = ${session} RETURNING user_id`,
      ),
    ).toEqual([{ user_id: guest }]);
    await expect(
      as(guest, sql`UPDATE collaboration_participants SET role = 'editor' WHERE ${mine}`),
    ).rejects.toMatchObject({ code: '42501' });
    await expect(
      as(guest, sql`UPDATE collaboration_participants SET owner_id = ${guest} WHERE ${mine}`),
    ).rejects.toMatchObject({ code: '42501' });
    expect(
      await as(
        owner,
        sql`UPDATE collaboration_participants SET role = 'editor' WHERE ${mine} RETURNING role`,
      ),
    ).toEqual([{ role: 'editor' }]);
  });

  test('sees the others and the log, and may leave', async () => {
    const { owner, session, guest } = await newSession();
    const outsider = await newUser();
    await run(sql`UPDATE collaboration_sessions SET last_seq = 1 WHERE id = ${session}`);
    await run(sql`INSERT INTO collaboration_edits (session_id, seq, user_id, kind, actor_type, actor_id, content)
      VALUES (${session}, 1, ${owner}, 'edit', 'user', ${owner}, '\\x00')`);
    const visible = async (user: string) => ({
      people: (await as(user, sql`SELECT id FROM collaboration_participants`)).length,
      edits: (await as(user, sql`SELECT seq FROM collaboration_edits`)).length,
    });
    expect(await visible(guest)).toEqual({ people: 2, edits: 1 });
    expect(await visible(outsider)).toEqual({ people: 0, edits: 0 });
    await as(guest, sql`DELETE FROM collaboration_participants WHERE user_id = ${guest}`);
    expect(await visible(guest)).toEqual({ people: 0, edits: 0 });
    expect(await visible(owner)).toEqual({ people: 1, edits: 1 });
  });

  test('is put into a session by nobody but the service', async () => {
    const { owner, session } = await newSession();
    const unasked = await newUser();
    const join = (by: string, user: string) =>
      as(
        by,
        sql`INSERT INTO collaboration_participants (session_id, owner_id, user_id, role)
          VALUES (${session}, ${owner}, ${user}, 'viewer')`,
      );
    await expect(join(owner, unasked)).rejects.toMatchObject({ code: '42501' });
    await expect(join(unasked, unasked)).rejects.toMatchObject({ code: '42501' });
  });
});

describe('the log', () => {
  test('is rewritten by nobody, and outlives those who wrote it', async () => {
    const { owner, session, guest } = await newSession();
    await run(sql`UPDATE collaboration_sessions SET last_seq = 1 WHERE id = ${session}`);
    await run(sql`INSERT INTO collaboration_edits (session_id, seq, user_id, kind, actor_type, actor_id, content)
      VALUES (${session}, 1, ${owner}, 'edit', 'user', ${guest}, '\\x00')`);
    const rewrite = sql`UPDATE collaboration_edits SET content = '\\x01' WHERE session_id = ${session}`;
    await expect(run(rewrite)).rejects.toMatchObject({ code: '42501' });
    await clone.query('DELETE FROM auth.users WHERE id = $1', [guest]);
    expect(await run(sql`SELECT actor_id FROM collaboration_edits WHERE session_id = ${session}`)).toEqual([
      { actor_id: null },
    ]);
    await clone.query('DELETE FROM auth.users WHERE id = $1', [owner]);
    for (const table of ['sessions', 'participants', 'invites', 'edits']) {
      const left = sql`SELECT 1 FROM ${sql.ref(`collaboration_${table}`)} WHERE user_id IN (${owner}, ${guest})`;
      expect(await run(left)).toEqual([]);
    }
  });
});

async function newUser(): Promise<string> {
  const id = randomUUID();
  await clone.query('INSERT INTO auth.users (id) VALUES ($1)', [id]);
  return id;
}

/** A session with its owner and one viewer. */
async function newSession(
  guestOfAnother?: string,
): Promise<{ owner: string; session: string; guest: string }> {
  const [owner, guest, session] = [await newUser(), guestOfAnother ?? (await newUser()), randomUUID()];
  await as(
    owner,
    sql`INSERT INTO collaboration_sessions (id, user_id, title) VALUES (${session}, ${owner}, 'document') RETURNING id`,
  );
  await as(
    owner,
    sql`INSERT INTO collaboration_participants (session_id, owner_id, user_id, role)
      VALUES (${session}, ${owner}, ${owner}, 'owner')`,
  );
  await run(sql`INSERT INTO collaboration_participants (session_id, owner_id, user_id, role)
    VALUES (${session}, ${owner}, ${guest}, 'viewer')`);
  return { owner, session, guest };
}
