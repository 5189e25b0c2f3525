import { randomUUID } from 'node:crypto';
import type { SandboxSession, SessionBinding, SessionLimits } from '@swissbrain/agent-runner/sandbox/driver';
import type { Registry } from '@swissbrain/service-kit/metrics';
import { waitFor } from '@swissbrain/testkit/wait';
import { createClusterSandboxes, kubectl, sandboxNamespace } from '../../tests/cluster/cluster.ts';
import type { Started } from './request.ts';

/** Sessions of the driver that agent-runner has on Kubernetes, and how long they take. */
export interface OurSessions {
  /** From asking for a session to the first byte of a program in it. */
  firstByte(start: 'cold' | 'warm', limits?: SessionLimits): Promise<Started>;
  /** Milliseconds from the call to the end of a program in a session that lives. */
  step(): Promise<number>;
  /** Milliseconds of a request that the runtime answers without doing anything. */
  roundTrip(): Promise<number>;
  /** Waits until what was ended is gone from the nodes. */
  settled(): Promise<void>;
  stop(): Promise<void>;
}

/** A row that remembers the name for as long as this process lives. */
function rowInMemory(): SessionBinding {
  let name: string | null = null;
  return {
    name: () => name,
    async write(next) {
      name = next;
    },
  };
}

/** Seconds of each phase, summed over all sessions so far. */
async function sumsOf(metrics: Registry): Promise<Map<string, number>> {
  const text = await metrics.getSingleMetricAsString('sandbox_phase_seconds');
  const sums = text.matchAll(/^sandbox_phase_seconds_sum\{.*phase="(\w+)",start="(\w+)"\} (\S+)$/gm);
  return new Map([...sums].map(([, phase = '', start = '', value]) => [`${start} ${phase}`, Number(value)]));
}

async function timed(act: () => Promise<unknown>): Promise<number> {
  const began = performance.now();
  await act();
  return performance.now() - began;
}

/** Installs the sandbox part of the chart and opens the session for steps. */
export async function createOurSessions(program: string): Promise<OurSessions> {
  const sandboxes = await createClusterSandboxes();
  const drivers = { cold: sandboxes.driver(), warm: sandboxes.driver({ warmSessions: 1 }) };
  const execution = () => ({ executionId: randomUUID(), language: 'javascript', code: program }) as const;
  const forSteps = await drivers.cold.openSession(sandboxes.request());
  // The first to ask for these limits starts its own session, and the pool begins.
  await (await drivers.warm.openSession(sandboxes.request({ binding: rowInMemory() }))).close();
  const untilByte = async (session: SandboxSession): Promise<void> => {
    const { promise, resolve, reject } = Promise.withResolvers<void>();
    session.execute(execution(), () => resolve()).then(() => resolve(), reject);
    await promise;
  };
  const count = async (kind: 'pods' | 'jobs', more = '', path = '{.items[*].metadata.name}') => {
    const ours = `app.kubernetes.io/instance=${sandboxes.settings().instance}${more}`;
    const words = await kubectl('-n', sandboxNamespace, 'get', kind, '-l', ours, '-o', `jsonpath=${path}`);
    return words.split(' ').filter(Boolean).length;
  };
  const untilIdle = () =>
    waitFor(async () => (await count('jobs', ',swissbrain.dev/warm=idle', '{.items[*].status.ready}')) > 0, {
      describe: 'an idle session',
      timeoutMs: 120_000,
    });

  return {
    async firstByte(start, limits) {
      if (start === 'warm') await untilIdle();
      const before = await sumsOf(sandboxes.metrics);
      const request = sandboxes.request({
        ...(limits ? { limits } : {}),
        ...(start === 'warm' ? { binding: rowInMemory() } : {}),
      });
      const began = performance.now();
      const session = await drivers[start].openSession(request);
      await untilByte(session);
      const ms = performance.now() - began;
      const phases = [...(await sumsOf(sandboxes.metrics))].flatMap(([key, sum]) =>
        key.startsWith(start)
          ? [[key.replace(/^\w+ /, ''), (sum - (before.get(key) ?? 0)) * 1_000] as const]
          : [],
      );
      return {
        ms,
        phases: Object.fromEntries(phases.filter(([phase]) => phase !== 'done')),
        end: () => session.close(),
      };
    },
    step: () => timed(() => forSteps.execute(execution(), () => undefined)),
    roundTrip: () => timed(() => forSteps.lookup('nobody-knows-it')),
    settled: async () => {
      await waitFor(async () => (await count('pods', ',!swissbrain.dev/pool')) <= 1, {
        describe: 'ended sessions to be gone',
        timeoutMs: 120_000,
      });
    },
    async stop() {
      await forSteps.close();
      await sandboxes.clear();
      const ours = `app.kubernetes.io/instance=${sandboxes.settings().instance}`;
      await kubectl('-n', sandboxNamespace, 'delete', 'jobs', '-l', ours, '--wait=false');
    },
  };
}
