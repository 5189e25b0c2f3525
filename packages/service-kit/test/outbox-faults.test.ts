import { waitFor } from '@swissbrain/testkit/wait';
import { sql } from 'kysely';
import { afterAll, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import { append, type Backbone, newAggregates, openBackbone, range, startTwoConsumers } from './backbone.ts';

let backbone: Backbone;
beforeAll(async () => {
  backbone = await openBackbone();
});
afterAll(() => backbone?.stop());
beforeEach(() => backbone.reset());

const unpublished = () =>
  backbone.stack.database.query<{ aggregate_id: string }>(
    'SELECT DISTINCT aggregate_id FROM event_outbox WHERE published_at IS NULL',
  );

describe('events flow and none is lost', () => {
  it('while transactions stay open across the batch', async () => {
    const platform = await backbone.open();
    const names = await startTwoConsumers(platform);
    const [slow = '', ...others] = newAggregates(11);
    const [written, finish, idle] = range(1, 3).map(() => Promise.withResolvers<void>());
    // One has written the oldest events and takes its time, one only holds back every snapshot.
    const writer = platform.database.withService(async (tx) => {
      await sql`INSERT INTO event_outbox (source, aggregate_type, aggregate_id, aggregate_seq, type, version,
                                          user_id, root_id, data)
                SELECT 'credits', 'ticker', ${slow}::uuid, n, 'credits.ticked', 1, ${slow}::uuid, ${slow}::uuid,
                       jsonb_build_object('number', n)
                FROM generate_series(1, 30) AS n`.execute(tx);
      written?.resolve();
      await finish?.promise;
    });
    const bystander = platform.database.withService(async (tx) => {
      await sql`SELECT pg_current_xact_id()`.execute(tx);
      await idle?.promise;
    });
    await written?.promise;
    for (const round of range(0, 9)) await append(platform, others, round * 5 + 1, 5);
    await backbone.everyEventTookEffectOnce(...names);
    await waitFor(async () => (await unpublished()).length === 0);
    finish?.resolve();
    await writer;
    // Older than everything the relay has passed since.
    await backbone.everyEventTookEffectOnce(...names);
    await backbone.everyEventIsStreamedInOrder(platform);
    expect((await backbone.streamed(platform)).slice(-30).map(({ aggregate }) => aggregate)).toEqual(
      range(1, 30).map(() => slow),
    );
    idle?.resolve();
    await bystander;
  });

  it('while the connections that listen are lost', async () => {
    const holder = await backbone.open();
    await waitFor(async () =>
      / 16$/m.test(await holder.metrics.getSingleMetricAsString('outbox_shards_held')),
    );
    const writer = await backbone.open();
    const names = await startTwoConsumers(writer);
    const listeners = () =>
      backbone.stack.database.query<{ pid: number }>(
        `SELECT pid FROM pg_stat_activity
         WHERE datname = current_database() AND application_name = 'swissbrain-credits-listen' AND query LIKE 'LISTEN%'`,
      );
    const both = () => waitFor(async () => ((await listeners()).length === 2 ? listeners() : undefined));
    const before = await both();
    const aggregates = newAggregates(10);
    await append(writer, aggregates, 1, 5);
    await backbone.stack.database.query('SELECT pg_terminate_backend(pid) FROM unnest($1::int[]) AS pid', [
      before.map(({ pid }) => pid),
    ]);
    // Nobody can be told now.
    await append(writer, aggregates, 6, 5);
    await backbone.everyEventTookEffectOnce(...names);
    await waitFor(async () => (await listeners()).length === 2, { describe: 'both to listen again' });
    const after = await listeners();
    expect(after.some(({ pid }) => before.some((old) => old.pid === pid))).toBe(false);
    await append(writer, aggregates, 11, 5);
    await backbone.everyEventTookEffectOnce(...names);
    await backbone.everyEventIsStreamedInOrder(writer);
  });
});
