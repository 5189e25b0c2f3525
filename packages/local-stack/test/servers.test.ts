import { mkdir, rm, stat, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { jetstream, jetstreamManager } from '@nats-io/jetstream';
import { connect } from '@nats-io/transport-node';
import { Redis } from 'ioredis';
import pg from 'pg';
import { afterEach, beforeEach, describe, expect, test, vi } from 'vitest';
import { startNats } from '../src/nats.ts';
import { type PostgresOptions, startPostgres } from '../src/postgres.ts';
import { relocatedDataDir } from '../src/postgres-installation.ts';
import { startRedis } from '../src/redis.ts';
import type { Server } from '../src/server.ts';
import { createThrowAwayDir, type ThrowAwayDir } from '../src/throw-away.ts';

let place: ThrowAwayDir;
const running: Server[] = [];

beforeEach(async () => {
  place = await createThrowAwayDir(tmpdir(), 'servers');
});

afterEach(async () => {
  vi.unstubAllEnvs();
  await Promise.all(running.splice(0).map((server) => server.stop()));
  await place.remove();
});

async function keep(starting: Promise<Server>): Promise<Server> {
  const server = await starting;
  running.push(server);
  return server;
}

async function sql<R extends pg.QueryResultRow>(url: string, text: string): Promise<R[]> {
  const client = new pg.Client({ connectionString: url });
  await client.connect();
  try {
    return (await client.query<R>(text)).rows;
  } finally {
    await client.end();
  }
}

describe('Postgres', () => {
  const start = (options: Partial<PostgresOptions> = {}) =>
    keep(startPostgres({ dataDir: join(place.path, 'postgres'), durable: false, ...options }));

  test('is UTF-8 in the C locale, flushes what it commits, and answers to its password alone', async () => {
    const { url } = await start({ durable: true });
    const [row] = await sql(
      url,
      `SELECT current_setting('server_encoding') AS encoding, datcollate AS collation, current_setting('fsync') AS fsync,
         current_setting('listen_addresses') AS addresses
         FROM pg_database WHERE datname = current_database()`,
    );
    expect(row).toEqual({ encoding: 'UTF8', collation: 'C', fsync: 'on', addresses: '127.0.0.1' });
    const wrong = new URL(url);
    wrong.password = 'wrong';
    await expect(sql(wrong.href, 'SELECT 1')).rejects.toThrow('password authentication failed');
  });

  test.each([
    [undefined, '18'],
    ['15', '15'],
  ])('is of the release that is asked for: %s', async (asked, release) => {
    vi.stubEnv('SWISSBRAIN_POSTGRES_RELEASE', asked);
    const { url } = await start();
    const [row] = await sql<{ version: string }>(url, `SELECT current_setting('server_version') AS version`);
    expect(row?.version.split('.')[0]).toBe(release);
  });

  test('names the releases there are where another is asked for', async () => {
    vi.stubEnv('SWISSBRAIN_POSTGRES_RELEASE', '12');
    await expect(start()).rejects.toThrow('SWISSBRAIN_POSTGRES_RELEASE is "12": there is 15, 18');
  });

  test('keeps its data and its password through a stop and a kill', async () => {
    const first = await start();
    await sql(first.url, 'CREATE TABLE kept AS SELECT 1 AS number');
    await first.stop();
    const second = await start();
    await sql(second.url, 'INSERT INTO kept VALUES (2)');
    await second.kill();
    const third = await start({ port: second.port });
    expect(third.url).toBe(second.url);
    expect(await sql(third.url, 'SELECT number FROM kept ORDER BY 1')).toEqual([
      { number: 1 },
      { number: 2 },
    ]);
  });

  test('starts after a first start that was cut off half-way', async () => {
    const draft = join(place.path, 'postgres.new');
    await mkdir(draft);
    await writeFile(join(draft, 'PG_VERSION'), '18\n');
    const { url } = await start();
    expect(await sql(url, 'SELECT 1 AS one')).toEqual([{ one: 1 }]);
  });

  test('refuses data of another major version, and says so', async () => {
    const { stop } = await start();
    await stop();
    await writeFile(join(place.path, 'postgres', 'PG_VERSION'), '15\n');
    await expect(start()).rejects.toThrow(/holds data of Postgres 15/);
  });

  // Where a clone of root usually lies: below a home that nobody else may enter.
  test.runIf(process.getuid?.() === 0)('runs for root from a folder closed to everyone else', async () => {
    // A checkout below the folder for temporary files would be opened instead.
    vi.stubEnv('TMPDIR', place.path);
    const closed = join(import.meta.dirname, '..', '..', '..', '.swissbrain', `closed-${process.pid}`);
    await mkdir(closed, { recursive: true, mode: 0o700 });
    const dataDir = join(closed, 'postgres');
    try {
      const first = await start({ dataDir });
      await sql(first.url, 'CREATE TABLE kept AS SELECT 1 AS number');
      await first.stop();
      const second = await start({ dataDir });
      expect(await sql(second.url, 'SELECT number FROM kept')).toEqual([{ number: 1 }]);
      await second.stop();
      // A folder that was cleared by hand must not find the old data again.
      await rm(dataDir);
      const third = await start({ dataDir });
      await expect(sql(third.url, 'SELECT number FROM kept')).rejects.toThrow('does not exist');
      await third.stop();
    } finally {
      await rm(dirname(relocatedDataDir(dataDir)), { recursive: true, force: true });
      await rm(closed, { recursive: true, force: true });
      vi.unstubAllEnvs();
    }
  });

  test('stops while clients are connected', async () => {
    const server = await start();
    const client = new pg.Client({ connectionString: server.url });
    const cut = new Promise((resolve) => client.on('error', resolve));
    await client.connect();
    await server.stop();
    await cut;
    expect((await stat(join(place.path, 'postgres', 'PG_VERSION'))).isFile()).toBe(true);
  });
});

describe('NATS', () => {
  test('keeps its streams through a kill, on the same port', async () => {
    const dataDir = join(place.path, 'nats');
    const first = await keep(startNats({ dataDir }));
    await withNats(first.url, async (connection) => {
      const manager = await jetstreamManager(connection);
      await manager.streams.add({ name: 'KEPT', subjects: ['kept.>'] });
      await jetstream(connection).publish('kept.one', 'one');
    });
    await first.kill();
    const second = await keep(startNats({ dataDir, port: first.port }));
    expect(second.url).toBe(first.url);
    await withNats(second.url, async (connection) => {
      const { state } = await (await jetstreamManager(connection)).streams.info('KEPT');
      expect(state.messages).toBe(1);
    });
  });

  async function withNats(
    url: string,
    work: (connection: Awaited<ReturnType<typeof connect>>) => Promise<void>,
  ): Promise<void> {
    const connection = await connect({ servers: url });
    try {
      await work(connection);
    } finally {
      await connection.close();
    }
  }
});

describe('Redis', () => {
  test('keeps its keys through a stop, and evicts nothing', async () => {
    const dataDir = join(place.path, 'redis');
    const first = await keep(startRedis({ dataDir }));
    await withRedis(first.url, async (client) => {
      await client.set('kept', 'yes');
      expect(await client.config('GET', 'maxmemory-policy')).toEqual(['maxmemory-policy', 'noeviction']);
    });
    await first.stop();
    const second = await keep(startRedis({ dataDir, port: first.port }));
    await withRedis(second.url, async (client) => expect(await client.get('kept')).toBe('yes'));
  });

  test('without a directory it keeps nothing and leaves nothing', async () => {
    const server = await keep(startRedis());
    await withRedis(server.url, async (client) => expect(await client.ping()).toBe('PONG'));
    await server.kill();
    await server.stop();
  });

  async function withRedis(url: string, work: (client: Redis) => Promise<void>): Promise<void> {
    const client = new Redis(url);
    try {
      await work(client);
    } finally {
      client.disconnect();
    }
  }
});

test('stopping twice, or what was killed, is no error', async () => {
  const server = await keep(startNats({ dataDir: join(place.path, 'nats') }));
  await server.kill();
  await server.stop();
  await server.stop();
  await server.kill();
});

test.each([
  [
    'Postgres',
    (path: string, port?: number) => startPostgres({ dataDir: path, durable: false, ...at(port) }),
  ],
  ['NATS', (path: string, port?: number) => startNats({ dataDir: path, ...at(port) })],
  ['Redis', (path: string, port?: number) => startRedis({ dataDir: path, ...at(port) })],
] as const)('another %s on the port is not taken for the one that was started', async (_name, start) => {
  const first = await keep(start(join(place.path, 'one')));
  await expect(start(join(place.path, 'two'), first.port)).rejects.toThrow(/already in use/i);
});

function at(port: number | undefined): { port?: number } {
  return port === undefined ? {} : { port };
}
