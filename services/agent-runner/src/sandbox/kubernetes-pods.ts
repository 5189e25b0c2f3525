import { setTimeout as delay } from 'node:timers/promises';
import {
  CoreV1Api,
  type Informer,
  type KubeConfig,
  makeInformer,
  type ObjectCache,
  type V1Pod,
} from '@kubernetes/client-node';
import type { Logger } from '@swissbrain/service-kit/logger';
import { newest } from './kubernetes-api.ts';

/** The pods of sandboxes as they change. What it says is never the last word: it may be a moment behind. */
export interface SandboxPods {
  /** The newest pod of a Job, as far as it has been heard of. */
  find(namespace: string, job: string): V1Pod | null;
  /** Resolves when the pods of a Job have changed, or the signal fires. */
  changed(job: string, signal: AbortSignal): Promise<void>;
  stop(): Promise<void>;
}

const jobLabel = 'batch.kubernetes.io/job-name';
const firstPauseMs = 200;
const longestPauseMs = 10_000;
/** A quiet watch is opened again by the client after 30 s; who is quiet for longer hangs. */
const silenceMs = 90_000;
const relistMs = 300_000;

/** Watches the pods that `selector` selects in each namespace; starts again whatever ends it. */
export function watchSandboxPods(
  config: KubeConfig,
  namespaces: readonly string[],
  selector: string,
  log: Logger,
): SandboxPods {
  const waiting = new Map<string, Set<() => void>>();
  const tell = (pod: V1Pod) => {
    const job = pod.metadata?.labels?.[jobLabel] ?? '';
    for (const resume of waiting.get(job) ?? []) resume();
  };
  const stopping = new AbortController();
  const caches = new Map<string, ObjectCache<V1Pod>>();
  const loops = namespaces.map((namespace) =>
    follow({ config, namespace, selector, log, tell, stopping: stopping.signal, caches }),
  );

  return {
    find(namespace, job) {
      const pods = caches.get(namespace)?.list(namespace) ?? [];
      return newest(pods.filter((pod) => pod.metadata?.labels?.[jobLabel] === job));
    },
    async changed(job, signal) {
      const { promise, resolve } = Promise.withResolvers<void>();
      const others = waiting.get(job) ?? new Set();
      waiting.set(job, others.add(resolve));
      signal.addEventListener('abort', () => resolve(), { once: true });
      if (signal.aborted) resolve();
      await promise;
      others.delete(resolve);
      if (others.size === 0 && waiting.get(job) === others) waiting.delete(job);
    },
    async stop() {
      stopping.abort();
      await Promise.all(loops);
    },
  };
}

interface Following {
  readonly config: KubeConfig;
  readonly namespace: string;
  readonly selector: string;
  readonly log: Logger;
  readonly stopping: AbortSignal;
  readonly caches: Map<string, ObjectCache<V1Pod>>;
  tell(pod: V1Pod): void;
}

/** One informer after the other, each from a fresh list, with growing pauses while they fail at once. */
async function follow(following: Following): Promise<void> {
  const { stopping, log, namespace } = following;
  for (let failures = 0; !stopping.aborted; ) {
    const why = await followOnce(following);
    if (stopping.aborted) return;
    failures = why.heard ? 0 : failures + 1;
    if (why.error) log.warn({ err: why.error, namespace }, 'watching sandbox pods was interrupted');
    if (!why.error) continue;
    const pauseMs = Math.min(firstPauseMs * 2 ** failures, longestPauseMs) * (0.5 + Math.random());
    await delay(pauseMs, undefined, { signal: stopping }).catch(() => undefined);
  }
}

/** Resolves when this informer is to be replaced: it failed, fell silent, or is due for a fresh list. */
async function followOnce(
  following: Following,
): Promise<{ readonly error: unknown; readonly heard: boolean }> {
  const { namespace, stopping } = following;
  const informer = createInformer(following);
  const { promise, resolve } = Promise.withResolvers<unknown>();
  let heard = false;
  const silent = () => resolve(new Error(`nothing was heard for ${silenceMs} ms`));
  let silence = setTimeout(silent, silenceMs);
  const alive = () => {
    clearTimeout(silence);
    silence = setTimeout(silent, silenceMs);
  };
  const onPod = (pod: V1Pod) => {
    heard = true;
    alive();
    following.caches.set(namespace, informer);
    following.tell(pod);
  };
  for (const verb of ['add', 'update', 'delete'] as const) informer.on(verb, onPod);
  informer.on('connect', alive);
  informer.on('error', (error: unknown) => resolve(error ?? new Error('the watch has ended')));
  const relist = setTimeout(() => resolve(null), relistMs);
  const stop = () => resolve(null);
  stopping.addEventListener('abort', stop, { once: true });
  // It resolves with the first answer to the watch, and by then the list is in.
  informer.start().then(() => following.caches.set(namespace, informer), resolve);
  const error = await promise;
  clearTimeout(silence);
  clearTimeout(relist);
  stopping.removeEventListener('abort', stop);
  await informer.stop();
  return { error, heard };
}

function createInformer({ config, namespace, selector }: Following): Informer<V1Pod> & ObjectCache<V1Pod> {
  const core = config.makeApiClient(CoreV1Api);
  const list = () => core.listNamespacedPod({ namespace, labelSelector: selector });
  return makeInformer(config, `/api/v1/namespaces/${namespace}/pods`, list, selector);
}
