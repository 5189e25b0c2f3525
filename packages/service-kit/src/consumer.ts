import { durableName } from '@swissbrain/shared-schema/events/consumers';
import { createBatchProcessor } from './consumer-batch.ts';
import type { ConsumerDefinition } from './consumer-definition.ts';
import { runConsumerLoop } from './consumer-loop.ts';
import { ConsumerDrift, ensureConsumer } from './consumer-settings.ts';
import { describeError } from './errors.ts';
import type { Platform } from './platform.ts';

export type { ConsumerDefinition } from './consumer-definition.ts';

const durablePattern = /^[a-z0-9_-]{1,100}$/;

/**
 * Starts a durable consumer per definition and pushes their stop onto the release stack. An event's effect and
 * its row in the inbox commit together, and only then is it acknowledged: it takes effect exactly once.
 * @throws Error when two definitions share a name, or a name would not make a subject
 * @throws ConsumerDrift when the server has a durable with settings that the code does not want
 */
export async function startConsumers(
  platform: Platform,
  definitions: readonly ConsumerDefinition[],
): Promise<void> {
  const names = new Set<string>();
  for (const definition of definitions) {
    if (!durablePattern.test(definition.durable))
      throw new Error(`${definition.durable} cannot name a consumer`);
    const name = durableName(platform.service, definition.durable);
    if (names.has(name)) throw new Error(`two consumers are named ${name}`);
    names.add(name);
    // Other failures are waited for in the loop; this one only people can mend.
    await ensureConsumer(platform, definition, name).catch((thrown: unknown) => {
      if (thrown instanceof ConsumerDrift) throw thrown;
      const reason = describeError(thrown);
      platform.log.warn({ consumer: name, reason }, 'consumer could not be set up yet');
    });
    const process = createBatchProcessor(platform, definition, name);
    const loop = runConsumerLoop(platform, definition, name, process);
    platform.release.add(`consumer ${name}`, () => loop.stop());
  }
}
