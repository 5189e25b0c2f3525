import { createTestDatabase } from '@swissbrain/testkit/database';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { openSession, type Session } from './acting.ts';
import { readMatrix } from './rls/matrix.ts';
import { serviceRoles } from './rls/people.ts';
import { createRows } from './rls/targets.ts';
import { trySection } from './rls/try-cells.ts';
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

const matrix = readMatrix();

it('has a line for every table', async () => {
  const tables = await session.query<{ name: string }>(
    `SELECT relname AS name FROM pg_class WHERE relnamespace = 'public'::regnamespace AND relkind IN ('r', 'p')
       AND relname <> 'schema_migrations' ORDER BY relname`,
  );
  const lines = matrix.flatMap((section) => section.lines.map(({ row }) => row.replace(/ \(.*$/, '')));
  expect([...new Set(lines)].toSorted()).toEqual(tables.map(({ name }) => name));
});

describe.each(matrix)('$title', (section) => {
  it.each(section.service === null ? serviceRoles : [section.service])(
    'as written, for %s',
    async (service) => {
      expect(await onTrial(session, () => trySection(session, section, service))).toEqual([]);
    },
  );
});
