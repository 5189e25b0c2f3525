import type { RunEventView } from '@swissbrain/shared-schema/http/agent-runner';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { createFollower } from './follower.ts';

const event = (runSeq: number, type = 'step.completed'): RunEventView => ({
  id: '5b1f9b0e-7d5c-4a53-9b27-6a1f5f0c9d10',
  type,
  version: 1,
  run_seq: runSeq,
  time: '2026-01-01T00:00:00.000Z',
  data: {},
});

describe('createFollower', () => {
  it('sends every event once and in order, whatever is lost, doubled or late, however slow the client', async () => {
    const plan = fc.record({
      total: fc.integer({ min: 1, max: 30 }),
      // Which events are published as they happen, in which disorder, and when the client is slow.
      offers: fc.array(fc.nat(29), { maxLength: 60 }),
      slow: fc.array(fc.boolean(), { minLength: 30, maxLength: 30 }),
      pageSize: fc.integer({ min: 1, max: 7 }),
    });
    await fc.assert(
      fc.asyncProperty(plan, async ({ total, offers, slow, pageSize }) => {
        const rows: RunEventView[] = [];
        const sent: number[] = [];
        const { promise: ended, resolve: end } = Promise.withResolvers<void>();
        const follower = createFollower({
          after: 0,
          pageSize,
          readRows: async (after) => rows.filter((row) => row.run_seq > after).slice(0, pageSize),
          sink: {
            write(frame) {
              sent.push(Number(/^id: (\d+)/.exec(frame)?.[1]));
              return !slow[sent.length % slow.length];
            },
            drained: () => Promise.resolve(),
            end,
          },
          onFailure: (error) => {
            throw error;
          },
        });
        for (let n = 1; n <= total; n += 1) {
          rows.push(event(n, n === total ? 'run.completed' : 'step.completed'));
          for (const offer of offers.filter((_, place) => place % total === n - 1)) {
            const row = rows[offer % rows.length];
            if (row) follower.offer(row);
          }
          await Promise.resolve();
        }
        follower.catchUp();
        await ended;
        expect(sent).toEqual(rows.map((row) => row.run_seq));
        follower.offer(event(total + 1));
        expect(sent).toHaveLength(total);
      }),
    );
  });
});
