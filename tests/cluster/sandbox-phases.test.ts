import type { SessionBinding } from '@swissbrain/agent-runner/sandbox/driver';
import { waitFor } from '@swissbrain/testkit/wait';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { collect } from '../../services/agent-runner/test/sandbox-fixture.ts';
import { type ClusterSandboxes, createClusterSandboxes, kubectl, sandboxNamespace } from './cluster.ts';

let sandboxes: ClusterSandboxes;
beforeAll(async () => {
  sandboxes = await createClusterSandboxes();
});
afterAll(() => sandboxes?.clear());

/** What was observed of sessions that start so: the phases by the time each took, and how many sessions had each. */
async function observed(start: 'cold' | 'warm') {
  const text = await sandboxes.metrics.getSingleMetricAsString('sandbox_phase_seconds');
  const of = (suffix: string) =>
    [...text.matchAll(/^sandbox_phase_seconds_(\w+)\{(.+)\} (\S+)$/gm)]
      .filter(([, which, labels = '']) => which === suffix && labels.includes(`start="${start}"`))
      .map(([, , labels = '', value]) => [/phase="(\w+)"/.exec(labels)?.[1] ?? '', Number(value)] as const);
  const byTime = of('sum').toSorted(([, a], [, b]) => a - b);
  return { phases: byTime.map(([phase]) => phase), counts: Object.fromEntries(of('count')) };
}

describe('each phase of a session is timed', () => {
  it('that is started for its run', async () => {
    const session = await sandboxes.open();
    for (let turn = 0; turn < 2; turn += 1) await collect(session, { code: 'console.log(1)' });
    await session.close();
    const { phases, counts } = await observed('cold');
    expect(phases).toEqual(['queued', 'created', 'scheduled', 'started', 'ready', 'first_byte', 'done']);
    expect(new Set(Object.values(counts))).toEqual(new Set([1]));
  });

  it('that was there before its run', async () => {
    const driver = sandboxes.driver({ warmSessions: 1 });
    let name: string | null = null;
    const binding = (): SessionBinding => {
      name = null;
      return {
        name: () => name,
        async write(next) {
          name = next;
        },
      };
    };
    // The first to ask for these limits starts its own session, and the pool begins.
    await (await driver.openSession(sandboxes.request({ binding: binding() }))).close();
    const ours = `app.kubernetes.io/instance=${sandboxes.settings().instance},swissbrain.dev/warm=idle`;
    await waitFor(
      async () => {
        const ready = 'jsonpath={.items[*].status.ready}';
        return (
          (await kubectl('-n', sandboxNamespace, 'get', 'jobs', '-l', ours, '-o', ready)) === '1' || undefined
        );
      },
      { describe: 'an idle session', timeoutMs: 60_000 },
    );
    const request = sandboxes.request({ binding: binding() });
    const session = await driver.openSession(request);
    expect(session.name).toBe(name);
    await collect(session, { code: 'console.log(1)' });
    await driver.removeSession(request.runId, request.sessionNo);
    const { phases, counts } = await observed('warm');
    expect(phases).toEqual(['bound', 'ready', 'first_byte', 'done']);
    expect(new Set(Object.values(counts))).toEqual(new Set([1]));
  });
});
