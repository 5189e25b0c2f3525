import { randomUUID } from 'node:crypto';
import type { V1Job, V1JobStatus } from '@kubernetes/client-node';
import { systemClock } from '@swissbrain/service-kit/clock';
import type { Logger } from '@swissbrain/service-kit/logger';
import { startLoop } from '@swissbrain/service-kit/loop';
import type { OpenSession, SessionBinding, SessionLimits } from './driver.ts';
import { sandboxLost } from './errors.ts';
import type { KubernetesApi } from './kubernetes-api.ts';
import {
  labels,
  namespaceFor,
  poolOf,
  poolSelector,
  sessionJobName,
  sessionSecret,
  warmJob,
} from './kubernetes-job.ts';
import type { SessionClock } from './kubernetes-phases.ts';
import { podStateOf } from './kubernetes-pod-state.ts';
import type { SandboxPods } from './kubernetes-pods.ts';
import type { KubernetesSettings } from './kubernetes-settings.ts';

/** Sessions that were started before a run asked for one; each is given to one run and to no other. */
export interface WarmPool {
  /**
   * The session that the run's row names, or an idle one whose name is written there first; null when the run is to
   * start its own. @throws SandboxError `lost` when the one in the row is gone
   */
  bind(request: OpenSession, clock: SessionClock): Promise<string | null>;
  /** Ends the upkeep; idle sessions end by themselves when nobody asks after them. */
  stop(): Promise<void>;
}

export interface WarmPoolOptions {
  readonly settings: KubernetesSettings;
  readonly api: KubernetesApi;
  readonly pods: SandboxPods;
  readonly log: Logger;
  secretOf(name: string): string;
  /** Asks an idle session whether it is well, which keeps it from ending for want of work. */
  knock(address: string, name: string): Promise<void>;
}

const upkeepMs = 10_000;
/** Sessions are kept for limits that somebody has asked for within this time. */
const wantedMs = 3_600_000;
/** Candidates that others have taken before the run starts a session of its own. */
const maxCandidates = 3;

/** Keeps `settings.warmSessions` idle sessions for each of the limits seen lately. */
export function createWarmPool(options: WarmPoolOptions): WarmPool {
  const { settings, log } = options;
  const wanted = new Map<string, { readonly limits: SessionLimits; readonly askedAt: number }>();
  const stopping = new AbortController();

  const round = async () => {
    for (const [pool, { limits, askedAt }] of wanted) {
      if (performance.now() - askedAt > wantedMs) wanted.delete(pool);
      else await fill(options, limits, stopping.signal);
    }
  };
  const upkeep = settings.warmSessions > 0 ? startLoop('warm sandboxes', log, upkeepMs, round) : undefined;

  return {
    async bind(request, clock) {
      const { binding } = request;
      if (binding === undefined) return null;
      const named = await bindNamed(options, request, binding);
      if (named !== null || settings.warmSessions === 0) return named;
      wanted.set(poolOf(settings, request.limits), { limits: request.limits, askedAt: performance.now() });
      try {
        const idle = await bindIdle(options, request, binding);
        if (idle !== null) clock.reached('bound');

        return idle;
      } finally {
        // What was taken is made up for at once.
        upkeep?.wake();
      }
    },
    async stop() {
      stopping.abort();
      await upkeep?.stop();
    },
  };
}

/** Takes up what the row says, wherever whoever wrote it has stopped. */
async function bindNamed(
  options: WarmPoolOptions,
  request: OpenSession,
  binding: SessionBinding,
): Promise<string | null> {
  const name = binding.name();
  if (name === null) return null;
  const outcome = await take(options, request, name);
  if (outcome === 'ours') return name;
  if (outcome === 'gone') throw sandboxLost(name, { code: 'ended', why: 'it is gone from the cluster' });
  await binding.write(null);
  return null;
}

