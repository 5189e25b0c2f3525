// Creates the streams, or brings them to these settings: run by an administrator before services that may not.
// Reads NATS_URL, NATS_USER, NATS_PASSWORD and NATS_STREAM_* as a service does.
import process from 'node:process';
import { baseConfigSchema } from './config.ts';
import { createLogger } from './logger.ts';
import { connectNats } from './nats.ts';
import { ensureStreams } from './streams.ts';

const config = baseConfigSchema
  .pick({
    LOG_LEVEL: true,
    NATS_URL: true,
    NATS_USER: true,
    NATS_PASSWORD: true,
    NATS_STREAM_MAX_AGE_HOURS: true,
    NATS_STREAM_MAX_BYTES: true,
    NATS_STREAM_REPLICAS: true,
  })
  .parse(Object.fromEntries(Object.entries(process.env).filter(([, value]) => value)));
const log = createLogger({ service: 'set-up-streams', level: config.LOG_LEVEL });
const { connection } = await connectNats('admin', config, log);
try {
  await ensureStreams(connection, config);
} finally {
  await connection.close();
}
