import type { V1ContainerStatus, V1Pod, V1PodStatus } from '@kubernetes/client-node';
import { describe, expect, it } from 'vitest';
import { podStateOf } from './kubernetes-pod-state.ts';

const container = (overrides: Partial<V1ContainerStatus>): V1ContainerStatus => ({
  ...{ name: 'code', image: 'i', imageID: '', ready: true, restartCount: 0 },
  state: { running: {} },
  ...overrides,
});
const both = [container({ name: 'runtime' }), container({ name: 'code' })];
const pod = (status: V1PodStatus, metadata: V1Pod['metadata'] = {}): V1Pod => ({ metadata, status });
const waiting = (reason: string) =>
  pod({ containerStatuses: [container({ state: { waiting: { reason } } })] });
const condition = (type: string, reason: string, status = 'True') => ({ type, reason, status });

describe('a pod', () => {
  it('runs when both its containers do, were never started again, and it has an address', () => {
    expect(podStateOf(pod({ podIP: '10.1.2.3', containerStatuses: both }))).toEqual({
      phase: 'running',
      address: '10.1.2.3',
    });
    expect(podStateOf(pod({ containerStatuses: both })).phase).toBe('starting');
    expect(podStateOf(pod({ podIP: '10.1.2.3', containerStatuses: both.slice(1) })).phase).toBe('starting');
    const again = [container({ name: 'runtime', restartCount: 1 }), container({})];
    expect(podStateOf(pod({ podIP: '10.1.2.3', containerStatuses: again }))).toMatchObject({
      phase: 'ended',
    });
  });

  it.each([
    [
      'out_of_memory',
      pod({
        containerStatuses: [container({ state: { terminated: { exitCode: 137, reason: 'OOMKilled' } } })],
      }),
    ],
    [
      'disk_full',
      pod({
        phase: 'Failed',
        reason: 'Evicted',
        message: 'Usage of EmptyDir volume "workspace" exceeds the limit',
      }),
    ],
    [
      'evicted',
      pod({ phase: 'Failed', reason: 'Evicted', message: 'The node was low on resource: memory.' }),
    ],
    ['evicted', pod({ conditions: [condition('DisruptionTarget', 'EvictionByEvictionAPI')] })],
    ['node_lost', pod({ conditions: [condition('DisruptionTarget', 'DeletionByTaintManager')] })],
    ['deadline', pod({ phase: 'Failed', reason: 'DeadlineExceeded' })],
    ['ended', pod({ containerStatuses: both }, { deletionTimestamp: new Date(0) })],
    ['ended', pod({ phase: 'Succeeded' })],
    ['ended', pod({ containerStatuses: [container({ state: { terminated: { exitCode: 1 } } })] })],
  ])('has ended: %s', (code, given) => {
    const state = podStateOf(given);
    expect(state).toMatchObject({ phase: 'ended', code });
    expect(state.phase === 'ended' && state.why.length).toBeGreaterThan(10);
  });

  it.each([
    ['ErrImagePull', 'sandbox_image_missing', false],
    ['ImagePullBackOff', 'sandbox_image_missing', true],
    ['InvalidImageName', 'sandbox_image_missing', true],
    ['RunContainerError', 'sandbox_refused', false],
  ])('waits on %s', (reason, code, hopeless) => {
    expect(podStateOf(waiting(reason))).toMatchObject({ phase: 'starting', problem: { code, hopeless } });
  });

  it('waits for room, and without a reason', () => {
    const full = pod({ conditions: [condition('PodScheduled', 'Unschedulable', 'False')] });
    expect(podStateOf(full)).toMatchObject({ problem: { code: 'sandbox_unschedulable', hopeless: false } });
    expect(podStateOf(waiting('ContainerCreating'))).toEqual({ phase: 'starting', problem: null });
  });
});
