import type { OpenSession, SandboxSession, SessionBinding } from '@swissbrain/agent-runner/sandbox/driver';
import type { KubernetesDriver } from '@swissbrain/agent-runner/sandbox/kubernetes-driver';
import { poolSelector } from '@swissbrain/agent-runner/sandbox/kubernetes-job';
import type { KubernetesSettings } from '@swissbrain/agent-runner/sandbox/kubernetes-settings';
import { isOld } from '@swissbrain/agent-runner/sandbox/kubernetes-warm';
import { waitFor } from '@swissbrain/testkit/wait';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { collect } from '../../services/agent-runner/test/sandbox-fixture.ts';
import { type ClusterSandboxes, createClusterSandboxes, kubectl, sandboxNamespace } from './cluster.ts';

let sandboxes: ClusterSandboxes;
let instance: string;
beforeAll(async () => {
  sandboxes = await createClusterSandboxes();
  instance = sandboxes.settings().instance;
});
afterAll(async () => {
  await sandboxes?.clear();
  const ours = `app.kubernetes.io/instance=${instance}`;
  await kubectl('-n', sandboxNamespace, 'delete', 'jobs', '-l', ours, '--wait=false');
});

/** The row of a run, as far as the pool is concerned. */
function row(name: string | null = null) {
  const written: (string | null)[] = [];
  const binding: SessionBinding = {
    name: () => name,
    async write(next) {
      written.push(next);
      name = next;
    },
  };
  return { binding, written, name: () => name };
}

/** The names of the idle sessions for these limits whose pods run. */
async function idle(
  driver: KubernetesDriver,
  request: OpenSession,
  settings = sandboxes.settings(),
): Promise<string[]> {
  // The first to ask for these limits starts its own session, and the pool begins.
  const first = await driver.openSession({ ...request, runId: crypto.randomUUID(), binding: row().binding });
  await first.close();
  return waitFor(
    async () => {
      const selector = poolSelector(settings, request.limits);
      const path = 'jsonpath={range .items[?(@.status.ready==1)]}{.metadata.name}{"\\n"}{end}';
      const names = await kubectl('-n', sandboxNamespace, 'get', 'jobs', '-l', selector, '-o', path);
      return names === '' ? undefined : names.trim().split('\n');
    },
    { describe: 'an idle session', timeoutMs: 60_000 },
  );
}

/** Waits until a session has waited for a run for longer than any may. */
const tooOld = (name: string, settings: KubernetesSettings) =>
  waitFor(
    async () => {
      const path = 'jsonpath={.metadata.creationTimestamp}';
      const creationTimestamp = await kubectl('-n', sandboxNamespace, 'get', 'job', name, '-o', path);
      return isOld(settings, { metadata: { creationTimestamp: new Date(creationTimestamp) } });
    },
    { describe: `session ${name} to be old`, timeoutMs: 60_000 },
  );
/** Waits until a session's Job is removed: one that ends by itself leaves its Job for a while. */
const removed = (name: string) =>
  waitFor(
    async () => {
      const all = ['get', 'jobs', '--ignore-not-found', '-o', 'name', name];
      return (await kubectl('-n', sandboxNamespace, ...all)) === '';
    },
    { describe: `session ${name} to be removed`, timeoutMs: 60_000 },
  );

const labelsOf = async (name: string): Promise<Record<string, string>> =>
  JSON.parse(await kubectl('-n', sandboxNamespace, 'get', 'job', name, '-o', 'jsonpath={.metadata.labels}'));

const works = async (session: SandboxSession) =>
  expect((await collect(session, { code: 'console.log(1)' })).stdout).toBe('1\n');