async function bindIdle(
  options: WarmPoolOptions,
  request: OpenSession,
  binding: SessionBinding,
): Promise<string | null> {
  const { settings, api, pods } = options;
  const namespace = namespaceFor(settings, request.limits);
  const idle = await api.listJobs(namespace, poolSelector(settings, request.limits));
  // Who kept them may be gone, and the next round of upkeep is yet to come: the old ones are not for a run.
  const young = idle.filter((job) => !job.metadata?.deletionTimestamp && !isOld(settings, job));
  const ready = young.flatMap(({ metadata }) => {
    const pod = pods.find(namespace, metadata?.name ?? '');
    const runs = pod !== null && podStateOf(pod).phase === 'running';
    return runs && metadata?.name ? [metadata.name] : [];
  });
  if (ready.length === 0) return null;
  // A worker before this one may have started a session without the pool.
  if (await api.readJob(namespace, sessionJobName(request.runId, request.sessionNo))) return null;
  // Two runs that ask together rarely begin with the same one.
  const from = Math.floor(Math.random() * ready.length);
  for (const name of [...ready.slice(from), ...ready.slice(0, from)].slice(0, maxCandidates)) {
    await binding.write(name);
    if ((await take(options, request, name)) === 'ours') return name;
    await binding.write(null);
  }
  return null;
}

/** Labels a session as this run's, if it is idle. Harmless when it is this run's already. */
async function take(
  { settings, api }: WarmPoolOptions,
  { runId, sessionNo, limits }: OpenSession,
  name: string,
): Promise<'ours' | 'taken' | 'gone'> {
  const namespace = namespaceFor(settings, limits);
  const patch = [
    { op: 'test', path: labelPath(labels.warm), value: 'idle' },
    { op: 'replace', path: labelPath(labels.warm), value: 'bound' },
    { op: 'add', path: labelPath(labels.run), value: runId },
    { op: 'add', path: labelPath(labels.session), value: String(sessionNo) },
  ];
  const job = (await api.patchJob(namespace, name, patch)) ?? (await api.readJob(namespace, name));
  const { labels: marks, deletionTimestamp } = job?.metadata ?? {};
  if (job === null || deletionTimestamp || hasEnded(job.status)) return 'gone';
  return marks?.[labels.run] === runId && marks[labels.session] === String(sessionNo) ? 'ours' : 'taken';
}

const labelPath = (label: string) => `/metadata/labels/${label.replaceAll('~', '~0').replaceAll('/', '~1')}`;

/** Starts what is missing, ends what is too old or too many, and asks after the rest. */
async function fill(options: WarmPoolOptions, limits: SessionLimits, signal: AbortSignal): Promise<void> {
  const { settings, api, pods, secretOf, knock, log } = options;
  const namespace = namespaceFor(settings, limits);
  const all = await api.listJobs(namespace, poolSelector(settings, limits));
  const alive = all.filter(({ metadata, status }) => !metadata?.deletionTimestamp && !hasEnded(status));
  const young = alive.filter((job) => !isOld(settings, job));
  const surplus = young.slice(settings.warmSessions);
  for (const job of [...alive.filter((one) => isOld(settings, one)), ...surplus]) await api.retireJob(job);
  for (const job of young.slice(0, settings.warmSessions)) {
    const name = job.metadata?.name ?? '';
    const pod = pods.find(namespace, name);
    const state = pod === null ? null : podStateOf(pod);
    // Whoever made it may have ended before its secret.
    if (state?.phase !== 'running') await api.createSecret(sessionSecret(job, secretOf(name)));
    else
      await knock(state.address, name).catch((error: unknown) =>
        log.debug({ err: error, session: name }, 'a warm sandbox does not answer'),
      );
  }
  for (let missing = settings.warmSessions - young.length; missing > 0 && !signal.aborted; missing -= 1) {
    const job = await api.createJob(warmJob(settings, `sb-warm-${randomUUID()}`, limits));
    if (job !== null) await api.createSecret(sessionSecret(job, secretOf(job.metadata?.name ?? '')));
  }
}

const hasEnded = (status: V1JobStatus | undefined) => Boolean(status?.failed || status?.succeeded);

/** A session that has waited so long would leave its run too little of its lifetime. */
export function isOld({ lifetimeSeconds }: KubernetesSettings, { metadata }: V1Job): boolean {
  const madeAt = metadata?.creationTimestamp?.valueOf() ?? 0;
  return systemClock.now().valueOf() - madeAt > (lifetimeSeconds * 1_000) / 4;
}
