import { setTimeout as delay } from 'node:timers/promises';
import {
  ApiException,
  BatchV1Api,
  type ConfigurationOptions,
  CoreV1Api,
  type KubeConfig,
  Observable,
  type V1Job,
  type V1Pod,
  type V1Secret,
} from '@kubernetes/client-node';
import { SandboxError } from './errors.ts';
import { type Middleware, sharedConnections } from './kubernetes-connections.ts';

/** What the driver asks of a cluster; each call is repeated where that may help. */
export interface KubernetesApi {
  /** Null when there is a Job of that name already. `onAttempt` is told before each time it is asked for. */
  createJob(job: V1Job, onAttempt?: () => void): Promise<V1Job | null>;
  readJob(namespace: string, name: string): Promise<V1Job | null>;
  /** With its pod and its Secret; harmless when there is none. */
  deleteJob(namespace: string, name: string): Promise<void>;
  listJobs(namespace: string, selector: string): Promise<readonly V1Job[]>;
  /** Applies a JSON patch. Null when there is no such Job, or when a `test` of the patch has failed. */
  patchJob(namespace: string, name: string, patch: readonly unknown[]): Promise<V1Job | null>;
  /** Deletes a Job with its pod unless it has changed since it was read. */
  retireJob(job: V1Job): Promise<void>;
  /** Harmless when there is one of that name already. */
  createSecret(secret: V1Secret): Promise<void>;
  /** The pod of a Job; of several the newest. */
  readPod(namespace: string, job: string): Promise<V1Pod | null>;
  /** Why a Job's pod could not be made, newest last. */
  creationFailures(namespace: string, job: string): Promise<readonly string[]>;
}

const attempts = 5;
const firstDelayMs = 100;
const longestDelayMs = 5_000;
const callTimeoutMs = 10_000;

/** The cluster's API with a deadline per call, and jittered growing pauses between attempts. */
export function createKubernetesApi(config: KubeConfig): KubernetesApi {
  const batch = config.makeApiClient(BatchV1Api);
  const core = config.makeApiClient(CoreV1Api);
  const connections = sharedConnections();
  const asUsual = () => withDeadline(connections);
  const podsOf = (job: string) => `batch.kubernetes.io/job-name=${job}`;

  return {
    createJob: (job, onAttempt) =>
      attempt(() => {
        onAttempt?.();
        return batch.createNamespacedJob({ namespace: namespaceOf(job), body: job }, asUsual());
      }, 409),
    readJob: (namespace, name) => attempt(() => batch.readNamespacedJob({ namespace, name }, asUsual()), 404),
    async deleteJob(namespace, name) {
      const options = { namespace, name, propagationPolicy: 'Background' };
      await attempt(() => batch.deleteNamespacedJob(options, asUsual()), 404);
    },
    async listJobs(namespace, labelSelector) {
      const list = await attempt(() => batch.listNamespacedJob({ namespace, labelSelector }, asUsual()));
      return list?.items ?? [];
    },
    patchJob: (namespace, name, body) =>
      attempt(() => batch.patchNamespacedJob({ namespace, name, body }, asUsual()), 404, 422),
    async retireJob(job) {
      const { name = '', resourceVersion } = job.metadata ?? {};
      const body = { propagationPolicy: 'Background', preconditions: { resourceVersion } };
      const options = { namespace: namespaceOf(job), name, body };
      await attempt(() => batch.deleteNamespacedJob(options, asUsual()), 404, 409);
    },
    async createSecret(secret) {
      const namespace = namespaceOf(secret);
      await attempt(() => core.createNamespacedSecret({ namespace, body: secret }, asUsual()), 409);
    },
    async readPod(namespace, job) {
      const labelSelector = podsOf(job);
      const list = await attempt(() => core.listNamespacedPod({ namespace, labelSelector }, asUsual()));
      return newest(list?.items ?? []);
    },
    async creationFailures(namespace, job) {
      const fieldSelector = `involvedObject.kind=Job,involvedObject.name=${job},reason=FailedCreate`;
      const list = await attempt(() => core.listNamespacedEvent({ namespace, fieldSelector }, asUsual()));
      return (list?.items ?? []).map((event) => event.message ?? '');
    },
  };
}