describe('a warm session', () => {
  it('is written to the row, taken by one run, replaced by another one and removed with its run', async () => {
    const driver = sandboxes.driver({ warmSessions: 1 });
    const request = sandboxes.request();
    const [name = ''] = await idle(driver, request);
    const { binding, written } = row();
    const session = await driver.openSession({ ...request, binding });
    expect(session.name).toBe(name);
    expect(written).toEqual([name]);
    await works(session);
    expect(await labelsOf(name)).toMatchObject({
      'swissbrain.dev/run': request.runId,
      'swissbrain.dev/session': '1',
      'swissbrain.dev/warm': 'bound',
    });
    const [next] = await idle(driver, request);
    expect(next).not.toBe(name);
    // A successor knows it by the row; the sweep by its labels.
    const successor = await driver.openSession({ ...request, binding });
    expect(successor.name).toBe(name);
    await driver.sweep(async (runId) => runId === request.runId);
    await works(successor);
    await driver.removeSession(request.runId, 1);
    await expect(labelsOf(name)).rejects.toThrow('not found');
  });

  it('goes to one of two runs that ask for it at once; the other forgets its name and starts its own', async () => {
    const driver = sandboxes.driver({ warmSessions: 1 });
    const requests = [sandboxes.request(), sandboxes.request()] as const;
    const [name = ''] = await idle(driver, requests[0]);
    // Both have written the name before either takes it.
    const rows = [row(name), row(name)] as const;
    const sessions = await Promise.all([
      driver.openSession({ ...requests[0], binding: rows[0].binding }),
      driver.openSession({ ...requests[1], binding: rows[1].binding }),
    ]);
    const winner = sessions[0].name === name ? 0 : 1;
    const loser = 1 - winner;
    expect(sessions[winner]?.name).toBe(name);
    expect(sessions[loser]?.name).not.toBe(name);
    expect(rows[winner]?.name()).toBe(name);
    expect(rows[loser]?.name()).not.toBe(name);
    expect(await labelsOf(name)).toMatchObject({ 'swissbrain.dev/run': requests[winner]?.runId });
    await Promise.all(sessions.map(works));
    await Promise.all(sessions.map((session) => session.close()));
  });

  it('is taken up by the successor of a worker that wrote its name and ended', async () => {
    const driver = sandboxes.driver({ warmSessions: 1 });
    const request = sandboxes.request();
    const [name = ''] = await idle(driver, request);
    // The worker ends between row and label: what it has written stays.
    const { binding, name: named } = row();
    const dying: SessionBinding = {
      ...binding,
      async write(next) {
        await binding.write(next);
        throw new Error('killed');
      },
    };
    await expect(driver.openSession({ ...request, binding: dying })).rejects.toThrow('killed');
    expect(named()).toBe(name);
    expect(await labelsOf(name)).toMatchObject({ 'swissbrain.dev/warm': 'idle' });
    const session = await driver.openSession({ ...request, binding });
    expect(session.name).toBe(name);
    await works(session);
    await session.close();
  });

  it('that the row names and that is gone is lost', async () => {
    const driver = sandboxes.driver({ warmSessions: 1 });
    const request = sandboxes.request();
    const gone = driver.openSession({ ...request, binding: row('sb-warm-gone').binding });
    await expect(gone).rejects.toMatchObject({ fault: 'lost' });
  });

  it('is not for a run that has a session of its own', async () => {
    const driver = sandboxes.driver({ warmSessions: 1 });
    const request = sandboxes.request();
    const own = await driver.openSession(request);
    await idle(driver, request);
    const { binding, written } = row();
    const again = await driver.openSession({ ...request, binding });
    expect(again.name).toBe(own.name);
    expect(written).toEqual([]);
    await again.close();
  });
});

describe('a warm session that has waited for too long', () => {
  // It may wait for a quarter of its lifetime.
  const lifetimeSeconds = 60;
  /** Settings and a request with limits that no other test asks for. */
  const alone = (diskMb: number) => {
    const { limits } = sandboxes.request();
    const settings = sandboxes.settings({ warmSessions: 1, lifetimeSeconds });
    return { settings, request: sandboxes.request({ limits: { ...limits, diskMb } }) };
  };

  it('is replaced by whoever keeps it', async () => {
    const { settings, request } = alone(65);
    const driver = sandboxes.driver(settings);
    const [name = ''] = await idle(driver, request, settings);
    await removed(name);
    const [next] = await idle(driver, request, settings);
    expect(next).not.toBe(name);
    await driver.stop();
  });

  it('is given to no run, though who kept it is gone and the next has not looked yet', async () => {
    const { settings, request } = alone(66);
    const before = sandboxes.driver(settings);
    const [name = ''] = await idle(before, request, settings);
    await before.stop();
    await tooOld(name, settings);
    const after = sandboxes.driver(settings);
    // The watch of the next one knows of the pods once it has opened a session.
    await (await after.openSession(sandboxes.request())).close();
    const { binding, written } = row();
    const session = await after.openSession({ ...request, binding });
    expect(session.name).not.toBe(name);
    expect(written).not.toContain(name);
    await works(session);
    // From now on these limits are asked for again, so it is replaced here, too.
    await removed(name);
    await session.close();
    await after.stop();
  });

  it('is swept where nobody keeps any, and a young one is not', async () => {
    const { settings, request } = alone(67);
    const keeper = sandboxes.driver(settings);
    const [name = ''] = await idle(keeper, request, settings);
    await keeper.stop();
    await tooOld(name, settings);
    const other = { ...settings, lifetimeSeconds: 3_600 };
    const another = sandboxes.driver(other);
    const [young = ''] = await idle(another, request, other);
    await another.stop();
    await sandboxes.driver({ lifetimeSeconds }).sweep(async () => true);
    await removed(name);
    expect(await labelsOf(young)).toMatchObject({ 'swissbrain.dev/warm': 'idle' });
  });
});
