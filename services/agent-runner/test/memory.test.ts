import { randomUUID } from 'node:crypto';
import { type MemoryView, memoryPage, memoryView } from '@swissbrain/shared-schema/http/memory';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { newUser, playbookOf, type Runner, startRunner, type User } from './support/runner.ts';

let runner: Runner;
let user: User;
let other: User;
beforeAll(async () => {
  runner = await startRunner();
  [user, other] = await Promise.all([newUser(runner.url), newUser(runner.url)]);
});
afterAll(() => runner?.stop());

const save = (who: User, body: unknown, key: string = randomUUID()) =>
  who.request('POST', '/v1/memory', body, { 'idempotency-key': key });
async function list(who: User, query: Record<string, string> = {}) {
  const answer = await who.request('GET', `/v1/memory?${new URLSearchParams(query)}`);
  expect(answer.status).toBe(200);
  return memoryPage.parse(await answer.json());
}
async function saved(who: User, body: unknown): Promise<MemoryView> {
  const answer = await save(who, body);
  expect(answer.status).toBe(201);
  return memoryView.parse(await answer.json());
}

describe('memory', () => {
  it('goes from one run to the next, for the same user only', async () => {
    const remember = { action: 'save', key: 'favourite lake', content: 'They swim in the Greifensee' };
    const first = await user.create(playbookOf([{ id: 'a', tool: 'memory', with: remember }]));
    expect((await user.ended(first.id)).status).toBe('completed');
    const recall = playbookOf([{ id: 'a', tool: 'memory', with: { action: 'search', query: 'lake -zug' } }]);
    const second = await user.create(recall);
    await user.ended(second.id);
    expect((await user.steps(second.id))[0]?.output).toMatchObject({
      memories: [{ namespace: 'default', key: 'favourite lake', content: remember.content }],
    });
    const foreign = await other.create(recall);
    await other.ended(foreign.id);
    expect((await other.steps(foreign.id))[0]?.output).toEqual({ memories: [] });
    expect((await list(user, { query: 'greifensee' })).items).toMatchObject([
      { key: 'favourite lake', run_id: first.id },
    ]);
    expect((await list(other, { query: 'greifensee' })).items).toEqual([]);
  });

  it('keeps one content per key, is listed last changed first, page by page, and searched within a namespace', async () => {
    const me = await newUser(runner.url);
    for (const key of ['a', 'b', 'c'])
      await saved(me, { key, content: `about ${key}`, namespace: 'letters' });
    const again = await saved(me, {
      key: 'a',
      content: 'changed words',
      namespace: 'letters',
      metadata: { n: 1 },
    });
    await saved(me, { key: 'a', content: 'words elsewhere' });
    const page = await list(me, { namespace: 'letters', limit: '2' });
    expect(page.items.map(({ key, content }) => [key, content])).toEqual([
      ['a', 'changed words'],
      ['c', 'about c'],
    ]);
    expect(page.items[0]).toEqual(again);
    const rest = await list(me, { namespace: 'letters', limit: '2', cursor: page.next_cursor ?? '' });
    expect([rest.items.map(({ key }) => key), rest.next_cursor]).toEqual([['b'], null]);
    expect((await list(me, { query: 'words', namespace: 'letters' })).items).toMatchObject([
      { id: again.id },
    ]);
    expect((await list(me, { query: 'words' })).items).toHaveLength(2);
    expect((await list(me, { query: '"words changed"' })).items).toEqual([]);
  });

  it('is forgotten on request, by its user alone', async () => {
    const { id } = await saved(user, { key: 'secret', content: 'x' });
    expect((await other.request('DELETE', `/v1/memory/${id}`)).status).toBe(404);
    expect((await user.request('DELETE', `/v1/memory/${id}`)).status).toBe(204);
    expect((await user.request('DELETE', `/v1/memory/${id}`)).status).toBe(404);
  });

  it('is saved once for one Idempotency-Key', async () => {
    const key = randomUUID();
    const body = { key: 'once', content: 'x' };
    const [one, two] = [await save(user, body, key), await save(user, body, key)];
    expect(two.headers.get('idempotency-replayed')).toBe('true');
    expect(await two.json()).toEqual(await one.json());
    expect((await save(user, { ...body, content: 'y' }, key)).status).toBe(409);
  });

  it.each([
    [{}],
    [{ key: 'k' }],
    [{ key: '', content: 'c' }],
    [{ key: 'k'.repeat(501), content: 'c' }],
    [{ key: 'k', content: 'c'.repeat(16_001) }],
    [{ key: 'k', content: 'c', user_id: randomUUID() }],
    [{ key: 'k', content: 'c', metadata: [] }],
    [{ key: 'k', content: 'c', metadata: { much: 'x'.repeat(16_001) } }],
    [{ key: 'k', content: 'c', namespace: '' }],
  ])('refuses the body %j', async (body) => {
    expect((await save(user, body)).status).toBe(400);
  });

  it('refuses questions that are none, and strangers', async () => {
    for (const query of ['limit=0', 'limit=101', 'cursor=x', 'query=', `query=${'q'.repeat(1_001)}`]) {
      expect((await user.request('GET', `/v1/memory?${query}`)).status, query).toBe(400);
    }
    expect((await user.request('DELETE', '/v1/memory/x')).status).toBe(400);
    expect((await fetch(new URL('/v1/memory', runner.url))).status).toBe(401);
    // Operators of the search language alone find nothing and break nothing.
    for (const query of ['"', '-', '& | !', "'; drop table agent_memory"]) {
      expect((await list(user, { query })).items).toEqual([]);
    }
  });
});

