import { createHash, randomUUID } from 'node:crypto';
import { readdir } from 'node:fs/promises';
import type { Database } from '@swissbrain/service-kit/database';
import { type ArtifactView, artifactView } from '@swissbrain/shared-schema/http/agent-runner';
import { artifactPage } from '@swissbrain/shared-schema/http/uploads';
import { openServiceDatabase } from '@swissbrain/testkit/service-database';
import { waitFor } from '@swissbrain/testkit/wait';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { expireUploads } from '../src/operations/expire-runs.ts';
import { newUser, playbookOf, type Runner, startRunner, type User } from './support/runner.ts';

const mib = 1024 * 1024;
let runner: Runner;
let database: Database;
let user: User;
beforeAll(async () => {
  runner = await startRunner({
    overrides: {
      ARTIFACTS_MAX_BYTES: String(4 * mib),
      UPLOADS_MAX_BYTES: String(6 * mib),
      REMOVAL_POLL_MS: '100',
      REMOVAL_SETTLE_SECONDS: '0',
    },
  });
  database = openServiceDatabase('agent-runner', runner.database);
  user = await newUser(runner.url);
});
afterAll(async () => {
  await database?.close();
  await runner?.stop();
});

const hashOf = (content: Uint8Array) => createHash('sha256').update(content).digest('hex');
const upload = (
  content: Uint8Array,
  {
    of = user,
    name = 'data.csv',
    sha256 = hashOf(content),
    key = randomUUID() as string,
    type = 'application/octet-stream',
  } = {},
) =>
  fetch(new URL(`/v1/artifacts?name=${encodeURIComponent(name)}&sha256=${sha256}`, runner.url), {
    method: 'POST',
    headers: { authorization: `Bearer ${of.token}`, 'content-type': type, 'idempotency-key': key },
    body: content as Uint8Array<ArrayBuffer>,
  });
const uploaded = async (answer: Response): Promise<ArtifactView> => {
  const text = await answer.text();
  expect(answer.status, text).toBe(201);
  return artifactView.parse(JSON.parse(text));
};
const refused = async (answer: Response) => {
  const { status, code } = (await answer.json()) as { status: number; code: string };
  return `${status} ${code}`;
};
/** Reads a file of the workspace with a step, and keeps it. */
const reading = (path: string, inputs: Record<string, unknown>) => ({
  ...playbookOf([{ id: 'a', tool: 'file', with: { action: 'read', path } }], {
    inputs: { csv: { type: 'file' } },
  }),
  inputs: inputs as never,
});

