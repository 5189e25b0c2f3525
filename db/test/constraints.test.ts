import { createTestDatabase } from '@swissbrain/testkit/database';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { openSession, type Session } from './acting.ts';
import { constrainedTables } from './constraints/all.ts';
import { checkConstraints, findUntried } from './constraints/check.ts';
import { onTrial } from './trial.ts';

let database: Awaited<ReturnType<typeof createTestDatabase>>;
let session: Session;

beforeAll(async () => {
  database = await createTestDatabase();
  session = await openSession(database.adminUrl);
});
afterAll(async () => {
  await session.end();
  await database.drop();
});

describe('constraints', () => {
  it('each have a violation in constraints/', async () => {
    expect(await findUntried(session)).toEqual([]);
  });

  it.each(Object.keys(constrainedTables))('of %s refuse it by name, and act on deletion', async (table) => {
    expect(await onTrial(session, () => checkConstraints(session, [table]))).toEqual([]);
  });
});
