import type { V1Pod } from '@kubernetes/client-node';
import { systemClock } from '@swissbrain/service-kit/clock';
import type { OpenSession } from './driver.ts';
import { SandboxError, sandboxLost, sandboxUnavailable } from './errors.ts';
import type { KubernetesApi } from './kubernetes-api.ts';
import { namespaceFor, sessionJob, sessionJobName, sessionSecret } from './kubernetes-job.ts';
import type { SessionClock } from './kubernetes-phases.ts';
import { type PodProblem, podStateOf } from './kubernetes-pod-state.ts';
import type { SandboxPods } from './kubernetes-pods.ts';
import type { KubernetesSettings } from './kubernetes-settings.ts';

export interface StartOptions {
  readonly settings: KubernetesSettings;
  readonly api: KubernetesApi;
  readonly pods: SandboxPods;
  secretOf(name: string): string;
}

/** How often the cluster itself is asked while the watch says nothing. */
const askEveryMs = 3_000;
const refusedPattern =
  /violates PodSecurity|denied request|ValidatingAdmissionPolicy|RuntimeClass .* not found/;

/**
 * Finds or creates a session's Job and waits until both its containers run.
 * @returns the pod's address
 * @throws SandboxError `lost` when the session was there and is gone, else what holds it up, in words
 */
export async function startSessionPod(
  options: StartOptions,
  request: OpenSession,
  clock: SessionClock,
): Promise<string> {
  const { settings, api } = options;
  const name = sessionJobName(request.runId, request.sessionNo);
  const namespace = namespaceFor(settings, request.limits);
  // The name is the key: creating it first costs one call, and who comes second is told.
  let askedAt = 0;
  const created = await api.createJob(sessionJob(settings, request), () => {
    askedAt = systemClock.monotonicMs();
  });
  const job = created ?? (await api.readJob(namespace, name));
  if (job === null || job.metadata?.deletionTimestamp)
    throw sandboxLost(name, { code: 'ended', why: 'it was removed' });
  if (job.status?.failed || job.status?.succeeded) throw await lossOf(options, namespace, name);
  // Until then it waited: for a place, or for the cluster to take it.
  if (created) clock.reached('queued', askedAt);
  // Before its container needs it; a creator that died in between leaves it to whoever comes next.
  await api.createSecret(sessionSecret(job, options.secretOf(name)));
  if (created) clock.reached('created');
  return waitForPod(options, namespace, name, request.signal, clock);
}

/** Says how a session ended. */
async function lossOf({ api }: StartOptions, namespace: string, name: string): Promise<SandboxError> {
  const pod = await api.readPod(namespace, name);
  const state = pod ? podStateOf(pod) : null;
  return sandboxLost(name, state?.phase === 'ended' ? state : { code: 'ended', why: 'it has ended' });
}

/** Waits until both containers of a session's pod run; resolves to its address. `clock` is told of both steps. @throws SandboxError */
export async function waitForPod(
  options: StartOptions,
  namespace: string,
  name: string,
  signal: AbortSignal | undefined,
  clock?: SessionClock,
): Promise<string> {
  const deadline = AbortSignal.timeout(options.settings.startSeconds * 1_000);
  let problem: PodProblem | null = null;
  let scheduled = false;
  for (
    let pod = options.pods.find(namespace, name);
    ;
    pod = await nextPod(options, namespace, name, deadline)
  ) {
    signal?.throwIfAborted();
    if (pod?.spec?.nodeName && !scheduled) {
      scheduled = true;
      clock?.reached('scheduled');
    }
    const state = pod === null ? null : podStateOf(pod);
    if (state?.phase === 'ended') throw sandboxLost(name, state);
    if (state?.phase === 'running') {
      clock?.reached('started');
      return state.address;
    }
    problem = state?.problem ?? (pod === null ? await refusal(options, namespace, name) : null);
    if (problem?.hopeless || deadline.aborted) break;
  }
  // It must not start after all when nobody waits for it any more.
  await options.api.deleteJob(namespace, name);
  if (problem === null) throw sandboxUnavailable(name, 'it took too long to start');
  throw new SandboxError('infrastructure', problem.code, `the sandbox cannot be started: ${problem.why}`);
}

/** The pod after the next change, asked for where the watch has not told of one. */
async function nextPod(
  { pods, api }: StartOptions,
  namespace: string,
  name: string,
  deadline: AbortSignal,
): Promise<V1Pod | null> {
  const quiet = AbortSignal.timeout(askEveryMs);
  await pods.changed(name, AbortSignal.any([quiet, deadline]));
  return quiet.aborted ? api.readPod(namespace, name) : pods.find(namespace, name);
}

/** A Job without a pod: why its pod is refused, which only the Job's events say. */
async function refusal({ api }: StartOptions, namespace: string, name: string): Promise<PodProblem | null> {
  const failures = await api.creationFailures(namespace, name);
  const last = failures.at(-1);
  if (last === undefined) return null;
  const refused = refusedPattern.test(last);
  const why = /exceeded quota/.test(last)
    ? 'all places for sandboxes are taken at the moment'
    : `the cluster refuses its pod: ${last.slice(0, 300)}`;
  return { code: refused ? 'sandbox_refused' : 'sandbox_unschedulable', why, hopeless: refused };
}
