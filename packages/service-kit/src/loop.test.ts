import { describe, expect, it } from 'vitest';
import { createLogger } from './logger.ts';
import { startLoop } from './loop.ts';

const log = createLogger({ service: 'test', level: 'silent' });
const longMs = 3_600_000;

/** Passes that are answered by hand, one after the other. */
function passes() {
  const begun: PromiseWithResolvers<unknown>[] = [];
  const waiting: (() => void)[] = [];
  return {
    begun,
    pass: () => {
      const answer = Promise.withResolvers<unknown>();
      begun.push(answer);
      waiting.splice(0).forEach((resolve) => {
        resolve();
      });
      return answer.promise;
    },
    /** Until so many have begun. */
    async until(count: number) {
      while (begun.length < count) {
        const { promise, resolve } = Promise.withResolvers<void>();
        waiting.push(resolve);
        await promise;
      }
      return begun[count - 1] as PromiseWithResolvers<unknown>;
    },
  };
}

describe('a loop', () => {
  it('goes on at once when its pass says so, and after one that failed', async () => {
    const { pass, until } = passes();
    const loop = startLoop('test', log, 0, pass);
    (await until(1)).resolve(0);
    (await until(2)).reject(new Error('failed'));
    (await until(3)).resolve(undefined);
    (await until(4)).resolve(longMs);
    await loop.stop();
  });

  it('makes one more pass for all that woke it during one, and never two at once', async () => {
    const { begun, pass, until } = passes();
    const loop = startLoop('test', log, longMs, pass);
    const first = await until(1);
    for (let times = 0; times < 3; times += 1) loop.wake();
    expect(begun).toHaveLength(1);
    first.resolve(undefined);
    (await until(2)).resolve(undefined);
    await loop.stop();
    expect(begun).toHaveLength(2);
  });

  it('waits for the pass under way when it is stopped, and begins none afterwards', async () => {
    const { begun, pass, until } = passes();
    const loop = startLoop('test', log, 0, pass);
    const last = await until(1);
    loop.wake();
    const stopped = loop.stop();
    last.resolve(0);
    await stopped;
    loop.wake();
    await new Promise(setImmediate);
    expect(begun).toHaveLength(1);
  });
});
