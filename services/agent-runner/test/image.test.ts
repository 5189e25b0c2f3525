import { tinyPng } from '@swissbrain/testkit/model-images';
import { type ModelServer, startModelServer } from '@swissbrain/testkit/model-server';
import { afterAll, beforeAll, expect, it } from 'vitest';
import { newUser, playbookOf, type Runner, startRunner, step, type User } from './support/runner.ts';

let model: ModelServer;
let runner: Runner;
let user: User;
beforeAll(async () => {
  model = await startModelServer();
  runner = await startRunner({
    overrides: {
      MODEL_BASE_URL: model.url,
      MODEL_NAME: 'scripted',
      IMAGE_MODEL: 'flux',
      IMAGE_BASE_URL: model.url,
    },
  });
  user = await newUser(runner.url);
});
afterAll(async () => {
  await runner?.stop();
  await model?.stop();
});

it('a goal run makes a picture, which is an artifact and lies in the workspace', async () => {
  model.conversations = [
    {
      match: 'Draw a dot',
      turns: [
        { calls: [{ name: 'image', input: { prompt: 'a grey dot', path: 'artifacts/dot.png' } }] },
        { calls: [{ name: 'file', input: { action: 'list' } }] },
        { text: 'Drawn.' },
      ],
    },
  ];
  const run = await user.create({ goal: 'Draw a dot', mode: 'design' });
  expect(await user.ended(run.id)).toMatchObject({
    status: 'completed',
    output: { text: 'Drawn.', artifacts: [{ name: 'artifacts/dot.png' }] },
  });
  const [artifact] = await user.artifacts(run.id);
  expect(artifact).toMatchObject({ name: 'artifacts/dot.png', media_type: 'image/png' });
  const { url } = (await (await user.request('GET', `/v1/artifacts/${artifact?.id}`)).json()) as {
    url: string;
  };
  const content = Buffer.from(await (await fetch(new URL(url, runner.url))).arrayBuffer());
  expect(content.toString('base64')).toBe(tinyPng);
  const listed = model.requests.at(-1)?.messages.findLast(({ role }) => role === 'tool')?.content;
  expect(listed).toContain('artifacts/dot.png');
  const drawn = (await user.steps(run.id)).find(({ tool }) => tool === 'image');
  expect(drawn?.usage).toEqual([{ operation: 'image.generation', quantity: '1' }]);
});

it('a playbook makes one and goes on with the file', async () => {
  const run = await user.create(
    playbookOf([
      { id: 'dot', tool: 'image', with: { prompt: 'a grey dot', path: 'dot.png' }, artifacts: ['dot.png'] },
      step('look', `import { statSync } from 'node:fs'; console.log(statSync('dot.png').size);`, {
        needs: ['dot'],
      }),
    ]),
  );
  expect(await user.ended(run.id)).toMatchObject({ status: 'completed' });
  const [, look] = await user.steps(run.id);
  expect(look?.output).toMatchObject({ stdout: `${Buffer.from(tinyPng, 'base64').length}\n` });
});
