// A process that runs the relay of credits and dies by kill -9 between publishing rows and marking them.
import process from 'node:process';
import { systemClock } from '@swissbrain/service-kit/clock';
import { baseConfigSchema, parseConfig } from '@swissbrain/service-kit/config';
import { createDatabase } from '@swissbrain/service-kit/database';
import { createMetrics } from '@swissbrain/service-kit/metrics';
import { connectNats } from '@swissbrain/service-kit/nats';
import { startOutboxRelay } from '@swissbrain/service-kit/outbox-relay';
import { ensureStreams } from '@swissbrain/service-kit/streams';
import { quietLog as log } from './stack.ts';

const service = 'credits';
const config = parseConfig(baseConfigSchema, process.env);
const database = createDatabase({ service, config, log });
const nats = await connectNats(service, config, log);
await ensureStreams(nats.connection, config);
const onPublished = async (rows: number) => {
  if (rows > 0) process.kill(process.pid, 'SIGKILL');
};
startOutboxRelay({
  service,
  config,
  log,
  clock: systemClock,
  metrics: createMetrics(service),
  database,
  nats,
  onPublished,
});
