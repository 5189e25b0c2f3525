import { randomUUID } from 'node:crypto';
import {
  ApiException,
  BatchV1Api,
  CoreV1Api,
  KubeConfig,
  type V1Job,
  type V1PodSpec,
} from '@kubernetes/client-node';
import { watchSandboxPods } from '@swissbrain/agent-runner/sandbox/kubernetes-pods';
import type { Logger } from '@swissbrain/service-kit/logger';
import { apply } from '../../tests/cluster/cluster.ts';
import type { Started } from './request.ts';

/** Jobs of one container that print one byte, and how long they take to it. */
export interface BareJobs {
  /** From the request to the first byte of the log. */
  firstByte(kind: 'bare' | 'leanest'): Promise<Started>;
  stop(): Promise<void>;
}

const deadlineMs = 180_000;

/**
 * `bare` is what everybody writes: Kubernetes mounts the service account's token, and the program is one of Node, as a
 * session's. `leanest` has no token, hence no volume, and a shell instead of Node: nothing can start faster.
 */
function podSpec(image: string, kind: 'bare' | 'leanest', cpuMillis: number, memoryMb: number): V1PodSpec {
  const command =
    kind === 'bare' ? ['node', '-e', `process.stdout.write('x')`] : ['/bin/sh', '-c', 'printf x'];
  const limits = { cpu: `${cpuMillis}m`, memory: `${memoryMb}Mi` };
  const requests = { cpu: `${Math.ceil(cpuMillis / 4)}m`, memory: `${memoryMb}Mi` };
  return {
    restartPolicy: 'Never',
    terminationGracePeriodSeconds: 0,
    ...(kind === 'leanest' ? { automountServiceAccountToken: false } : {}),
    containers: [
      { name: 'main', image, command, imagePullPolicy: 'IfNotPresent', resources: { limits, requests } },
    ],
  };
}

/** Starts watching a namespace of its own. */
export async function createBareJobs(
  namespace: string,
  image: string,
  limits: { readonly cpuMillis: number; readonly memoryMb: number },
  log: Logger,
): Promise<BareJobs> {
  await apply({ apiVersion: 'v1', kind: 'Namespace', metadata: { name: namespace } });
  const config = new KubeConfig();
  config.loadFromDefault();
  const [batch, core] = [config.makeApiClient(BatchV1Api), config.makeApiClient(CoreV1Api)];
  const marks = { 'swissbrain.dev/bench': 'bare-job' };
  // The same watch as ours: what is compared is the session, not the way of learning of it.
  const pods = watchSandboxPods(config, [namespace], 'swissbrain.dev/bench=bare-job', log);

  /** The whole log once there is some; empty while the kubelet has none. */
  const readLog = async (pod: string): Promise<string> => {
    try {
      return await core.readNamespacedPodLog({ namespace, name: pod, follow: true });
    } catch (error) {
      if (error instanceof ApiException && error.code === 400) return '';
      throw error;
    }
  };
  const untilFirstByte = async (name: string): Promise<void> => {
    const deadline = AbortSignal.timeout(deadlineMs);
    while (!deadline.aborted) {
      const pod = pods.find(namespace, name);
      const [status] = pod?.status?.containerStatuses ?? [];
      const began = status?.state?.running ?? status?.state?.terminated;
      if (began && (await readLog(pod?.metadata?.name ?? '')) !== '') return;
      await pods.changed(name, deadline);
    }
    throw new Error(`the Job ${name} gave no output`);
  };

  return {
    async firstByte(kind) {
      const name = `bare-${randomUUID()}`;
      const template = {
        metadata: { labels: marks },
        spec: podSpec(image, kind, limits.cpuMillis, limits.memoryMb),
      };
      const body: V1Job = { metadata: { name, labels: marks }, spec: { backoffLimit: 0, template } };
      const began = performance.now();
      await batch.createNamespacedJob({ namespace, body });
      await untilFirstByte(name);
      const end = async () => {
        await batch.deleteNamespacedJob({ namespace, name, propagationPolicy: 'Background' });
      };
      return { ms: performance.now() - began, phases: {}, end };
    },
    stop: () => pods.stop(),
  };
}
