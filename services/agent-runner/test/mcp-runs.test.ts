import { randomUUID } from 'node:crypto';
import { existsSync, readFileSync } from 'node:fs';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { QuestionView } from '@swissbrain/shared-schema/http/agent-runner';
import { type ModelServer, startModelServer } from '@swissbrain/testkit/model-server';
import { waitFor } from '@swissbrain/testkit/wait';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
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

describe('pictures that a tool returns', () => {
  const kept = async (runId: string) =>
    (await user.artifacts(runId))
      .map(({ name, kind, media_type, size_bytes }) => ({ name, kind, media_type, size_bytes }))
      .sort((a, b) => a.name.localeCompare(b.name));
  const named = (place: number, ending: string) =>
    expect.stringMatching(new RegExp(`^artifacts/pictures-[0-9a-f]{8}-${place}\\${ending}$`)) as string;
  const both = [
    { name: named(1, '.png'), kind: 'output', media_type: 'image/png', size_bytes: 67 },
    { name: named(2, '.jpg'), kind: 'output', media_type: 'image/jpeg', size_bytes: 64 },
  ];

  it('are kept as artifacts of a playbook, and later steps find them', async () => {
    const look = `import { readFileSync } from 'node:fs'; console.log(readFileSync(process.argv[2]).length);`;
    const run = await user.create(
      playbookOf([
        { id: 'draw', tool: 'mcp__probe__pictures', with: {} },
        {
          id: 'look',
          tool: 'code',
          with: { language: 'javascript', code: look, args: ['${{ steps.draw.output.images.0.path }}'] },
        },
      ]),
    );
    expect(await user.ended(run.id)).toMatchObject({ status: 'completed' });
    expect(await kept(run.id)).toEqual(both);
    const [draw, after] = await user.steps(run.id);
    const output = draw?.output as { text: string; images: { path: string; size_bytes: number }[] };
    expect(output.images.map(({ size_bytes }) => size_bytes)).toEqual([67, 64]);
    expect(output.text).toContain(`kept as ${output.images[1]?.path}`);
    // What is no picture is none, and a drawing may be a program.
    expect(output.text).toContain('[image image/svg+xml, 24 bytes, not shown]');
    expect(after?.output).toMatchObject({ stdout: '67\n' });
    const [artifact] = (await user.artifacts(run.id)).filter(({ media_type: type }) => type === 'image/png');
    const link = (await (await user.request('GET', `/v1/artifacts/${artifact?.id}`)).json()) as {
      url: string;
    };
    const content = Buffer.from(await (await fetch(new URL(link.url, runner.url))).arrayBuffer());
    expect(content.subarray(1, 4).toString('latin1')).toBe('PNG');
  });

  it('are kept of a goal, whose model is told where they are and not what is in them', async () => {
    model.reset();
    model.script = [{ calls: [{ name: 'mcp__probe__pictures', input: {} }] }, { text: 'There they are.' }];
    const before = noted().filter((line) => line === 'pictures').length;
    const run = await user.create({ goal: 'Draw', mode: 'automation' });
    expect(await user.ended(run.id)).toMatchObject({ status: 'completed' });
    expect(await kept(run.id)).toEqual(both);
    const told = String(model.requests[1]?.messages.find(({ role }) => role === 'tool')?.content);
    expect(told).toMatch(/kept as artifacts\/pictures-[0-9a-f]{8}-1\.png/);
    expect(told).not.toContain('iVBOR');
    expect(noted().filter((line) => line === 'pictures')).toHaveLength(before + 1);
  });
});
