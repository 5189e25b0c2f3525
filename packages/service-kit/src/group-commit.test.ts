import { describe, expect, it } from 'vitest';
import { createGroupCommit, RolledBack } from './group-commit.ts';

const statement = (text: string) => ({ text });

/** Runs groups as they are told to end, and remembers them. */
function recorder(end: (texts: readonly string[]) => void = () => {}) {
  const groups: string[][] = [];
  return {
    groups,
    together: async (statements: readonly { text: string }[]) => {
      const texts = statements.map(({ text }) => text);
      groups.push(texts);
      await new Promise(setImmediate);
      end(texts);
      return texts.map((text) => [text]);
    },
  };
}

describe('statements that share a commit', () => {
  it('go together in order of their keys, and each gets its own rows', async () => {
    const { groups, together } = recorder();
    const commit = createGroupCommit(together, { lanes: 1, most: 10 });
    const rows = await Promise.all(['c', 'a', 'b'].map((key) => commit.run(statement(key), key)));
    expect(rows).toEqual([['c'], ['a'], ['b']]);
    expect(groups).toEqual([['a', 'b', 'c']]);
  });

  it('keep the order in which they came where they have the same key', async () => {
    const { groups, together } = recorder();
    const commit = createGroupCommit(together, { lanes: 1, most: 10 });
    await Promise.all(['first', 'second', 'third'].map((text) => commit.run(statement(text), 'same')));
    expect(groups).toEqual([['first', 'second', 'third']]);
  });

  it('wait for a lane and come in groups of limited size', async () => {
    const { groups, together } = recorder();
    const commit = createGroupCommit(together, { lanes: 1, most: 2 });
    await Promise.all(['a', 'b', 'c', 'd', 'e'].map((text) => commit.run(statement(text), text)));
    expect(groups).toEqual([['a', 'b'], ['c', 'd'], ['e']]);
  });

  it('are tried one by one after a rollback, and only the one to blame fails', async () => {
    const { groups, together } = recorder((texts) => {
      if (texts.includes('bad')) throw new RolledBack('rolled back', { cause: new Error('bad statement') });
    });
    const commit = createGroupCommit(together, { lanes: 1, most: 10 });
    const [good, bad] = await Promise.allSettled([
      commit.run(statement('good'), 'a'),
      commit.run(statement('bad'), 'b'),
    ]);
    expect(good).toEqual({ status: 'fulfilled', value: ['good'] });
    expect(bad).toMatchObject({ status: 'rejected', reason: { message: 'bad statement' } });
    expect(groups).toEqual([['good', 'bad'], ['good'], ['bad']]);
  });

  it('fail together where nobody knows how the transaction ended', async () => {
    const { groups, together } = recorder(() => {
      throw new Error('connection lost');
    });
    const commit = createGroupCommit(together, { lanes: 1, most: 10 });
    const ends = await Promise.allSettled(['a', 'b'].map((text) => commit.run(statement(text), text)));
    expect(ends.map(({ status }) => status)).toEqual(['rejected', 'rejected']);
    expect(groups).toHaveLength(1);
  });
});
