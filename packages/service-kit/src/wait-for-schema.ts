// Ends when the database has the migrations of this version, so that a service may start: `node wait-for-schema.ts
// credits`. Reads the environment of the service; without success within SCHEMA_WAIT_SECONDS it ends with status 1.
import process from 'node:process';
import { setTimeout as delay } from 'node:timers/promises';
import { newestMigration } from '@swissbrain/shared-schema/db/newest-migration';
import { serviceNames } from '@swissbrain/shared-schema/ids';
import { z } from 'zod';
import { systemClock } from './clock.ts';
import { baseConfigSchema, parseConfig } from './config.ts';
import { createDatabase, type Database } from './database.ts';
import { describeError } from './errors.ts';
import { createLogger } from './logger.ts';
import { isSchemaCurrent } from './schema-version.ts';

const askEveryMs = 1_000;

const service = z.enum(serviceNames).parse(process.argv[2]);
const config = parseConfig(
  baseConfigSchema.extend({ SCHEMA_WAIT_SECONDS: z.coerce.number().int().positive().default(600) }),
  process.env,
);
const log = createLogger({ service, level: config.LOG_LEVEL });

/** Null when the schema is there, else why not, in words. */
async function reasonToWait(database: Database): Promise<string | null> {
  try {
    return (await isSchemaCurrent(database)) ? null : `migration ${newestMigration} has not been applied yet`;
  } catch (thrown) {
    return describeError(thrown);
  }
}

const stop = new AbortController();
for (const signal of ['SIGTERM', 'SIGINT'] as const) process.once(signal, () => stop.abort());

const database = createDatabase({ service, config, log });
const deadline = systemClock.monotonicMs() + config.SCHEMA_WAIT_SECONDS * 1_000;
let said: string | null = null;
try {
  for (;;) {
    const reason = await reasonToWait(database);
    if (reason === null) {
      log.info({ migration: newestMigration }, 'the schema is there');
      break;
    }
    if (reason !== said) log.info({ reason }, 'waiting for the schema');
    said = reason;
    if (stop.signal.aborted || systemClock.monotonicMs() > deadline) {
      log.error({ reason }, 'the schema did not come');
      process.exitCode = 1;
      break;
    }
    await delay(askEveryMs, undefined, { signal: stop.signal }).catch(() => {});
  }
} finally {
  await database.close();
}
