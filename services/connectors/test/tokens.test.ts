import { randomBytes, randomUUID } from 'node:crypto';
import type { Database } from '@swissbrain/service-kit/database';
import { createTestDatabase, type TestDatabase } from '@swissbrain/testkit/database';
import { openServiceDatabase, principalFor } from '@swissbrain/testkit/service-database';
import { type RawBuilder, sql } from 'kysely';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';

let clone: TestDatabase;
let database: Database;
beforeAll(async () => {
  clone = await createTestDatabase();
  database = openServiceDatabase('connectors', clone, { connections: 8 });
});
afterAll(async () => {
  await database?.close();
  await clone?.drop();
});

const key = randomBytes(32).toString('base64');
interface Place {
  readonly credential: string;
  readonly field: string;
  readonly keyId: string;
  readonly key: string;
}
const place = (): Place => ({ credential: randomUUID(), field: 'access_token', keyId: 'k1', key });

async function one<R>(statement: RawBuilder<R>): Promise<R> {
  const [row] = await database.serviceStatement(statement);
  if (row === undefined) throw new Error('the statement gave no row');
  return row;
}
async function encrypt(plain: string | null, at: Place): Promise<Buffer | null> {
  const row = await one(sql<{ cipher: Buffer | null }>`
    SELECT encrypt_token(${plain}, ${at.credential}, ${at.field}, ${at.keyId}, ${at.key}) AS cipher`);
  return row.cipher;
}
async function decrypt(cipher: Buffer | null, at: Place): Promise<string | null> {
  const row = await one(sql<{ plain: string | null }>`
    SELECT decrypt_token(${cipher}, ${at.credential}, ${at.field}, ${at.keyId}, ${at.key}) AS plain`);
  return row.plain;
}

describe('encrypt_token and decrypt_token', () => {
  test.each([
    ['an ordinary token', 'ya29.a0AfH6SMB'],
    ['an empty one', ''],
    ['one of 4,000 characters', randomBytes(3_000).toString('base64')],
    ['one beyond ASCII', 'клю́ч 🔑 / k1:'],
  ])('give %s back', async (_name, plain) => {
    const at = place();
    const cipher = await encrypt(plain, at);
    expect(cipher?.includes(Buffer.from(plain)) && plain !== '').toBe(false);
    expect(await decrypt(cipher, at)).toBe(plain);
  });

  test('keep null as null', async () => {
    expect(await encrypt(null, place())).toBeNull();
    const nothing = sql<{
      cipher: Buffer | null;
    }>`SELECT encrypt_token(NULL, NULL, NULL, NULL, NULL) AS cipher`;
    expect(await one(nothing)).toEqual({ cipher: null });
    expect(await decrypt(null, place())).toBeNull();
  });

  test('give the same token another ciphertext each time', async () => {
    const at = place();
    expect(await encrypt('same', at)).not.toEqual(await encrypt('same', at));
  });

  test.each<[string, (at: Place) => Place]>([
    ['another key', (at) => ({ ...at, key: randomBytes(32).toString('base64') })],
    ['another credential', (at) => ({ ...at, credential: randomUUID() })],
    ['another field', (at) => ({ ...at, field: 'refresh_token' })],
    ['another key id', (at) => ({ ...at, keyId: 'k2' })],
  ])('refuse a ciphertext under %s', async (_name, move) => {
    const at = place();
    const cipher = await encrypt('secret', at);
    await expect(decrypt(cipher, move(at))).rejects.toMatchObject({ code: '39000' });
  });

  test('refuse a ciphertext that was changed', async () => {
    const at = place();
    const cipher = await encrypt('secret', at);
    const changed = Buffer.from(cipher ?? []);
    changed.writeUInt8(changed.readUInt8(changed.length - 4) ^ 1, changed.length - 4);
    await expect(decrypt(changed, at)).rejects.toMatchObject({ code: '39000' });
  });

  test('refuse a key of fewer than 32 characters or none', async () => {
    for (const weak of ['short', 'k'.repeat(31)]) {
      await expect(encrypt('secret', { ...place(), key: weak })).rejects.toMatchObject({ code: '22023' });
    }
    const keyless = sql`SELECT encrypt_token('secret', ${randomUUID()}, 'access_token', 'k1', NULL)`;
    await expect(one(keyless)).rejects.toMatchObject({ code: '22023' });
    expect(await encrypt('secret', { ...place(), key: 'k'.repeat(32) })).not.toBeNull();
  });

  test.each([
    ['credential', sql`NULL, 'access_token', 'k1'`],
    ['field', sql`${randomUUID()}, NULL, 'k1'`],
    ['key id', sql`${randomUUID()}, 'access_token', NULL`],
  ])('refuse a token without a %s', async (_name, where) => {
    const nowhere = sql`SELECT encrypt_token('secret', ${where}, ${key})`;
    await expect(one(nowhere)).rejects.toMatchObject({ code: '22004' });
  });

  test('are not for users', async () => {
    const user = principalFor(randomUUID());
    const attempt = sql`SELECT encrypt_token('secret', ${randomUUID()}, 'access_token', 'k1', ${key})`;
    await expect(database.withUser(user, (tx) => attempt.execute(tx))).rejects.toMatchObject({
      code: '42501',
    });
  });
});

