import { setImmediate as turn } from 'node:timers/promises';
import fc from 'fast-check';
import { expect, it } from 'vitest';
import { createChains } from './outbox-chains.ts';
import type { OutboxRow } from './outbox-store.ts';

const rowOf = (aggregate: number, seq: number): OutboxRow => ({
  ...{ id: `${aggregate}:${seq}`, created_at: '', shard: 0, aggregate_type: 'ticker' },
  ...{ aggregate_id: String(aggregate), aggregate_seq: BigInt(seq), type: 'credits.ticked', version: 1 },
  ...{ user_id: '', root_id: '', run_seq: null, data: '{}', traceparent: null },
});

it('has one publish of an aggregate under way, in order, none behind a failure, and others beside it', async () => {
  const plan = fc.record({
    aggregates: fc.integer({ min: 1, max: 5 }),
    each: fc.integer({ min: 1, max: 6 }),
    pages: fc.integer({ min: 1, max: 6 }),
    /** How many turns of the event loop each publish takes. */
    turns: fc.array(fc.nat(3), { minLength: 1, maxLength: 10 }),
    fails: fc.option(fc.record({ aggregate: fc.nat(4), seq: fc.integer({ min: 1, max: 6 }) })),
  });
  await fc.assert(
    fc.asyncProperty(plan, async ({ aggregates, each, pages, turns, fails }) => {
      const underWay = new Set<string>();
      const begun = new Map<string, bigint[]>();
      let most = 0;
      let count = 0;
      const published: string[] = [];
      const failures: Error[] = [];
      const chains = createChains({
        async publish(row) {
          expect(underWay.has(row.aggregate_id)).toBe(false);
          underWay.add(row.aggregate_id);
          most = Math.max(most, underWay.size);
          begun.set(row.aggregate_id, [...(begun.get(row.aggregate_id) ?? []), row.aggregate_seq]);
          const takes = turns[count % turns.length] ?? 0;
          count += 1;
          for (let left = takes; left >= 0; left -= 1) await turn();
          underWay.delete(row.aggregate_id);
          if (row.id === `${fails?.aggregate}:${fails?.seq}`) throw new Error('refused');
          return { row, streamSeq: count };
        },
        mayPublish: () => true,
        onPublished: ({ row }) => void published.push(row.id),
        onFailure: (error) => void failures.push(error),
        onEnd: () => {},
      });
      const seqs = Array.from({ length: each }, (_, index) => index + 1);
      for (let page = 0; page < pages; page += 1) {
        const from = Math.floor((page * each) / pages);
        const upTo = Math.floor(((page + 1) * each) / pages);
        for (let aggregate = 0; aggregate < aggregates; aggregate += 1)
          chains.add(seqs.slice(from, upTo).map((seq) => rowOf(aggregate, seq)));
        await turn();
      }
      while (chains.size > 0) await turn();
      for (let aggregate = 0; aggregate < aggregates; aggregate += 1) {
        const end = fails?.aggregate === aggregate && fails.seq <= each ? fails.seq : each;
        expect(begun.get(String(aggregate))).toEqual(seqs.slice(0, end).map(BigInt));
      }
      const broken = fails !== null && fails.aggregate < aggregates && fails.seq <= each;
      expect(failures).toHaveLength(broken ? 1 : 0);
      expect(published).toHaveLength(aggregates * each - (broken ? each - fails.seq + 1 : 0));
      if (pages === 1) expect(most).toBe(aggregates);
    }),
  );
});
