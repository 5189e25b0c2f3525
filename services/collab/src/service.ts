import { startConsumers } from '@swissbrain/service-kit/consumer';
import { serveDeadLetters } from '@swissbrain/service-kit/dead-letter-routes';
import { forgetUser } from '@swissbrain/service-kit/forget-user';
import type { RunningService } from '@swissbrain/service-kit/lifecycle';
import { openPlatform, serve } from '@swissbrain/service-kit/platform';
import type { Config } from './config.ts';
import { serveSessions } from './routes/sessions.ts';

/**
 * Starts collab: everything it needs is opened here and released in reverse, on stop and on a failed start.
 * @throws whatever kept a part from starting, after the others have been released
 */
export async function startService(config: Config): Promise<RunningService> {
  const platform = await openPlatform('collab', config);
  try {
    serveSessions(platform);
    const consumers = [forgetUser(['collaboration_participants', 'collaboration_sessions'])];
    serveDeadLetters(platform, consumers);
    await startConsumers(platform, consumers);
    return await serve(platform);
  } catch (thrown) {
    await platform.release.release(config.SHUTDOWN_DEADLINE_MS);
    throw thrown;
  }
}