describe('an upload', () => {
  it('is stored as it comes, is given to runs by its id, and can be downloaded', async () => {
    const content = Buffer.from('a,b\n1,2\n');
    const file = await uploaded(await upload(content));
    expect(file).toMatchObject({
      ...{ kind: 'upload', run_id: null, name: 'data.csv', media_type: 'text/csv; charset=utf-8' },
      ...{ size_bytes: content.length, sha256: hashOf(content) },
    });
    const link = (await (await user.request('GET', `/v1/artifacts/${file.id}`)).json()) as { url: string };
    expect(await (await fetch(link.url)).text()).toBe('a,b\n1,2\n');
    const run = await user.create(reading('inputs/data.csv', { csv: { artifact_id: file.id } }));
    expect(await user.ended(run.id)).toMatchObject({ status: 'completed' });
    expect((await user.steps(run.id))[0]?.output).toMatchObject({ content: 'a,b\n1,2\n' });
    expect((await user.artifacts(run.id)).map(({ kind, name }) => [kind, name])).toEqual([
      ['input', 'inputs/data.csv'],
    ]);
  });

  it('may be what another run has left, under another name', async () => {
    const write = { action: 'write', path: 'out/report.md', content: 'done' };
    const first = await user.create(
      playbookOf([{ id: 'a', tool: 'file', with: write, artifacts: ['out/report.md'] }]),
    );
    await user.ended(first.id);
    const [report] = (await user.artifacts(first.id)).filter(({ kind }) => kind === 'output');
    const second = await user.create(
      reading('inputs/before.md', { csv: { artifact_id: report?.id, filename: 'before.md' } }),
    );
    await user.ended(second.id);
    expect((await user.steps(second.id))[0]?.output).toMatchObject({ content: 'done' });
  });

  it('of somebody else is as one that does not exist', async () => {
    const file = await uploaded(await upload(Buffer.from('mine alone')));
    const other = await newUser(runner.url);
    for (const artifact_id of [file.id, randomUUID()]) {
      const body = reading('inputs/data.csv', { csv: { artifact_id } });
      const answer = await other.request('POST', '/v1/runs', body, { 'idempotency-key': randomUUID() });
      expect(await refused(answer)).toBe('404 artifact_not_found');
    }
    expect((await other.request('GET', `/v1/artifacts/${file.id}`)).status).toBe(404);
    const list = artifactPage.parse(await (await other.request('GET', '/v1/artifacts')).json());
    expect(list.items).toEqual([]);
  });

  it('is made once for one key, and not with another content', async () => {
    const key = randomUUID();
    const first = await uploaded(await upload(Buffer.from('once'), { key }));
    expect((await uploaded(await upload(Buffer.from('once'), { key }))).id).toBe(first.id);
    expect(await refused(await upload(Buffer.from('twice'), { key }))).toBe('409 idempotency_key_reused');
  });

  it('that is damaged, too large, of another form or without a name is refused, and leaves nothing', async () => {
    const of = await newUser(runner.url);
    const content = Buffer.from('content');
    expect(await refused(await upload(content, { of, sha256: '0'.repeat(64) }))).toBe('422 upload_mismatch');
    expect(await refused(await upload(Buffer.alloc(4 * mib + 1), { of }))).toBe('413 upload_too_large');
    expect(await refused(await upload(content, { of, type: 'text/csv' }))).toMatch(/^415 /);
    for (const name of ['', '../a', 'a/b', '.'])
      expect(await refused(await upload(content, { of, name }))).toMatch(/^4\d\d /);
    expect(await refused(await upload(content, { of, sha256: 'x' }))).toMatch(/^4\d\d /);
    const unknown = await fetch(new URL('/v1/artifacts?name=a&sha256=b', runner.url), { method: 'POST' });
    expect(unknown.status).toBe(401);
    const files = await readdir(`${runner.directory}/artifacts`, { recursive: true, withFileTypes: true });
    const left = files.filter((file) => file.isFile() && file.parentPath.includes(of.id));
    expect(left).toEqual([]);
  });

  it('has room only so much, by the user and by the sandbox of their tier', async () => {
    const of = await newUser(runner.url);
    await uploaded(await upload(Buffer.alloc(4 * mib, 1), { of }));
    expect(await refused(await upload(Buffer.alloc(3 * mib, 2), { of }))).toBe('413 upload_too_large');
    await uploaded(await upload(Buffer.alloc(2 * mib, 3), { of }));
    expect(await refused(await upload(Buffer.from('x'), { of }))).toBe('409 uploads_full');

    const poor = await newUser(runner.url);
    const run = await poor.create(playbookOf([{ id: 'a', tool: 'file', with: { action: 'list' } }]));
    await poor.ended(run.id);
    await runner.database.query(
      `UPDATE agent_runs SET reservation = jsonb_set(reservation, '{limits,sandbox_disk_mb}', '1') WHERE id = $1`,
      [run.id],
    );
    expect(await refused(await upload(Buffer.alloc(mib + 1), { of: poor }))).toBe('413 upload_too_large');
    await uploaded(await upload(Buffer.alloc(mib), { of: poor }));
  });

  it('goes after its days, but not what runs were given of it', async () => {
    const file = await uploaded(await upload(Buffer.from('short-lived')));
    const run = await user.create(reading('inputs/data.csv', { csv: { artifact_id: file.id } }));
    await user.ended(run.id);
    const { signal } = new AbortController();
    const young = await uploaded(await upload(Buffer.from('young')));
    await runner.database.query(
      `UPDATE agent_artifacts SET created_at = now() - interval '8 days' WHERE id = $1`,
      [file.id],
    );
    expect(await expireUploads(database, 7, AbortSignal.abort())).toBe(0);
    expect(await expireUploads(database, 7, signal)).toBe(1);
    expect((await user.request('GET', `/v1/artifacts/${file.id}`)).status).toBe(404);
    expect((await user.request('GET', `/v1/artifacts/${young.id}`)).status).toBe(200);
    const [given] = await user.artifacts(run.id);
    const link = (await (await user.request('GET', `/v1/artifacts/${given?.id}`)).json()) as { url: string };
    expect(await (await fetch(link.url)).text()).toBe('short-lived');
  });

  it('goes with its user', async () => {
    const leaver = await newUser(runner.url);
    await uploaded(await upload(Buffer.from('of a leaver'), { of: leaver }));
    await leaver.request(
      'DELETE',
      '/v1/me',
      { confirm: 'delete everything' },
      { 'idempotency-key': randomUUID() },
    );
    await waitFor(
      async () => {
        const seen = (await (await leaver.request('GET', '/v1/me/deletion')).json()) as { status: string };
        return seen.status === 'done';
      },
      { timeoutMs: 60_000, describe: 'the deletion' },
    );
    expect(
      await runner.database.query('SELECT 1 FROM agent_artifacts WHERE user_id = $1', [leaver.id]),
    ).toEqual([]);
    const files = await readdir(`${runner.directory}/artifacts`, { recursive: true });
    expect(files.filter((path) => path.includes(leaver.id))).toEqual([]);
  });
});

describe('GET /v1/artifacts', () => {
  it('lists the files of a user by page, newest first, of one kind where it is asked', async () => {
    const of = await newUser(runner.url);
    for (const text of ['a', 'b', 'c'])
      await uploaded(await upload(Buffer.from(text), { of, name: `${text}.txt` }));
    const names: string[] = [];
    for (let cursor: string | null = ''; cursor !== null; ) {
      const path: string = `/v1/artifacts?limit=2${cursor && `&cursor=${cursor}`}`;
      const page = artifactPage.parse(await (await of.request('GET', path)).json());
      names.push(...page.items.map(({ name }) => name));
      cursor = page.next_cursor;
    }
    expect(names).toEqual(['c.txt', 'b.txt', 'a.txt']);
    const outputs = artifactPage.parse(await (await of.request('GET', '/v1/artifacts?kind=output')).json());
    expect(outputs.items).toEqual([]);
    expect((await of.request('GET', '/v1/artifacts?kind=payload')).status).toBe(400);
  });
});
