import { pino } from 'pino';
import { describe, expect, it } from 'vitest';
import { createReleaseStack } from './lifecycle.ts';

const log = pino({ level: 'silent' });

describe('release stack', () => {
  it('releases last in first out, each once, however often it is asked', async () => {
    const stack = createReleaseStack(log);
    const released: string[] = [];
    for (const name of ['a', 'b', 'c']) stack.add(name, () => void released.push(name));
    await Promise.all([stack.release(1_000), stack.release(1_000)]);
    await stack.release(1_000);
    expect(released).toEqual(['c', 'b', 'a']);
  });

  it('waits for one step before the next', async () => {
    const stack = createReleaseStack(log);
    const order: string[] = [];
    const gate = Promise.withResolvers<void>();
    stack.add('first acquired', () => void order.push('first'));
    stack.add('last acquired', async () => {
      await gate.promise;
      order.push('last');
    });
    const releasing = stack.release(60_000);
    expect(order).toEqual([]);
    gate.resolve();
    await releasing;
    expect(order).toEqual(['last', 'first']);
  });

  it('goes on after failures and reports them all', async () => {
    const stack = createReleaseStack(log);
    const released: string[] = [];
    stack.add('a', () => void released.push('a'));
    stack.add('throws', () => {
      throw new Error('one');
    });
    stack.add('rejects', () => Promise.reject(new Error('two')));
    stack.add('d', () => void released.push('d'));
    const failure = await stack.release(1_000).catch((thrown: unknown) => thrown);
    expect(failure).toBeInstanceOf(AggregateError);
    expect(failure).toMatchObject({ errors: [{ message: 'two' }, { message: 'one' }] });
    expect(released).toEqual(['d', 'a']);
  });

  it('abandons a step that hangs at the deadline and still runs the others', async () => {
    const stack = createReleaseStack(log);
    const released: string[] = [];
    stack.add('a', () => void released.push('a'));
    stack.add('hangs', () => new Promise<void>(() => {}));
    await expect(stack.release(20)).rejects.toMatchObject({
      errors: [{ message: expect.stringContaining('hangs was not released') }],
    });
    expect(released).toEqual(['a']);
  });

  it('releases at once what is acquired too late', async () => {
    const stack = createReleaseStack(log);
    await stack.release(1_000);
    const late = Promise.withResolvers<void>();
    stack.add('late', () => late.resolve());
    await late.promise;
  });
});
