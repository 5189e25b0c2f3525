import type { ServiceName } from '@swissbrain/shared-schema/ids';
import closeWithGrace from 'close-with-grace';
import type { z } from 'zod';
import { type BaseConfig, ConfigError, parseConfig } from './config.ts';
import type { RunningService } from './lifecycle.ts';
import { createLogger } from './logger.ts';

/** Given to the stack beyond its own deadline before the process is ended by force. */
const forcedExitMs = 2_000;

/**
 * The process around a service: reads its environment, starts it, and stops it on SIGTERM, SIGINT or a failure
 * nobody caught, which makes the exit status 1. With `--check-config` it says what is wrong with the environment and ends.
 */
export async function runProcess<C extends BaseConfig>(options: {
  readonly service: ServiceName;
  readonly configSchema: z.ZodType<C>;
  readonly start: (config: C) => Promise<RunningService>;
}): Promise<void> {
  const config = readConfig(options.configSchema);
  if (!config) return;
  if (process.argv.includes('--check-config')) {
    process.stdout.write(`${options.service}: the configuration is valid\n`);
    return;
  }
  const log = createLogger({ service: options.service, level: config.LOG_LEVEL });
  const starting = options.start(config);
  const grace = closeWithGrace(
    { delay: config.SHUTDOWN_DEADLINE_MS + forcedExitMs, logger: false },
    async ({ err, signal }) => {
      if (err) log.fatal({ err }, 'nobody caught this failure, stopping');
      else log.info({ signal }, 'stopping');
      // A start that failed has released what it had and is reported below.
      const running = await starting.catch(() => undefined);
      await running?.stop();
      log.info('stopped');
    },
  );
  try {
    await starting;
  } catch (thrown) {
    grace.uninstall();
    log.fatal({ err: thrown }, 'could not start');
    process.exit(1);
  }
}

function readConfig<C extends BaseConfig>(schema: z.ZodType<C>): C | undefined {
  try {
    return parseConfig(schema, process.env);
  } catch (thrown) {
    if (!(thrown instanceof ConfigError)) throw thrown;
    process.stderr.write(`${thrown.message}\n`);
    process.exitCode = 1;
    return undefined;
  }
}
