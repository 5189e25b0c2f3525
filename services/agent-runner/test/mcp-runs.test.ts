import { randomUUID } from 'node:crypto';
import { existsSync, readFileSync } from 'node:fs';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { QuestionView } from '@swissbrain/shared-schema/http/agent-runner';
import { type ModelServer, startModelServer } from '@swissbrain/testkit/model-server';
import { waitFor } from '@swissbrain/testkit/wait';
import { afterAll, beforeAll, expect, it } from 'vitest';
import { newUser, playbookOf, type Runner, startRunner, type User } from './support/runner.ts';

let directory: string;
let model: ModelServer;
let runner: Runner;
let user: User;
const noted = () => {
  const path = join(directory, 'notes');
  return existsSync(path) ? readFileSync(path, 'utf8').trim().split('\n') : [];
};

beforeAll(async () => {
  directory = await mkdtemp(join(tmpdir(), 'swissbrain-mcp-runs-'));
  model = await startModelServer();
  runner = await startRunner({
    overrides: {
      MODEL_BASE_URL: model.url,
      MODEL_NAME: 'scripted',
      MCP_RETRY_MS: '20',
      MCP_SECRET_PROBE: 'a-secret-of-the-operator',
      MCP_CONFIG: JSON.stringify({
        servers: {
          probe: {
            command: process.execPath,
            args: [join(import.meta.dirname, 'support/mcp-stdio.ts')],
            env: { NOTES: join(directory, 'notes'), TOKEN: `\${MCP_SECRET_PROBE}` },
          },
          away: { url: 'http://127.0.0.1:9/mcp' },
        },
      }),
    },
  });
  user = await newUser(runner.url);
});
afterAll(async () => {
  await runner?.stop();
  await model?.stop();
  await rm(directory, { recursive: true, force: true });
});

const toolsHere = async () => {
  const { items } = (await (await user.request('GET', '/v1/tools')).json()) as {
    items: {
      name: string;
      available: boolean;
      reason: string | null;
      effect: string;
      charged_as: string[];
    }[];
  };
  return new Map(items.map((item) => [item.name, item]));
};

it('lists what MCP servers offer, and why one offers nothing', async () => {
  const tools = await toolsHere();
  expect(tools.get('mcp__probe__remove')).toMatchObject({
    available: true,
    effect: 'destructive',
    charged_as: ['connector.call'],
  });
  expect(tools.get('mcp__away')).toMatchObject({ available: false });
  expect(tools.get('mcp__away')?.reason).toContain('"away" cannot be reached');
  expect(JSON.stringify([...tools.values()])).not.toContain('a-secret');
});

it('gives them to the model: arguments are checked, what cannot be undone is approved by the user', async () => {
  const call = (name: string, input: unknown) => ({ calls: [{ name: `mcp__probe__${name}`, input }] });
  const lookUp = [...(await toolsHere()).keys()].find((name) => name.startsWith('mcp__probe__look_up'));
  model.script = [
    { calls: [{ name: lookUp ?? '', input: { word: 7 } }] },
    { calls: [{ name: lookUp ?? '', input: { word: 'lake' } }] },
    call('remove', { name: 'the lake' }),
    { text: 'Removed.' },
  ];
  const run = await user.create({ goal: 'Remove it', mode: 'automation' });
  const question = await waitFor(async () => {
    const { items } = (await (await user.request('GET', `/v1/runs/${run.id}/questions`)).json()) as {
      items: QuestionView[];
    };
    return items.find(({ status }) => status === 'open');
  });
  expect(question).toMatchObject({ kind: 'approval', tool: 'mcp__probe__remove' });
  expect(noted().filter((line) => line.startsWith('remove'))).toEqual([]);
  const path = `/v1/runs/${run.id}/questions/${question.id}/answer`;
  await user.request('POST', path, { answer: 'approve' }, { 'idempotency-key': randomUUID() });
  expect(await user.ended(run.id)).toMatchObject({ status: 'completed', output: { text: 'Removed.' } });
  expect(noted().filter((line) => line.startsWith('look'))).toHaveLength(1);
  expect(noted().filter((line) => line.startsWith('remove'))).toEqual(['remove the lake']);
  expect(model.requests[0]?.tools).toContain(lookUp);
  const offered = model.requests[0]?.body.tools.find(({ function: one }) => one?.name === lookUp);
  expect(offered).toMatchObject({ function: { parameters: { required: ['word'] } } });
  const told = model.requests[1]?.messages.find(({ role }) => role === 'tool')?.content;
  expect(told).toContain('is not valid: word');
  const steps = await user.steps(run.id);
  expect(steps.filter(({ tool }) => tool === 'connector').map(({ name }) => name)).toEqual([
    lookUp,
    'mcp__probe__remove',
  ]);
});

it('are refused in a playbook where they do not fit or their server is away', async () => {
  const problem = async (tool: string, input: unknown) => {
    const body = playbookOf([{ id: 'a', tool, with: input }]);
    const response = await user.request('POST', '/v1/runs', body, { 'idempotency-key': randomUUID() });
    return [response.status, ((await response.json()) as { detail: string }).detail];
  };
  expect(await problem('mcp__probe__add', { name: 3 })).toEqual([422, expect.stringContaining('with.name')]);
  expect(await problem('mcp__away__x', {})).toEqual([422, expect.stringContaining('cannot be reached')]);
  const run = await user.create(playbookOf([{ id: 'a', tool: 'mcp__probe__add', with: { name: 'x' } }], {}));
  expect(await user.ended(run.id)).toMatchObject({ status: 'completed' });
  expect(noted().filter((line) => line === 'add x')).toHaveLength(1);
});
