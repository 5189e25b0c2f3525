import {
  databasePasswordVariable,
  identifierOf,
  type ServiceName,
  serviceNames,
} from '@swissbrain/shared-schema/ids';
import pg from 'pg';

type Environment = Readonly<Record<string, string | undefined>>;

/** How the services reach the database: what each one's environment says about it. */
export type DatabaseAccess = Readonly<Record<ServiceName, Readonly<Record<string, string>>>>;

/** The access to a Postgres of our own, whose login roles got these passwords with the migrations. */
export function accessToOwn(url: string, passwords: Readonly<Record<ServiceName, string>>): DatabaseAccess {
  return accessOf((service) => ({ DATABASE_URL: loginUrl(url, service, passwords[service]) }));
}

/** What the migrations read to set the passwords. */
export function passwordVariables(passwords: Readonly<Record<ServiceName, string>>): Record<string, string> {
  return Object.fromEntries(
    serviceNames.map((service) => [databasePasswordVariable(service), passwords[service]]),
  );
}

/**
 * The access to a Postgres that was given. Its roles belong to the whole server, so no password is set: as a
 * superuser the services take their role at the start of each session, else each needs its password.
 * @throws naming all variables that are missing
 */
export async function accessGiven(url: string, environment: Environment): Promise<DatabaseAccess> {
  if (await isSuperuser(url)) {
    return accessOf((service) => ({ DATABASE_URL: url, DATABASE_SESSION_ROLE: loginRole(service) }));
  }
  const missing = serviceNames.map(databasePasswordVariable).filter((name) => !environment[name]);
  if (missing.length > 0) {
    throw new Error(
      'the user of DATABASE_URL is no superuser, so each service logs in as itself. Set a password for each ' +
        `login role (ALTER ROLE ${loginRole('credits')} WITH PASSWORD '…') and name it in: ${missing.join(', ')}`,
    );
  }
  return accessOf((service) => ({
    DATABASE_URL: loginUrl(url, service, environment[databasePasswordVariable(service)] ?? ''),
  }));
}

/** Creates a database if the server has none of this name. */
export async function ensureDatabase(url: string, name: string): Promise<string> {
  await withClient(url, async (client) => {
    const { rowCount } = await client.query('SELECT FROM pg_database WHERE datname = $1', [name]);
    if (rowCount === 0) await client.query(`CREATE DATABASE ${client.escapeIdentifier(name)}`);
  });
  const result = new URL(url);
  result.pathname = `/${name}`;
  return result.href;
}

function loginRole(service: ServiceName): string {
  return `sb_${identifierOf(service)}_login`;
}

function loginUrl(url: string, service: ServiceName, password: string): string {
  const result = new URL(url);
  result.username = loginRole(service);
  result.password = encodeURIComponent(password);
  return result.href;
}

function accessOf(of: (service: ServiceName) => Record<string, string>): DatabaseAccess {
  return Object.fromEntries(serviceNames.map((service) => [service, of(service)])) as DatabaseAccess;
}

async function isSuperuser(url: string): Promise<boolean> {
  return withClient(url, async (client) => {
    const { rows } = await client.query<{ rolsuper: boolean }>(
      'SELECT rolsuper FROM pg_roles WHERE rolname = session_user',
    );
    return rows[0]?.rolsuper === true;
  });
}

async function withClient<T>(url: string, work: (client: pg.Client) => Promise<T>): Promise<T> {
  const client = new pg.Client({ connectionString: url });
  await client.connect();
  try {
    return await work(client);
  } finally {
    await client.end();
  }
}