describe('credentials', () => {
  test('are seen by their user alone, and their ciphertext by no user', async () => {
    const [mine, other] = [await newUser(), await newUser()];
    const id = await newCredential(mine);
    const ids = (user: string) =>
      database.withUser(principalFor(user), async (tx) => {
        const { rows } = await sql<{ id: string }>`SELECT id FROM connector_credentials`.execute(tx);
        return rows.map((row) => row.id);
      });
    expect(await ids(mine)).toEqual([id]);
    expect(await ids(other)).toEqual([]);
    for (const column of ['access_token', 'refresh_token', 'token_metadata']) {
      const read = sql`SELECT ${sql.ref(column)} FROM connector_credentials`;
      await expect(database.withUser(principalFor(mine), (tx) => read.execute(tx))).rejects.toMatchObject({
        code: '42501',
      });
    }
  });
});

describe('refresh_expiring_tokens', () => {
  test('claims what expires within the margin, soonest first, and nothing else', async () => {
    const user = await newUser();
    const soon = await newCredential(user, { access_expires_at: `now() + interval '5 minutes'` });
    const past = await newCredential(user, { access_expires_at: `now() - interval '1 day'` });
    await newCredential(user, { access_expires_at: `now() + interval '1 hour'` });
    await newCredential(user, { access_expires_at: 'NULL' });
    await newCredential(user, { refresh_token: 'NULL' });
    await newCredential(user, { status: `'reauth_required'` });
    await newCredential(user, { refresh_retry_at: `now() + interval '1 minute'` });
    await newCredential(user, {
      refresh_lease_owner: `'another'`,
      refresh_lease_until: `now() + interval '1 minute'`,
    });
    const retry = await newCredential(user, {
      access_expires_at: `now() + interval '10 minutes'`,
      refresh_retry_at: `now() - interval '1 minute'`,
    });
    const claimed = await claim('worker', 100, user);
    expect(claimed.map(({ credential_id }) => credential_id).toSorted()).toEqual(
      [soon, past, retry].toSorted(),
    );
    expect(await claim('worker', 100, user)).toEqual([]);
  });

  test('takes the soonest when there are more than asked for', async () => {
    const user = await newUser();
    await newCredential(user, { access_expires_at: `now() + interval '9 minutes'` });
    const first = await newCredential(user, { access_expires_at: `now() - interval '9 days'` });
    expect((await claim('worker', 1)).map(({ credential_id }) => credential_id)).toEqual([first]);
    await claim('worker', 100);
  });

  test('claims again when a lease has ended, with a higher fence', async () => {
    const user = await newUser();
    const id = await newCredential(user);
    const [before] = await claim('first', 100, user);
    await clone.query(
      `UPDATE connector_credentials SET refresh_lease_until = now() - interval '1 second' WHERE id = $1`,
      [id],
    );
    const [after] = await claim('second', 100, user);
    expect(before).toMatchObject({ credential_id: id, lease_version: 1n });
    expect(after).toMatchObject({ credential_id: id, lease_version: 2n });
  });

  test('claims what becomes due at this very instant', async () => {
    const user = await newUser();
    const id = await newCredential(user, { access_expires_at: `now() + interval '1 hour'` });
    const claimed = await database.withService(async (tx) => {
      await sql`UPDATE connector_credentials SET access_expires_at = now() + interval '15 minutes',
        refresh_retry_at = now(), refresh_lease_owner = 'another', refresh_lease_until = now()
        WHERE id = ${id}`.execute(tx);
      return sql<Claim>`SELECT * FROM refresh_expiring_tokens('worker')`.execute(tx);
    });
    expect(claimed.rows.map(({ credential_id }) => credential_id)).toContain(id);
  });

  test('does not wait for a claimer that has not committed', async () => {
    const user = await newUser();
    await newCredential(user);
    const others = await database.withService(async (tx) => {
      await sql`SELECT * FROM refresh_expiring_tokens('first')`.execute(tx);
      return claim('second', 100, user);
    });
    expect(others).toEqual([]);
  });

  test('gives each credential to one of many claimers', async () => {
    const user = await newUser();
    const made = await Promise.all(Array.from({ length: 60 }, () => newCredential(user)));
    const claims = await Promise.all(
      Array.from({ length: 12 }, (_, index) => claim(`worker ${index}`, 10, user)),
    );
    const rest = await claim('the last', 100, user);
    const ids = [...claims.flat(), ...rest].map(({ credential_id }) => credential_id);
    expect(ids.toSorted()).toEqual(made.toSorted());
  });
});

interface Claim {
  readonly credential_id: string;
  readonly user_id: string;
  readonly lease_version: bigint;
}

/** Claims as the service does; the claims of one user when it is given. */
async function claim(owner: string, limit: number, user?: string): Promise<Claim[]> {
  const rows = await database.serviceStatement(
    sql<Claim>`SELECT * FROM refresh_expiring_tokens(${owner}, p_limit => ${limit})`,
  );
  return rows.filter((row) => user === undefined || row.user_id === user);
}

async function newUser(): Promise<string> {
  const id = randomUUID();
  await clone.query('INSERT INTO auth.users (id) VALUES ($1)', [id]);
  return id;
}

/** A credential that is due, with columns replaced by the SQL given. */
async function newCredential(user: string, replaced: Readonly<Record<string, string>> = {}): Promise<string> {
  const id = randomUUID();
  const columns: Record<string, string> = {
    id: `'${id}'`,
    user_id: `'${user}'`,
    definition_id: `(SELECT id FROM connector_definitions WHERE slug = 'github')`,
    provider_account_id: `'${id}'`,
    auth_method: `'oauth2'`,
    key_id: `'k1'`,
    access_token: `'\\x01'`,
    refresh_token: `'\\x02'`,
    access_expires_at: 'now()',
    ...replaced,
  };
  await clone.query(
    `INSERT INTO connector_credentials (${Object.keys(columns)}) VALUES (${Object.values(columns)})`,
  );
  return id;
}
