import { createHmac } from 'node:crypto';
import { setTimeout as delay } from 'node:timers/promises';
import type { KubeConfig } from '@kubernetes/client-node';
import { systemClock } from '@swissbrain/service-kit/clock';
import { z } from 'zod';
import type { OpenSession, SandboxDriver } from './driver.ts';
import { type Loss, SandboxError } from './errors.ts';
import { createKubernetesApi, type KubernetesApi } from './kubernetes-api.ts';
import {
  boundSelector,
  instanceSelector,
  labels,
  longestSessionSeconds,
  namespaceFor,
  runtimePort,
  sessionJobName,
} from './kubernetes-job.ts';
import { createSessionPhases, type SessionClock, type SessionPhases } from './kubernetes-phases.ts';
import { podStateOf } from './kubernetes-pod-state.ts';
import { type SandboxPods, watchSandboxPods } from './kubernetes-pods.ts';
import type { KubernetesSettings, KubernetesSurroundings } from './kubernetes-settings.ts';
import { startSessionPod, waitForPod } from './kubernetes-start.ts';
import { createWarmPool, isOld } from './kubernetes-warm.ts';
import { createRuntimeClient, type RuntimeClient } from './runtime-client.ts';
import { createRuntimeSession } from './runtime-session.ts';

export interface KubernetesDriver extends SandboxDriver {
  /** Ends the watch; sessions live on. */
  stop(): Promise<void>;
}

/** Between signs of life asked of a runtime that begins; a machine that has much to start is not knocked on without end. */
const shortestKnockMs = 5;
const longestKnockMs = 100;
/** How often the cluster is asked about a session that does not answer yet. */
const askEveryMs = 1_000;
const health = { method: 'GET', target: '/health', timeoutMs: 2_000, repeatable: false } as const;

/**
 * Runs each session as a Job of one pod with two containers, found again by its name. Programs have nothing of the
 * cluster: no token, no network, no secret.
 * @throws Error when the secret is too short
 */
export function createKubernetesDriver(
  config: KubeConfig,
  settings: KubernetesSettings,
  { log, metrics }: KubernetesSurroundings,
): KubernetesDriver {
  if (settings.secret.length < 32) throw new Error('the sandbox secret has at least 32 characters');
  const namespaces = [...new Set(settings.namespaces.values())];
  const api = createKubernetesApi(config);
  const pods = watchSandboxPods(config, namespaces, instanceSelector(settings), log);
  const phases = createSessionPhases(metrics);
  const starting = new Map<string, Promise<string>>();
  const secretOf = (name: string) =>
    createHmac('sha256', settings.secret).update(`sandbox session ${name}`).digest('hex');

  const knock = (address: string, name: string) => knockOnce(address, name, secretOf(name));
  const pool = createWarmPool({ settings, api, pods, log, secretOf, knock });

  /** Gives a run a session of the pool or starts one for it. */
  const open = async (request: OpenSession, clock: SessionClock) => {
    const options = { settings, api, pods, secretOf };
    const bound = await pool.bind(request, clock);
    if (bound === null) {
      const name = sessionJobName(request.runId, request.sessionNo);
      const start = () => startSessionPod(options, request, clock);
      return { name, address: await singleFlight(starting, name, start) };
    }
    const namespace = namespaceFor(settings, request.limits);
    return { name: bound, address: await waitForPod(options, namespace, bound, request.signal) };
  };

  const remove = async (name: string) => {
    for (const namespace of namespaces) await api.deleteJob(namespace, name);
  };

  return {
    async openSession(request) {
      // Its own name even where it is one of the pool: that is known from the start.
      const key = sessionJobName(request.runId, request.sessionNo);
      const clock = phases.clockOf(key);
      const { name, address } = await open(request, clock);
      const namespace = namespaceFor(settings, request.limits);
      const loss = createLossWatch(api, pods, namespace, name);
      const client = createRuntimeClient({
        ...{ host: address, port: runtimePort, secret: secretOf(name), session: name, whyGone: loss.whyGone },
      });
      await untilReady(client, settings.startSeconds * 1_000, request.signal);
      loss.started();
      clock.reached('ready');
      const end = async () => {
        await remove(name);
        phases.done(key);
      };
      return clock.watched(createRuntimeSession(name, client, end));
    },
    async removeSession(runId, sessionNo) {
      const key = sessionJobName(runId, sessionNo);
      await remove(key);
      phases.done(key);
      if (settings.warmSessions === 0) return;
      const selector = boundSelector(settings, runId, sessionNo);
      for (const namespace of namespaces)
        for (const { metadata } of await api.listJobs(namespace, selector))
          await api.deleteJob(namespace, metadata?.name ?? '');
    },
    async sweep(isLive) {
      phases.forgetOlderThan(longestSessionSeconds(settings) * 1_000);
      return sweep(api, settings, namespaces, phases, isLive);
    },
    async stop() {
      await pool.stop();
      await pods.stop();
    },
  };
}

