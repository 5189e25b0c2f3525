import { expect, test, vi } from 'vitest';
import { keepAlive, type Mortal } from './keep-alive.ts';

const quick = { first: 1, longest: 4 };

/** Things that run until they are told to end; `started` has them in order. */
function nursery(failures: (start: number) => boolean = () => false) {
  const started: (Mortal & { end(): void })[] = [];
  let starts = 0;
  return {
    started,
    count: () => starts,
    start: async (): Promise<Mortal> => {
      starts += 1;
      if (failures(starts)) throw new Error(`start ${starts} failed`);
      const { promise, resolve } = Promise.withResolvers<void>();
      const one = { pid: starts, exited: promise, end: resolve, stop: async () => resolve() };
      started.push(one);
      return one;
    },
  };
}

test('what ends is started again', async () => {
  const { started, start } = nursery();
  const kept = await keepAlive({ name: 'it', start, log: () => undefined, backoffMs: quick });
  started[0]?.end();
  await vi.waitFor(() => expect(kept.current().pid).toBe(2));
  started[1]?.end();
  await vi.waitFor(() => expect(kept.current().pid).toBe(3));
  await kept.stop();
});

test('a start that fails is tried again, and told', async () => {
  const lines: string[] = [];
  const { started, start } = nursery((number) => number === 2 || number === 3);
  const kept = await keepAlive({ name: 'it', start, log: (line) => lines.push(line), backoffMs: quick });
  started[0]?.end();
  await vi.waitFor(() => expect(kept.current().pid).toBe(4));
  expect(lines).toEqual(['it has ended, starting it again', 'it: start 2 failed', 'it: start 3 failed']);
  await kept.stop();
});

test('the failure of the first start is the caller’s', async () => {
  const { start } = nursery(() => true);
  await expect(keepAlive({ name: 'it', start, log: () => undefined })).rejects.toThrow('start 1 failed');
});

test('nothing is started after the stop, not even by a pause that was under way', async () => {
  const { started, start, count } = nursery();
  const kept = await keepAlive({
    name: 'it',
    start,
    log: () => undefined,
    backoffMs: { first: 3_600_000, longest: 3_600_000 },
  });
  started[0]?.end();
  await kept.stop();
  expect(count()).toBe(1);
});

test('a start that is under way when the stop comes in is stopped too', async () => {
  const { started, start } = nursery();
  const gate = Promise.withResolvers<void>();
  const entered = Promise.withResolvers<void>();
  let gated = false;
  const kept = await keepAlive({
    name: 'it',
    start: async () => {
      if (gated) {
        entered.resolve();
        await gate.promise;
      }
      return start();
    },
    log: () => undefined,
    backoffMs: quick,
  });
  gated = true;
  started[0]?.end();
  await entered.promise;
  const stopping = kept.stop();
  gate.resolve();
  await stopping;
  expect(started).toHaveLength(2);
  await Promise.all(started.map(({ exited }) => exited));
});
