import { randomUUID } from 'node:crypto';
import { mkdtemp, readdir, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { startPostgres } from '@swissbrain/local-stack/postgres';
import { createTestDatabase } from '@swissbrain/testkit/database';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { readCatalog } from '../catalog.ts';
import { migrate, migrationsDirectory, withClient } from '../migrate.ts';
import { printCatalog } from '../print-catalog.ts';
import { upPart, writeSupabaseMigrations } from '../supabase.ts';
import { acting, sqlState } from './acting.ts';
import { readMatrix } from './rls/matrix.ts';
import { serviceRoles } from './rls/people.ts';
import { createRows } from './rls/targets.ts';
import { trySection } from './rls/try-cells.ts';
import { createSupabaseProject, type SupabaseProject } from './supabase-project.ts';
import { onTrial } from './trial.ts';

let database: Awaited<ReturnType<typeof createTestDatabase>>;
let folder: string;

beforeAll(async () => {
  database = await createTestDatabase();
  folder = await mkdtemp(join(tmpdir(), 'swissbrain-supabase-'));
});
afterAll(async () => {
  await rm(folder, { recursive: true, force: true });
  await database.drop();
});

/** What differs from the matrix on a project, and leaves no row behind. */
function tryMatrix({ session }: SupabaseProject): Promise<string[]> {
  return onTrial(session, async () => {
    await createRows(session);
    const differences: string[] = [];
    for (const section of readMatrix()) {
      // One service stands for all six where each is treated alike: the matrix on our own database tries them in turn.
      const service = section.service ?? serviceRoles[0] ?? '';
      differences.push(...(await trySection(session, section, service)));
    }
    return differences;
  });
}

const print = async (url: string) => printCatalog(await withClient(url, readCatalog));

describe.each([
  { project: 'a project', grantsEverything: false },
  { project: 'a project that grants everything new to everybody', grantsEverything: true },
])('$project', ({ grantsEverything }) => {
  let project: SupabaseProject;

  beforeAll(async () => {
    project = await createSupabaseProject(database.adminUrl, { grantsEverything });
  });
  afterAll(() => project.drop());

  it('gets the same schema and the same rights from the folder for supabase db push', async () => {
    expect(await project.push(folder)).toEqual((await readdir(migrationsDirectory)).toSorted());
    expect(await print(project.url)).toBe(await print(database.adminUrl));
  });

  it('lets everybody do what the matrix says', async () => {
    expect(await tryMatrix(project)).toEqual([]);
  });

  it('keeps months that come later closed', async () => {
    const { session } = project;
    await session.query('UPDATE sb.monthly_partitions SET months_ahead = 6');
    await acting(session, 'sb_collab', null, (service) => service.query('SELECT sb.ensure_partitions()'));
    const open = await session.query(
      `SELECT c.oid::regclass FROM pg_class c WHERE relnamespace = 'sb_partitions'::regnamespace AND relkind = 'r'
         AND (NOT relrowsecurity OR EXISTS (SELECT FROM aclexplode(c.relacl) a WHERE a.grantee <> c.relowner))`,
    );
    expect(open).toEqual([]);
  });

  it('keeps its own auth schema and tells of users that its own role adds and deletes', async () => {
    const userId = randomUUID();
    await acting(project.session, project.authAdmin, null, async (supabase) => {
      await supabase.query('INSERT INTO auth.users (id) VALUES ($1)', [userId]);
      await supabase.query('DELETE FROM auth.users WHERE id = $1', [userId]);
    });
    const facts = await acting(project.session, 'sb_credits', null, (credits) =>
      credits.query<{ type: string }>(
        'SELECT type FROM event_outbox WHERE user_id = $1 ORDER BY aggregate_seq',
        [userId],
      ),
    );
    expect(facts.map(({ type }) => type)).toEqual(['user.created', 'user.deleted']);
  });

  it('gives birth to no user of its own: Supabase does', async () => {
    const userId = randomUUID();
    await expect(
      acting(project.session, 'sb_credits_user', userId, (user) =>
        user.query('SELECT ensure_user($1)', [userId]),
      ),
    ).rejects.toMatchObject(sqlState('28000'));
  });
});

describe('a server that has never seen SwissBrain', () => {
  it('gets its roles from an owner who is no superuser, and its service_role passes row-level security in vain', async () => {
    const directory = await mkdtemp(join(tmpdir(), 'swissbrain-supabase-server-'));
    const server = await startPostgres({ dataDir: join(directory, 'data'), durable: false });
    try {
      const project = await createSupabaseProject(server.url, { grantsEverything: true });
      await project.push(folder);
      const roles = await project.session.query<{ name: string }>(
        `SELECT rolname AS name FROM pg_roles WHERE rolname ~ '^sb_(?!test)' AND NOT rolsuper AND NOT rolbypassrls ORDER BY 1`,
      );
      const wanted = serviceRoles.flatMap((role) => [role, `${role}_login`, `${role}_user`]);
      expect(roles.map(({ name }) => name)).toEqual(wanted.toSorted());
      expect(await tryMatrix(project)).toEqual([]);
      await project.session.end();
    } finally {
      await server.stop();
      await rm(directory, { recursive: true, force: true });
    }
  });
});

it('takes files out of the folder that are migrations no more, and refuses what is none', async () => {
  const few = await writeSupabaseMigrations(folder, join(import.meta.dirname, 'nothing')).catch(
    (error: unknown) => error,
  );
  expect(few).toMatchObject({ code: 'ENOENT' });
  expect(() => upPart('-- migrate:up\nSELECT 1;\n', 'half.sql')).toThrow(/half\.sql has no/);
  const odd = '-- migrate:up transactions:false\nSELECT 1;\n-- migrate:down\n';
  expect(() => upPart(odd, 'odd.sql')).toThrow(/odd\.sql has "transactions:false"/);
});

it('takes migrations that say whether they run in a transaction, as dbmate does', async () => {
  const directory = await mkdtemp(join(tmpdir(), 'swissbrain-migrations-'));
  const project = await createSupabaseProject(database.adminUrl, { grantsEverything: false });
  const plain = await createTestDatabase('template1');
  try {
    const table =
      '-- migrate:up transaction:true\nCREATE TABLE public.t (a int);\n-- migrate:down\nDROP TABLE t;\n';
    const concurrently = (options: string) =>
      `-- migrate:up${options}\nCREATE INDEX CONCURRENTLY t_idx ON public.t (a);\n-- migrate:down\nDROP INDEX t_idx;\n`;
    await writeFile(join(directory, '20990101000000_table.sql'), table);
    await writeFile(join(directory, '20990101000001_index.sql'), concurrently(''));
    await expect(migrate({ url: plain.adminUrl, migrationsDir: directory })).rejects.toThrow(
      /transaction block/,
    );
    await expect(project.push(folder, directory)).rejects.toMatchObject(sqlState('25001'));
    await project.session.query('ROLLBACK');
    await project.session.query('DROP TABLE public.t');

    await writeFile(join(directory, '20990101000001_index.sql'), concurrently(' transaction:false'));
    await migrate({ url: plain.adminUrl, migrationsDir: directory });
    await project.push(folder, directory);
    for (const { query } of [plain, project.session])
      expect(
        await query(`SELECT indisvalid FROM pg_index WHERE indexrelid = 'public.t_idx'::regclass`),
      ).toEqual([{ indisvalid: true }]);
  } finally {
    await plain.drop();
    await project.drop();
    await rm(directory, { recursive: true, force: true });
  }
});
