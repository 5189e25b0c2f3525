// A replica of credits, of the release that RELEASE says: appends on request and consumes until its input ends.
import process from 'node:process';
import { createInterface } from 'node:readline';
import { baseConfigSchema, parseConfig } from '@swissbrain/service-kit/config';
import { startConsumers } from '@swissbrain/service-kit/consumer';
import { appendEvents } from '@swissbrain/service-kit/outbox';
import { openPlatform } from '@swissbrain/service-kit/platform';
import { z } from 'zod';
import { range, takeEffect } from './backbone.ts';
import { marked, ticked } from './stack.ts';

const { RELEASE } = z.object({ RELEASE: z.enum(['old', 'new']) }).parse(process.env);
const request = z.object({ aggregates: z.array(z.uuid()), from: z.number(), count: z.number() });
const config = parseConfig(baseConfigSchema, process.env);
const platform = await openPlatform('credits', config, {
  // Both know the new version: it was defined one release before anything appends it.
  findDefinition: (_type, version) => (version === 2 ? marked : ticked),
});
const settings = { concurrency: 20, batch: 5, ackWaitMs: 2_000, backoffMs: [10], maxAttempts: 100 };
const old = { ...settings, event: ticked };
const moved = {
  ...{ ...settings, event: marked },
  earlier: [
    { event: ticked, toCurrent: (data: unknown) => ({ mark: String(ticked.data.parse(data).number) }) },
  ],
};
await startConsumers(platform, [
  {
    ...(RELEASE === 'old' ? old : moved),
    durable: 'moving',
    handle: (tx, events) => takeEffect(tx, 'moving', events),
  },
  { ...old, durable: 'staying', handle: (tx, events) => takeEffect(tx, 'staying', events) },
]);
process.stdout.write('ready\n');
for await (const line of createInterface({ input: process.stdin })) {
  const { aggregates, from, count } = request.parse(JSON.parse(line));
  const events = aggregates.flatMap((aggregateId) =>
    range(from, from + count - 1).map((number) => ({
      ...{ aggregateId, aggregateSeq: BigInt(number), userId: aggregateId, rootId: aggregateId },
      ...(RELEASE === 'old'
        ? { definition: ticked, data: { number } }
        : { definition: marked, data: { mark: String(number) } }),
    })),
  );
  await platform.database.withService((tx) => appendEvents(tx, events));
  process.stdout.write('appended\n');
}
await platform.release.release(8_000);
