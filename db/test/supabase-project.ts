import { randomBytes } from 'node:crypto';
import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { administer, databaseUrl } from '@swissbrain/testkit/database';
import { outsideTransaction, writeSupabaseMigrations } from '../supabase.ts';
import { openSession, type Session } from './acting.ts';

/** A database prepared as Supabase prepares one, before any migration of ours. */
export interface SupabaseProject {
  readonly url: string;
  /** As the superuser, whom nobody has on Supabase. */
  readonly session: Session;
  /** Who runs migrations: may create roles and databases, is no superuser and passes no row-level security. */
  readonly owner: string;
  /** Who owns the users. */
  readonly authAdmin: string;
  /**
   * Applies the folder that `pnpm db:supabase` writes, one transaction per file, as `supabase db push` does, which runs
   * what cannot be in a transaction by itself.
   */
  push(folder: string, migrationsDir?: string): Promise<string[]>;
  drop(): Promise<void>;
}

export interface SupabaseOptions {
  /** Whether everything new is granted to the roles of the API, as it is in most projects. */
  readonly grantsEverything: boolean;
}

/** Prepares a project on a server of which `serverUrl` is the superuser. Roles that are there are left as they are. */
export async function createSupabaseProject(
  serverUrl: string,
  { grantsEverything }: SupabaseOptions,
): Promise<SupabaseProject> {
  const suffix = randomBytes(4).toString('hex');
  const [owner, authAdmin, name] = ['owner', 'auth', 'project'].map(
    (part) => `sb_test_${part}_${suffix}`,
  ) as [string, string, string];
  await administer(
    serverUrl,
    `${apiRoles} CREATE ROLE ${owner} CREATEROLE CREATEDB; CREATE ROLE ${authAdmin};`,
  );
  await administer(serverUrl, `CREATE DATABASE ${name} OWNER ${owner}`);
  const url = databaseUrl(serverUrl, name);
  const session = await openSession(url);
  await session.query(prepared(owner, authAdmin));
  if (grantsEverything) await session.query(generous(owner));
  return {
    url,
    session,
    owner,
    authAdmin,
    async push(folder, migrationsDir) {
      const names = await writeSupabaseMigrations(folder, migrationsDir);
      for (const file of names) {
        const text = await readFile(join(folder, file), 'utf8');
        const [begin, end] = text.startsWith(outsideTransaction)
          ? [`SET ROLE ${owner}`, 'RESET ROLE']
          : [`BEGIN; SET LOCAL ROLE ${owner}`, 'COMMIT'];
        await session.query(begin);
        await session.query(text);
        await session.query(end);
      }
      return names;
    },
    async drop() {
      await session.end();
      await administer(serverUrl, `DROP DATABASE ${name} WITH (FORCE)`);
      // A role that the owner has created here, on a server without ours, notes who may give it away.
      await administer(serverUrl, `DROP OWNED BY ${owner}, ${authAdmin}; DROP ROLE ${owner}, ${authAdmin}`);
    },
  };
}

const apiRoles = `
  DO $$
  BEGIN
    IF to_regrole('anon') IS NULL THEN CREATE ROLE anon NOLOGIN NOINHERIT; END IF;
    IF to_regrole('authenticated') IS NULL THEN CREATE ROLE authenticated NOLOGIN NOINHERIT; END IF;
    IF to_regrole('service_role') IS NULL THEN CREATE ROLE service_role NOLOGIN NOINHERIT BYPASSRLS; END IF;
  END
  $$;`;

const prepared = (owner: string, authAdmin: string): string => `
  CREATE SCHEMA extensions AUTHORIZATION ${owner};
  CREATE EXTENSION pgcrypto WITH SCHEMA extensions;
  GRANT USAGE ON SCHEMA public, extensions TO anon, authenticated, service_role;
  ALTER SCHEMA public OWNER TO ${owner};
  CREATE SCHEMA auth AUTHORIZATION ${authAdmin};
  SET ROLE ${authAdmin};
  CREATE TABLE auth.users (id uuid PRIMARY KEY, email text, encrypted_password text);
  ALTER TABLE auth.users ENABLE ROW LEVEL SECURITY;
  CREATE FUNCTION auth.jwt() RETURNS jsonb LANGUAGE sql STABLE AS
    $f$ SELECT coalesce(nullif(current_setting('request.jwt.claim', true), ''), nullif(current_setting('request.jwt.claims', true), ''))::jsonb $f$;
  CREATE FUNCTION auth.uid() RETURNS uuid LANGUAGE sql STABLE AS
    $f$ SELECT coalesce(nullif(current_setting('request.jwt.claim.sub', true), ''), nullif(current_setting('request.jwt.claims', true), '')::jsonb ->> 'sub')::uuid $f$;
  CREATE FUNCTION auth.role() RETURNS text LANGUAGE sql STABLE AS
    $f$ SELECT coalesce(nullif(current_setting('request.jwt.claim.role', true), ''), nullif(current_setting('request.jwt.claims', true), '')::jsonb ->> 'role') $f$;
  GRANT USAGE ON SCHEMA auth TO anon, authenticated, service_role;
  GRANT ALL ON SCHEMA auth TO ${owner};
  GRANT ALL ON auth.users TO ${owner};
  RESET ROLE;`;

/** Not only in schema public, where Supabase does it: what a migration creates must be closed wherever it is. */
const generous = (owner: string): string =>
  ['TABLES', 'SEQUENCES', 'FUNCTIONS']
    .map(
      (kind) =>
        `ALTER DEFAULT PRIVILEGES FOR ROLE ${owner} GRANT ALL ON ${kind} TO anon, authenticated, service_role;`,
    )
    .join('\n');
