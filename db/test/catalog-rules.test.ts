import { createTestDatabase } from '@swissbrain/testkit/database';
import { afterAll, beforeAll, expect, it } from 'vitest';
import { type Catalog, type Column, readCatalog, type Table } from '../catalog.ts';
import { withClient } from '../migrate.ts';
import { listOf } from '../print-docs.ts';

/** Names that mean the same in every table and need no words. */
const plain = new Set([
  ...[
    'id',
    'user_id',
    'name',
    'title',
    'label',
    'description',
    'content',
    'email',
    'role',
    'display_name',
    'color',
  ],
  ...[
    'currency',
    'unit',
    'error_code',
    'error_message',
    'created_at',
    'updated_at',
    'deleted_at',
    'queued_at',
  ],
  ...[
    'started_at',
    'finished_at',
    'closed_at',
    'ended_at',
    'expires_at',
    'revoked_at',
    'joined_at',
    'fired_at',
  ],
  ...['processed_at'],
]);

let database: Awaited<ReturnType<typeof createTestDatabase>>;
let catalog: Catalog;

beforeAll(async () => {
  database = await createTestDatabase();
  catalog = await withClient(database.adminUrl, readCatalog);
});
afterAll(() => database.drop());

/** Its name, its list of values or what it refers to says what it is. */
function isObvious(table: Table, column: Column): boolean {
  const refers = table.constraints.some(({ definition }) =>
    new RegExp(`^FOREIGN KEY \\([^)]*\\b${column.name}\\b`).test(definition),
  );
  const listed = column.type.startsWith('public.') || listOf(table, column) !== '';
  return plain.has(column.name) || refers || listed;
}

it('every table and every column that does not speak for itself has a comment', () => {
  expect(catalog.tables.filter(({ comment }) => comment === null).map(({ name }) => name)).toEqual([]);
  const silent = catalog.tables.flatMap((table) =>
    table.columns
      .filter((column) => column.comment === null && !isObvious(table, column))
      .map((column) => `${table.name}.${column.name}`),
  );
  expect(silent).toEqual([]);
});

it('policies ask for the user once per statement, and call nothing per row that is read or written', () => {
  const calling = catalog.tables.flatMap((table) =>
    table.policies
      .filter(({ using, check }) => callsPerRow(using ?? '') || callsPerRow(check ?? ''))
      .map(({ name }) => name),
  );
  expect(calling).toEqual([]);
});

/** Whether a function is called outside of a subselect that does not depend on the row. */
function callsPerRow(expression: string): boolean {
  const once = expression
    .replaceAll(/\( ?SELECT (?:sb|auth)\.\w+\((?:'[\w.]+'::regclass)?\) AS \w+\)/g, '')
    .replaceAll(/ IN \( ?SELECT [\w., \n]+\sFROM sb\.\w+\(\) \w+\([\w, ]+\)\)/g, '');
  return /\b(?:sb|auth|public)\.\w+\(|\bcurrent_setting\(/.test(once);
}