/** Of pods of one Job the one that was made last. */
export function newest(pods: readonly V1Pod[]): V1Pod | null {
  const made = (pod: V1Pod) => pod.metadata?.creationTimestamp?.valueOf() ?? 0;
  return pods.toSorted((a, b) => made(b) - made(a))[0] ?? null;
}

function namespaceOf(object: V1Job | V1Secret): string {
  return object.metadata?.namespace ?? '';
}

function withDeadline(connections: Middleware): ConfigurationOptions {
  const signal = AbortSignal.timeout(callTimeoutMs);
  return {
    middlewareMergeStrategy: 'append',
    middleware: [
      connections,
      {
        pre(context) {
          context.setSignal(signal);
          return new Observable(Promise.resolve(context));
        },
        post: (context) => new Observable(Promise.resolve(context)),
      },
    ],
  };
}

/** Resolves to null at a status that is an answer too. @throws SandboxError */
async function attempt<T>(call: () => Promise<T>, ...answers: readonly number[]): Promise<T | null> {
  for (let number = 1; ; number += 1) {
    try {
      return await call();
    } catch (error) {
      if (error instanceof ApiException && answers.includes(error.code)) return null;
      const pauseMs = pauseBefore(error, number);
      if (pauseMs === null) throw apiFailure(error);
      await delay(pauseMs);
    }
  }
}

/** Null where another attempt would not help. */
function pauseBefore(error: unknown, number: number): number | null {
  const passing = !(error instanceof ApiException) || error.code === 429 || error.code >= 500;
  if (!passing || number >= attempts) return null;
  const asked = error instanceof ApiException ? Number(error.headers['retry-after']) * 1_000 : Number.NaN;
  const own = firstDelayMs * 2 ** number * (0.5 + Math.random());
  return Math.min(Number.isFinite(asked) ? asked + own : own, longestDelayMs);
}

/** The words for a call that failed. Bodies of answers stay out: they may repeat what was sent. */
function apiFailure(error: unknown): SandboxError {
  if (!(error instanceof ApiException)) {
    const message = 'the cluster that runs sandboxes cannot be reached at the moment';
    return new SandboxError('infrastructure', 'sandbox_cluster_unreachable', message, { cause: error });
  }
  const reason = reasonOf(error.body);
  if (error.code === 403 && /exceeded quota/.test(reason)) {
    return new SandboxError(
      'infrastructure',
      'sandbox_quota',
      'all places for sandboxes are taken at the moment',
    );
  }
  if (isPassing(error.code, reason)) {
    const message = `the cluster that runs sandboxes does not serve them at the moment (${error.code}): ${reason}`;
    return new SandboxError('infrastructure', 'sandbox_cluster_unreachable', message);
  }
  const message = `the cluster refused the sandbox (${error.code}): ${reason}`;
  return new SandboxError('infrastructure', 'sandbox_refused', message);
}

/** An API server that has begun a moment ago knows neither us nor our rights, and takes nothing that it has to check. */
function isPassing(code: number, reason: string): boolean {
  if (code === 401 || code === 429 || code >= 500) return true;
  return code === 403 && /cannot [a-z]+ resource|not yet ready to handle request/.test(reason);
}

function reasonOf(body: unknown): string {
  try {
    const value: unknown = typeof body === 'string' ? JSON.parse(body) : body;
    if (typeof value === 'object' && value !== null && 'message' in value)
      return String(value.message).slice(0, 500);
  } catch {
    // Not JSON: a proxy in between has answered, and its page is of no use to anybody.
  }
  return 'no reason given';
}
