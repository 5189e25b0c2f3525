import { startConsumers } from '@swissbrain/service-kit/consumer';
import { serveDeadLetters } from '@swissbrain/service-kit/dead-letter-routes';
import { forgetUser } from '@swissbrain/service-kit/forget-user';
import type { RunningService } from '@swissbrain/service-kit/lifecycle';
import { openPlatform, serve } from '@swissbrain/service-kit/platform';
import type { Config } from './config.ts';
import { serveConnectors } from './routes/connectors.ts';

/**
 * Starts connectors: everything it needs is opened here and released in reverse, on stop and on a failed start.
 * @throws whatever kept a part from starting, after the others have been released
 */
export async function startService(config: Config): Promise<RunningService> {
  const platform = await openPlatform('connectors', config);
  try {
    serveConnectors(platform);
    const consumers = [forgetUser(['connector_credentials'])];
    serveDeadLetters(platform, consumers);
    await startConsumers(platform, consumers);
    return await serve(platform);
  } catch (thrown) {
    await platform.release.release(config.SHUTDOWN_DEADLINE_MS);
    throw thrown;
  }
}