/** Steps of a run that begin together share one start. */
function singleFlight<T>(flying: Map<string, Promise<T>>, name: string, work: () => Promise<T>): Promise<T> {
  const running = flying.get(name);
  if (running !== undefined) return running;
  const started = work();
  flying.set(name, started);
  const forget = () => flying.delete(name);
  started.then(forget, forget);
  return started;
}

/** Asks a session for a sign of life. @throws SandboxError */
async function knockOnce(host: string, session: string, secret: string): Promise<void> {
  const whyGone = async () => null;
  const client = createRuntimeClient({ host, port: runtimePort, secret, session, whyGone });
  try {
    await client.json(health, z.unknown());
  } finally {
    client.close();
  }
}

/** Both containers run; the runtime listens a moment later. @throws SandboxError */
async function untilReady(client: RuntimeClient, withinMs: number, signal?: AbortSignal): Promise<void> {
  const deadline = AbortSignal.timeout(withinMs);
  for (let pauseMs = shortestKnockMs; ; pauseMs = Math.min(pauseMs * 1.5, longestKnockMs)) {
    try {
      // Proves that it is our runtime that answers there.
      await client.json({ ...health, signal }, z.unknown());
      return;
    } catch (error) {
      const passing = error instanceof SandboxError && error.fault === 'infrastructure';
      if (passing && !deadline.aborted) {
        await delay(pauseMs, undefined, { signal });
        continue;
      }
      client.close();
      throw error;
    }
  }
}

interface LossWatch {
  /** Null while the session lives, or may live: a cluster that cannot be asked has lost nothing. */
  whyGone(): Promise<Loss | null>;
  /** It has answered: from now on it is expected to, and the cluster is asked whenever it does not. */
  started(): void;
}

function createLossWatch(api: KubernetesApi, pods: SandboxPods, namespace: string, name: string): LossWatch {
  let askedAt: number | null = systemClock.monotonicMs();
  return {
    async whyGone() {
      const heard = pods.find(namespace, name);
      const state = heard ? podStateOf(heard) : null;
      if (state?.phase === 'ended') return state;
      if (askedAt !== null) {
        if (systemClock.monotonicMs() - askedAt < askEveryMs) return null;
        askedAt = systemClock.monotonicMs();
      }
      try {
        const pod = await api.readPod(namespace, name);
        if (pod === null) return { code: 'ended', why: 'it is gone from the cluster' };
        const now = podStateOf(pod);
        return now.phase === 'ended' ? now : null;
      } catch (error) {
        if (error instanceof SandboxError) return null;
        throw error;
      }
    },
    started() {
      askedAt = null;
    },
  };
}

async function sweep(
  api: KubernetesApi,
  settings: KubernetesSettings,
  namespaces: readonly string[],
  phases: SessionPhases,
  isLive: (runId: string, sessionNo: number) => Promise<boolean>,
): Promise<number> {
  let removed = 0;
  for (const namespace of namespaces) {
    for (const job of await api.listJobs(namespace, instanceSelector(settings))) {
      const { name, labels: marks = {}, deletionTimestamp } = job.metadata ?? {};
      const runId = marks[labels.run];
      if (name === undefined || deletionTimestamp) continue;
      if (runId === undefined) {
        // Idle ones that no process keeps any more, because it has other settings or is gone.
        if (marks[labels.warm] === 'idle' && isOld(settings, job)) await api.retireJob(job);
        continue;
      }
      const sessionNo = Number(marks[labels.session] ?? 1);
      if (await isLive(runId, sessionNo)) continue;
      await api.deleteJob(namespace, name);
      phases.done(sessionJobName(runId, sessionNo));
      removed += 1;
    }
  }
  return removed;
}
