import { jetstreamManager } from '@nats-io/jetstream';
import { eventStream } from '@swissbrain/service-kit/streams';
import { Redis } from 'ioredis';
import pg from 'pg';
import { connectTap, withoutCredentials } from '../tap/connect.ts';
import { check, type Finding } from './check.ts';

const connectMs = 3_000;
const oldestPostgres = 15;

/** Postgres answers and is new enough. */
export function checkPostgres(url: string, advice: string): Promise<Finding> {
  return check({ name: 'postgres', needed: true, advice }, async () => {
    const client = new pg.Client({ connectionString: url, connectionTimeoutMillis: connectMs });
    // A connection that breaks after the answer must not end the program.
    client.on('error', () => undefined);
    await client.connect();
    try {
      const { rows } = await client.query<{ server_version: string }>('show server_version');
      const version = rows[0]?.server_version ?? '';
      if (!(Number.parseInt(version, 10) >= oldestPostgres)) {
        throw new Error(`version ${version}, and ${oldestPostgres} is the oldest that works`);
      }
      return `version ${version} at ${withoutCredentials(url)}`;
    } finally {
      await client.end();
    }
  });
}

/** NATS answers, has JetStream, and the stream of events is there. */
export function checkNats(
  url: string,
  environment: Readonly<Record<string, string | undefined>>,
  advice: string,
): Promise<Finding> {
  return check({ name: 'nats', needed: true, advice }, async () => {
    const connection = await connectTap(url, environment);
    try {
      const manager = await jetstreamManager(connection, { timeout: connectMs, checkAPI: false });
      const { state } = await manager.streams.info(eventStream);
      const version = connection.info?.version ?? 'unknown';
      return `version ${version} at ${withoutCredentials(url)}, stream ${eventStream} with ${state.messages} events`;
    } finally {
      await connection.close();
    }
  });
}

/** Redis answers. */
export function checkRedis(url: string, advice: string): Promise<Finding> {
  return check({ name: 'redis', needed: true, advice }, async () => {
    const redis = new Redis(url, {
      lazyConnect: true,
      connectTimeout: connectMs,
      retryStrategy: () => null,
      maxRetriesPerRequest: 0,
    });
    let broken: Error | null = null;
    redis.on('error', (error: Error) => {
      broken = error;
    });
    try {
      await redis.connect();
      const info = await redis.info('server');
      const version = /^redis_version:(\S+)/m.exec(info)?.[1] ?? 'unknown';
      return `version ${version} at ${withoutCredentials(url)}`;
    } catch (error) {
      throw broken ?? error;
    } finally {
      redis.disconnect();
    }
  });
}
