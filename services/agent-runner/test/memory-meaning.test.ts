import { randomUUID } from 'node:crypto';
import { memoryPage } from '@swissbrain/shared-schema/http/memory';
import { type ModelServer, startModelServer } from '@swissbrain/testkit/model-server';
import { afterAll, beforeAll, beforeEach, expect, it } from 'vitest';
import { newUser, playbookOf, type Runner, startRunner, type User } from './support/runner.ts';

let model: ModelServer;
let runner: Runner;
beforeAll(async () => {
  model = await startModelServer();
  runner = await startRunner({
    overrides: { EMBEDDING_MODEL: 'nomic', EMBEDDING_BASE_URL: model.url, MODEL_RETRY_MS: '1' },
  });
});
afterAll(async () => {
  await runner?.stop();
  await model?.stop();
});
const synonyms = [['car', 'automobile', 'vehicle']];
beforeEach(() => {
  model.reset();
  model.script = [{ synonyms }];
});

const save = async (who: User, key: string, content: string) => {
  const headers = { 'idempotency-key': randomUUID() };
  const answer = await who.request('POST', '/v1/memory', { key, content }, headers);
  expect(answer.status).toBe(201);
};
const keysOf = async (who: User, query: string, more: Record<string, string> = {}) => {
  const answer = await who.request('GET', `/v1/memory?${new URLSearchParams({ query, ...more })}`);
  expect(answer.status).toBe(200);
  return memoryPage.parse(await answer.json()).items.map(({ key }) => key);
};

it('is found by meaning where the words differ, those that fit both ways first', async () => {
  const user = await newUser(runner.url);
  const other = await newUser(runner.url);
  await save(user, 'garage', 'red automobile');
  await save(user, 'car', 'vehicle');
  await save(user, 'pets', 'two cats and a dog at home');
  await save(other, 'car', 'of somebody else');
  expect(await keysOf(user, 'car')).toEqual(['car', 'garage']);
  expect(await keysOf(user, 'car', { limit: '1' })).toEqual(['car']);
  expect(await keysOf(user, 'vehicle', { namespace: 'elsewhere' })).toEqual([]);
  expect(await keysOf(user, 'mountains')).toEqual([]);
  // Phrases and exclusions are about words.
  expect(await keysOf(user, '"car"')).toEqual(['car']);
  expect(await keysOf(user, 'cats -dog')).toEqual([]);
  expect(model.requests.every(({ api }) => api === 'embeddings')).toBe(true);
});

it('is found by a run', async () => {
  const user = await newUser(runner.url);
  const run = await user.create(
    playbookOf([
      { id: 'a', tool: 'memory', with: { action: 'save', key: 'garage', content: 'red automobile' } },
      { id: 'b', tool: 'memory', needs: ['a'], with: { action: 'search', query: 'car' } },
    ]),
  );
  await user.ended(run.id);
  expect((await user.steps(run.id))[1]?.output).toMatchObject({ memories: [{ key: 'garage' }] });
});

it('is saved and found by words alone while the model is away, and by meaning again once it is saved anew', async () => {
  const user = await newUser(runner.url);
  await save(user, 'garage', 'red automobile');
  for (const wrong of [{ status: 500 }, { malformed: '{' }, { vectors: [[0, 0]] }, { vectors: [[]] }]) {
    model.script = [wrong];
    expect(await keysOf(user, 'automobile')).toEqual(['garage']);
    expect(await keysOf(user, 'car')).toEqual([]);
  }
  model.script = [{ status: 401 }];
  await save(user, 'garage', 'blue automobile');
  model.script = [{ synonyms }];
  // Without the meaning of what it held before.
  expect(await keysOf(user, 'car')).toEqual([]);
  await save(user, 'garage', 'blue automobile');
  expect(await keysOf(user, 'car')).toEqual(['garage']);
  // Of another model, or of other dimensions: not compared.
  model.script = [{ vectors: [[1, 0, 0]] }];
  expect(await keysOf(user, 'car')).toEqual([]);
});
