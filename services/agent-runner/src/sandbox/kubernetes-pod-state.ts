import type { V1ContainerStatus, V1Pod } from '@kubernetes/client-node';
import type { Loss, LossCode } from './errors.ts';

/** What a session's pod is, as far as the cluster knows. */
export type PodState =
  /** On its way; `problem` says what holds it up, `hopeless` that waiting does not help. */
  | { readonly phase: 'starting'; readonly problem: PodProblem | null }
  | { readonly phase: 'running'; readonly address: string }
  /** Never again; in words for the user. */
  | ({ readonly phase: 'ended' } & Loss);

export interface PodProblem {
  readonly code: 'sandbox_image_missing' | 'sandbox_unschedulable' | 'sandbox_refused';
  readonly why: string;
  readonly hopeless: boolean;
}

const imageProblems = new Set(['ErrImagePull', 'ImagePullBackOff', 'InvalidImageName', 'ErrImageNeverPull']);
const setupProblems = new Set(['CreateContainerError', 'RunContainerError']);

/** Reads a pod's status. Both containers must run and must never have been started again. */
export function podStateOf(pod: V1Pod): PodState {
  const { status, metadata } = pod;
  const statuses = status?.containerStatuses ?? [];
  const ended = endOf(pod, statuses);
  if (ended) return ended;
  const running =
    statuses.length === 2 && statuses.every((one) => one.state?.running && one.restartCount === 0);
  if (running && status?.podIP) return { phase: 'running', address: status.podIP };
  return { phase: 'starting', problem: metadata ? problemOf(pod, statuses) : null };
}

function endOf(pod: V1Pod, statuses: readonly V1ContainerStatus[]): PodState | null {
  const { status, metadata } = pod;
  const ended = (code: LossCode, why: string): PodState => ({ phase: 'ended', code, why });
  if (statuses.some((one) => one.state?.terminated?.reason === 'OOMKilled')) {
    return ended('out_of_memory', 'it took more memory than it may have');
  }
  if (status?.reason === 'Evicted') {
    const disk = /ephemeral|emptyDir|disk/i.test(status.message ?? '');
    return disk
      ? ended('disk_full', 'it took more disk than it may have')
      : ended('evicted', 'the node needed its place');
  }
  const disrupted = status?.conditions?.find(
    (one) => one.type === 'DisruptionTarget' && one.status === 'True',
  );
  if (disrupted?.reason === 'DeletionByTaintManager' || status?.reason === 'NodeLost') {
    return ended('node_lost', 'the machine it ran on is gone');
  }
  if (disrupted) return ended('evicted', 'the cluster took its place for something else');
  if (status?.reason === 'DeadlineExceeded') return ended('deadline', 'its time was over');
  if (metadata?.deletionTimestamp) return ended('ended', 'it was removed');
  if (status?.phase === 'Failed' || status?.phase === 'Succeeded') return ended('ended', 'it has ended');
  const stopped = statuses.find((one) => one.state?.terminated || one.restartCount > 0);
  if (stopped) return ended('ended', `its ${stopped.name} container has ended`);
  return null;
}

function problemOf(pod: V1Pod, statuses: readonly V1ContainerStatus[]): PodProblem | null {
  const scheduled = pod.status?.conditions?.find((one) => one.type === 'PodScheduled');
  if (scheduled?.status === 'False' && scheduled.reason === 'Unschedulable') {
    const why = 'no machine has room for it at the moment';
    return { code: 'sandbox_unschedulable', why, hopeless: false };
  }
  for (const { state, name } of statuses) {
    const reason = state?.waiting?.reason ?? '';
    if (imageProblems.has(reason)) {
      // The first failure may pass; a back-off is the second.
      const hopeless = reason !== 'ErrImagePull';
      return { code: 'sandbox_image_missing', why: 'its image is not to be had', hopeless };
    }
    if (setupProblems.has(reason)) {
      const why = `its ${name} container cannot be started: ${reason}`;
      return { code: 'sandbox_refused', why, hopeless: false };
    }
  }
  return null;
}
