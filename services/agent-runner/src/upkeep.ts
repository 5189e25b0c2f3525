// One whole pass of upkeep, for a CronJob: partitions ahead and past their time, runs and uploads past their days, objects
// that nothing refers to. Reads the environment of agent-runner. Ends with status 1 when a part failed, after the rest.
import process from 'node:process';
import { systemClock } from '@swissbrain/service-kit/clock';
import { parseConfig } from '@swissbrain/service-kit/config';
import { createDatabase } from '@swissbrain/service-kit/database';
import { createLogger } from '@swissbrain/service-kit/logger';
import { maintainOnce } from '@swissbrain/service-kit/maintenance';
import { upkeepConfigSchema } from './config.ts';
import { applyRetention } from './operations/apply-retention.ts';
import { openObjectStore } from './storage/open-store.ts';

const config = parseConfig(upkeepConfigSchema, process.env);
const log = createLogger({ service: 'agent-runner', level: config.LOG_LEVEL });
const stopping = new AbortController();
for (const signal of ['SIGTERM', 'SIGINT'] as const) process.once(signal, () => stopping.abort());

const database = createDatabase({ service: 'agent-runner', config, log });
const { objects, close } = openObjectStore(config, systemClock);
const { STORAGE_GRACE_DAYS: graceDays, UPLOADS_KEEP_DAYS: uploadDays } = config;
const retention = { database, objects, clock: systemClock, graceDays, uploadDays, signal: stopping.signal };
const parts = {
  partitions: () => maintainOnce(database),
  retention: async () => log.info(await applyRetention(retention), 'retention is applied'),
};
try {
  for (const [part, work] of Object.entries(parts)) {
    await work().catch((error: unknown) => {
      log.error({ err: error, part }, 'a part of the upkeep failed');
      process.exitCode = 1;
    });
  }
  if (stopping.signal.aborted) process.exitCode = 1;
  log.info({ complete: process.exitCode !== 1 }, 'the upkeep is over');
} finally {
  close();
  await database.close();
}