describe('a patch', () => {
  const write = (content: string) => ({
    id: 'write',
    tool: 'file',
    with: { action: 'write', path: 'a.txt', content },
  });
  const patch = (more: Record<string, unknown>) => ({
    id: 'patch',
    tool: 'file',
    needs: ['write'],
    with: { action: 'patch', path: 'a.txt', old_text: 'two', new_text: '$& and $1', ...more },
  });
  const read = { id: 'read', tool: 'file', needs: ['patch'], with: { action: 'read', path: 'a.txt' } };

  it('replaces what it names, as it is written, once or everywhere', async () => {
    for (const [content, all, expected] of [
      ['one two three', false, 'one $& and $1 three'],
      ['two, two', true, '$& and $1, $& and $1'],
    ] as const) {
      const run = await user.create(playbookOf([write(content), patch({ all }), read]));
      expect((await user.ended(run.id)).status).toBe('completed');
      expect((await user.steps(run.id))[2]?.output).toMatchObject({ content: expected });
    }
  });

  it('goes with reading by lines, and with the list of a folder', async () => {
    const lines = Array.from({ length: 9 }, (_, place) => `line ${place + 1}\n`).join('');
    const run = await user.create(
      playbookOf([
        { ...write(lines), with: { action: 'write', path: 'notes/a.txt', content: lines } },
        { ...read, needs: ['write'], with: { action: 'read', path: 'notes/a.txt', from_line: 3, lines: 2 } },
        { id: 'list', tool: 'file', needs: ['write'], with: { action: 'list', under: 'notes/' } },
        { id: 'none', tool: 'file', needs: ['write'], with: { action: 'list', under: 'note' } },
      ]),
    );
    expect((await user.ended(run.id)).status).toBe('completed');
    const [, some, list, none] = await user.steps(run.id);
    expect(some?.output).toEqual({
      ...{ path: 'notes/a.txt', content: 'line 3\nline 4\n' },
      ...{ from_line: 3, lines: 2, next_line: 5 },
    });
    expect(list?.output).toEqual({ files: [{ path: 'notes/a.txt', type: 'file', size: lines.length }] });
    expect(none?.output).toEqual({ files: [] });
  });

  it('fails where the text is not there, is there twice, or there is no file', async () => {
    for (const [content, more, code] of [
      ['one', {}, 'text_not_found'],
      ['two two', {}, 'text_not_unique'],
      ['two', { path: 'b.txt' }, 'file_missing'],
    ] as const) {
      const run = await user.create(playbookOf([write(content), patch(more)]));
      expect((await user.ended(run.id)).error?.code ?? (await user.steps(run.id))[1]?.error?.code).toBe(code);
    }
  });
});
