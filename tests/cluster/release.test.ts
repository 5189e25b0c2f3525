import { randomUUID } from 'node:crypto';
import { mkdtemp, readdir, readFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { serviceNames } from '@swissbrain/shared-schema/ids';
import { waitFor } from '@swissbrain/testkit/wait';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { z } from 'zod';
import { tagsOf } from '../../scripts/dev-values.ts';
import { auditRun, waitUntilSettled } from '../e2e/run-audit.ts';
import { demoRun } from '../e2e/whole-stack.ts';
import { kubectl, mayBreakCluster } from './cluster.ts';
import { installRelease, type Release, swissbrain } from './release.ts';
import { type LoadReport, startLoad, untilFurther, withoutSandbox } from './release-load.ts';
import { killNode, startNode, startRunOn } from './release-node.ts';

let release: Release;
/** Another one of the same name with a warm session, which is removed when its tests have passed. */
let beside: Release;
beforeAll(async () => {
  [release, beside] = await Promise.all([
    installRelease('swissbrain', 'release-test'),
    installRelease('swissbrain', 'release-beside', { sandbox: { warmSessions: 1 } }),
  ]);
});
afterAll(() => release?.[Symbol.asyncDispose]());

describe('an installation with values-dev.yaml', () => {
  it('has every service and store ready, under Pod Security `restricted`', async () => {
    const pods = z
      .object({
        items: z.array(
          z.object({
            metadata: z.object({ labels: z.record(z.string(), z.string()) }),
            status: z.object({
              containerStatuses: z.array(z.object({ ready: z.boolean(), restartCount: z.number() })),
            }),
          }),
        ),
      })
      .parse(
        JSON.parse(
          await release.kubectl('get', 'pods', '--field-selector=status.phase=Running', '-o', 'json'),
        ),
      );
    const states = pods.items.map(({ metadata, status }) => [
      metadata.labels['app.kubernetes.io/component'],
      status.containerStatuses.every(({ ready }) => ready),
      status.containerStatuses.map(({ restartCount }) => restartCount).join(),
    ]);
    const expected = [...serviceNames, 'postgres', 'nats', 'valkey', 's3'].sort();
    expect(states.sort()).toEqual(expected.map((component) => [component, true, '0']));
  });

  it('passes `helm test`, which tries from a sandbox what it reaches itself', async () => {
    const printed = await release
      .helm('test', release.name, '--logs', '--timeout', '5m')
      .catch(async (error) => {
        throw new Error(await release.kubectl('logs', `${release.fullname}-test`), { cause: error });
      });
    expect(printed).toContain('the release works');
    for (const target of ['metadata', 'API server', 'postgres', 'nats', 'valkey', 's3', ...serviceNames]) {
      expect(printed).toMatch(new RegExp(`${target}: from here reached, from the sandbox (?!reached)`));
    }
  });
});

describe('the demo through the ingress', () => {
  it('gives a bill, and artifacts by signed links to the bucket', async () => {
    const user = randomUUID();
    const output = await mkdtemp(join(tmpdir(), 'swissbrain-demo-'));
    const shown = await swissbrain(release, user, 'run', 'examples/seattle-weather.yaml', '--output', output);
    const [runId = ''] = /[0-9a-f]{8}-[0-9a-f-]{27}/.exec(shown) ?? [];
    expect((await readdir(join(output, runId))).sort()).toEqual(['chart.svg', 'monthly.json', 'report.md']);
    expect(JSON.parse(await readFile(join(output, runId, 'monthly.json'), 'utf8'))).toMatchObject({
      days: 1461,
    });

    const client = release.clientOf(user);
    const artifacts = await client.runs.artifacts(runId);
    for (const { id, size_bytes } of artifacts) {
      const { url } = await client.artifacts.get(id);
      expect(url).toMatch(new RegExp(`^${release.url}/artifacts/`));
      const response = await fetch(url);
      expect(response.status).toBe(200);
      expect((await response.arrayBuffer()).byteLength).toBe(size_bytes);
      const forged = await fetch(
        url.replace(/X-Amz-Signature=./, (found) => `X-Amz-Signature=${found.endsWith('0') ? '1' : '0'}`),
      );
      await forged.text();
      expect(forged.status).toBe(403);
    }
    await waitUntilSettled(release, runId);
    await auditRun(release, runId);
  });
});

describe('the upkeep of the night', () => {
  it('makes the partitions that are missing and deletes what is past its days, in the cluster and its bucket', async () => {
    const partition = () =>
      release.query<{ name: string }>(
        `select relid::regclass::text as name from pg_partition_tree('event_outbox') where isleaf order by 1`,
      );
    const before = await partition();
    const newest = before.filter(({ name }) => /_\d/.test(name)).at(-1)?.name ?? '';
    await release.query(`drop table ${newest}`);
    const run = randomUUID();
    await release.query(
      `insert into agent_runs (id, user_id, root_run_id, kind, title, goal, status, finished_at)
       values ('${run}', '${randomUUID()}', '${run}', 'goal', 't', 'g', 'failed', now() - interval '31 days')`,
    );
    const job = 'upkeep-now';
    await release.kubectl('create', 'job', job, `--from=cronjob/${release.fullname}-upkeep`);
    await release
      .kubectl('wait', `job/${job}`, '--for=condition=complete', '--timeout=300s')
      .catch(async (error) => {
        throw new Error(await release.kubectl('logs', `job/${job}`), { cause: error });
      });
    expect(await partition()).toEqual(before);
    expect(await release.query(`select 1 from agent_runs where id = '${run}'`)).toEqual([]);
    expect(await release.kubectl('logs', `job/${job}`)).toMatch(/"runs":1,/);
  });
});

describe('a second installation of the same name in another namespace', () => {
  afterAll(() => beside?.[Symbol.asyncDispose]());

  it('works, and knows nothing of the first', async () => {
    expect(await beside.helm('test', beside.name, '--timeout', '5m')).toContain('Phase:          Succeeded');
    const user = randomUUID();
    const run = await release.clientOf(user).runs.create(withoutSandbox);
    await expect(beside.clientOf(user).runs.get(run.id)).rejects.toMatchObject({ status: 404 });
    await waitUntilSettled(release, run.id);
    await auditRun(release, run.id);
  });

  it('keeps a session warm and gives it to the next run', async () => {
    const demo = async () => {
      const { id } = await beside.clientOf(randomUUID()).runs.create(await demoRun());
      await waitUntilSettled(beside, id, 180_000);
      await auditRun(beside, id);
      const query = 'select status, session_name from public.agent_runs where id = $1';
      const [row] = await beside.query<{ status: string; session_name: string | null }>(query, [id]);
      return row;
    };
    // The limits of this one are those that a session is kept for.
    expect(await demo()).toMatchObject({ status: 'completed' });
    const namespace = `${beside.namespace}-${beside.name}-sandbox-default`;
    const path = 'jsonpath={.items[?(@.status.ready==1)].metadata.name}';
    const idle = await waitFor(
      () => kubectl('-n', namespace, 'get', 'jobs', '-l', 'swissbrain.dev/warm=idle', '-o', path),
      { describe: 'an idle session', timeoutMs: 90_000 },
    );
    expect(await demo()).toEqual({ status: 'completed', session_name: idle });
    expect(idle).toMatch(/^sb-warm-[0-9a-f-]{36}$/);
  });

  it('cannot reach the stores of the first, which its services reach', async () => {
    const address = `${release.fullname}-postgres.${release.namespace}`;
    expect(await reach(release, address, 5_432)).toBe('reached');
    expect(await reach(beside, address, 5_432)).not.toBe('reached');
  });
});

describe('runs that are under way', () => {
  it('all end as they should while the next release, with another migration, takes the place of this', async ({
    annotate,
  }) => {
    const next = (process.env.SWISSBRAIN_CLUSTER_NEXT ?? '').split(',');
    const load = startLoad(release);
    await untilFurther(load, 3);
    await release.upgrade({ image: { tags: tagsOf(next) } });
    expect(await imagesOf(release)).toEqual(
      expect.arrayContaining(next.filter((one) => !one.includes('/migrate:'))),
    );
    const schema = await release.query(
      `select 1 from information_schema.columns where table_name = 'agent_runs' and column_name = 'next_release'`,
    );
    expect(schema).toHaveLength(1);
    await untilFurther(load, 3);
    const report = await load.stop();
    expect(report.runs).toBeGreaterThanOrEqual(6);
    await annotate(inWords(report));
  });

  const rounds = process.env.SWISSBRAIN_FULL === undefined ? 1 : 3;
  it('all end as they should while a pod of each service and store is deleted', async ({ annotate }) => {
    const load = startLoad(release);
    await untilFurther(load, 3);
    const deleted = Array.from({ length: rounds }, () => [
      ...serviceNames,
      'nats',
      'valkey',
      'postgres',
    ]).flat();
    for (const component of deleted) {
      const [pod] = await podsOf(release, [component]);
      await release.kubectl('delete', 'pod', pod ?? '', '--grace-period=1', '--wait=false');
      await untilFurther(load, 1);
    }
    await untilFurther(load, 3);
    const report = await load.stop();
    expect(report.runs).toBeGreaterThanOrEqual(6 + deleted.length);
    await annotate(inWords(report));
  });
});

describe.skipIf(process.env.SWISSBRAIN_FULL === undefined)('a node', () => {
  it('is drained, and the runs go on elsewhere', async () => {
    const load = startLoad(release);
    await untilFurther(load, 3);
    const [pod = ''] = await podsOf(release, ['agent-runner']);
    const node = await release.kubectl('get', 'pod', pod, '-o', 'jsonpath={.spec.nodeName}');
    const options = ['--ignore-daemonsets', '--delete-emptydir-data', '--force', '--timeout=180s'];
    // What the cluster itself stands on stays: its ingress and its name service are bound to a node.
    const ours = ['--pod-selector=app.kubernetes.io/part-of=swissbrain'];
    try {
      await kubectl('drain', node, ...options, ...ours);
      await release.kubectl('wait', 'deployment', '--all', '--for=condition=Available', '--timeout=300s');
      await untilFurther(load, 3);
    } finally {
      await kubectl('uncordon', node);
    }
    expect((await load.stop()).runs).toBeGreaterThanOrEqual(6);
  });
});

describe.runIf(process.env.SWISSBRAIN_FULL !== undefined && mayBreakCluster)('the power of a node', () => {
  it('is cut while it runs a sandbox: that run goes on in another, and no other is lost', async ({
    annotate,
  }) => {
    // The other one carries what the cluster itself stands on.
    const node = 'node-2';
    const load = startLoad(release);
    await untilFurther(load, 3);
    const { runId, followed } = await startRunOn(release.clientOf(randomUUID()), node);
    try {
      await killNode(node);
      await release.kubectl('wait', 'deployment', '--all', '--for=condition=Available', '--timeout=300s');
      await untilFurther(load, 3);
      const events = await followed;
      const types = events.map(({ type }) => type);
      expect(types).toContain('run.session_lost');
      expect(types.at(-1)).toBe('run.completed');
    } finally {
      await startNode(node);
    }
    const report = await load.stop();
    expect(report.runs).toBeGreaterThanOrEqual(6);
    await waitUntilSettled(release, runId);
    await auditRun(release, runId);
    await annotate(inWords(report));
  });
});

describe('the release', () => {
  it('goes back to the release before, on the schema of the next', async () => {
    const load = startLoad(release);
    await untilFurther(load, 1);
    await release.helm('rollback', release.name, '1', '--wait', '--timeout', '6m');
    const next = (process.env.SWISSBRAIN_CLUSTER_NEXT ?? '').split(',');
    expect((await imagesOf(release)).filter((image) => next.includes(image))).toEqual([]);
    await untilFurther(load, 3);
    await load.stop();
  });

  it('leaves its data when it is removed, and finds it again', async () => {
    const [before] = await release.query<{ count: string }>('select count(*) from public.agent_runs');
    await release.remove();
    await release.upgrade({});
    expect(await release.query('select count(*) from public.agent_runs')).toEqual([before]);
    expect(Number(before?.count)).toBeGreaterThan(0);
  });
});

/** What a load came to, for whoever reads the report of the tests. */
function inWords({ runs, retried }: LoadReport): string {
  const kinds = Object.entries(retried).map(([kind, times]) => `${kind} (${times})`);
  return `${runs} runs; requests made again after: ${kinds.join(', ') || 'nothing'}`;
}

/** Whether agent-runner's pod of a release reaches an address, in words. */
async function reach(from: Release, host: string, port: number): Promise<string> {
  const program = `const socket = require('node:net').connect({ host: '${host}', port: ${port}, timeout: 3000 });
    const end = (answer) => { console.log(answer); process.exit(0); };
    socket.on('connect', () => end('reached')).on('timeout', () => end('no answer')).on('error', (error) => end(error.code));`;
  const target = `deployment/${from.fullname}-agent-runner`;
  return (await from.kubectl('exec', target, '-c', 'agent-runner', '--', 'node', '-e', program)).trim();
}

/** The images that the services are to run. */
async function imagesOf(of: Release): Promise<string[]> {
  const images = 'jsonpath={.items[*].spec.template.spec.containers[*].image}';
  return (await of.kubectl('get', 'deployments', '-o', images)).split(' ');
}

/** The names of the pods of these components that are not on their way out. */
async function podsOf(of: Release, components: readonly string[]): Promise<string[]> {
  const selector = `app.kubernetes.io/component in (${components.join(',')})`;
  const pods = await of.kubectl(
    'get',
    'pods',
    '-l',
    selector,
    '--field-selector=status.phase=Running',
    '-o',
    'json',
  );
  return z
    .object({
      items: z.array(
        z.object({ metadata: z.object({ name: z.string(), deletionTimestamp: z.string().optional() }) }),
      ),
    })
    .parse(JSON.parse(pods))
    .items.filter(({ metadata }) => metadata.deletionTimestamp === undefined)
    .map(({ metadata }) => metadata.name);
}
