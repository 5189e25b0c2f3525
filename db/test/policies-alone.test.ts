import { createTestDatabase } from '@swissbrain/testkit/database';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { openSession, type Session } from './acting.ts';
import { checkCallers } from './callers.ts';
import { checkPoliciesAlone } from './policies-alone.ts';
import { checkColumnRights, checkPrivileges } from './privileges.ts';
import { createRows } from './rls/targets.ts';
import { onTrial } from './trial.ts';

let database: Awaited<ReturnType<typeof createTestDatabase>>;
let session: Session;

beforeAll(async () => {
  database = await createTestDatabase();
  session = await openSession(database.adminUrl);
  await createRows(session);
});
afterAll(async () => {
  await session.end();
  await database.drop();
});

describe('behind a grant too many', () => {
  it('policies still let nobody at the rows of another, nor give theirs away', async () => {
    expect(await onTrial(session, () => checkPoliciesAlone(session))).toEqual([]);
  });
});

describe('tables', () => {
  it('give each role the rights of the matrix and no other', async () => {
    expect(await checkPrivileges(session)).toEqual([]);
  });
});

describe('columns', () => {
  it('are within the reach of those in columns.ts and nobody else', async () => {
    expect(await checkColumnRights(session)).toEqual([]);
  });
});

describe('functions', () => {
  it('are called by those in callers.ts and nobody else', async () => {
    expect(await checkCallers(session)).toEqual([]);
  });
});
