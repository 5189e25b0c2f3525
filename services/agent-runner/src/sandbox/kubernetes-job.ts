import { createHash } from 'node:crypto';
import type { V1Container, V1EnvVar, V1Job, V1PodSpec, V1Secret } from '@kubernetes/client-node';
import type { OpenSession, SessionLimits } from './driver.ts';
import { SandboxError } from './errors.ts';
import type { KubernetesSettings } from './kubernetes-settings.ts';

/** On each object of a session. */
export const labels = {
  managedBy: 'app.kubernetes.io/managed-by',
  component: 'app.kubernetes.io/component',
  instance: 'app.kubernetes.io/instance',
  run: 'swissbrain.dev/run',
  session: 'swissbrain.dev/session',
  /** `idle` until a run has taken it, `bound` from then on; only on sessions of the pool. */
  warm: 'swissbrain.dev/warm',
  /** Sessions of the pool with the same value are alike. */
  pool: 'swissbrain.dev/pool',
  /** `internet` on pods that the chart's policy `to-the-internet` lets out. */
  egress: 'swissbrain.dev/egress',
} as const;
export const runtimePort = 8_080;

const users = { runtime: 10_001, code: 10_002, shared: 10_000 };
const socketDir = '/run/sandbox';
/** Beside the programs' own: the supervisor and what the kernel keeps for the container. */
const supervisorMb = 192;
/** Output and records of a whole session. */
const stateMb = 1_024;
const graceSeconds = 5;
/** A node that is silent is given up after this long; until then its sandboxes may come back. */
const unreachableSeconds = 30;

const runIdPattern = /^[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}$/;

/** The name of a session's Job and Secret. @throws SandboxError */
export function sessionJobName(runId: string, sessionNo: number): string {
  if (runIdPattern.test(runId) && Number.isInteger(sessionNo) && sessionNo >= 1 && sessionNo < 1e9) {
    return `sb-${runId}-${sessionNo}`;
  }
  throw new SandboxError('user', 'session_invalid', 'a session is named by a run id and a number');
}

/** Selects the sandboxes of this installation. */
export function instanceSelector({ instance }: KubernetesSettings): string {
  return `${labels.component}=sandbox,${labels.instance}=${instance}`;
}

/** The namespace for sandboxes of this tier. */
export function namespaceFor({ namespaces }: KubernetesSettings, { tier }: SessionLimits): string {
  return namespaces.get(tier) ?? namespaces.get('default') ?? '';
}

/** No Job is older: its start and its life, and what the runtime takes to end it. */
export function longestSessionSeconds({ startSeconds, lifetimeSeconds }: KubernetesSettings): number {
  return startSeconds + lifetimeSeconds + 60;
}

/** The Job of a session: one pod, once, without a retry: whether code runs again is for the run to decide. */
export function sessionJob(settings: KubernetesSettings, { runId, sessionNo, limits }: OpenSession): V1Job {
  const marks = { [labels.run]: runId, [labels.session]: String(sessionNo) };
  return jobOf(settings, sessionJobName(runId, sessionNo), limits, marks);
}

/** The same for no run yet. */
export function warmJob(settings: KubernetesSettings, name: string, limits: SessionLimits): V1Job {
  return jobOf(settings, name, limits, { [labels.warm]: 'idle', [labels.pool]: poolOf(settings, limits) });
}

/** What sessions are alike in: everything about their pods but the name and the run. */
export function poolOf(settings: KubernetesSettings, limits: SessionLimits): string {
  const alike = [namespaceFor(settings, limits), settings.egress, podSpec(settings, 'name', limits)];
  return createHash('sha256').update(JSON.stringify(alike)).digest('hex').slice(0, 16);
}

/** Selects the idle sessions for these limits. */
export function poolSelector(settings: KubernetesSettings, limits: SessionLimits): string {
  return `${instanceSelector(settings)},${labels.warm}=idle,${labels.pool}=${poolOf(settings, limits)}`;
}

/** Selects a session of the pool by the run that has taken it. */
export function boundSelector(settings: KubernetesSettings, runId: string, sessionNo: number): string {
  return `${instanceSelector(settings)},${labels.warm}=bound,${labels.run}=${runId},${labels.session}=${sessionNo}`;
}

function jobOf(
  settings: KubernetesSettings,
  name: string,
  limits: SessionLimits,
  own: Readonly<Record<string, string>>,
): V1Job {
  const marks = {
    [labels.managedBy]: 'swissbrain',
    [labels.component]: 'sandbox',
    [labels.instance]: settings.instance,
    ...(settings.egress === 'internet' ? { [labels.egress]: 'internet' } : {}),
    ...own,
  };
  const annotations = {
    'cluster-autoscaler.kubernetes.io/safe-to-evict': 'false',
    'karpenter.sh/do-not-disrupt': 'true',
  };
  return {
    apiVersion: 'batch/v1',
    kind: 'Job',
    metadata: { name, namespace: namespaceFor(settings, limits), labels: marks },
    spec: {
      backoffLimit: 0,
      podReplacementPolicy: 'Failed',
      activeDeadlineSeconds: longestSessionSeconds(settings),
      ttlSecondsAfterFinished: 600,
      template: { metadata: { labels: marks, annotations }, spec: podSpec(settings, name, limits) },
    },
  };
}

/** The session's secret, which Kubernetes removes with the Job. */
export function sessionSecret(job: V1Job, secret: string): V1Secret {
  const { name = '', namespace, uid = '', labels: marks } = job.metadata ?? {};
  const owner = { apiVersion: 'batch/v1', kind: 'Job', name, uid };
  return {
    apiVersion: 'v1',
    kind: 'Secret',
    metadata: { name, namespace, labels: marks, ownerReferences: [owner] },
    immutable: true,
    stringData: { secret },
  };
}

function podSpec(settings: KubernetesSettings, name: string, limits: SessionLimits): V1PodSpec {
  const away = { operator: 'Exists', effect: 'NoExecute', tolerationSeconds: unreachableSeconds };
  return {
    restartPolicy: 'Never',
    serviceAccountName: 'sandbox',
    automountServiceAccountToken: false,
    enableServiceLinks: false,
    terminationGracePeriodSeconds: graceSeconds,
    ...(settings.runtimeClass === undefined ? {} : { runtimeClassName: settings.runtimeClass }),
    ...(settings.hostUsers ? {} : { hostUsers: false }),
    // No names to look up but, with egress, those of the internet; nothing of the cluster in resolv.conf.
    dnsPolicy: 'None',
    dnsConfig: { nameservers: nameserversOf(settings) },
    tolerations: ['node.kubernetes.io/not-ready', 'node.kubernetes.io/unreachable'].map((key) => ({
      key,
      ...away,
    })),
    securityContext: {
      runAsNonRoot: true,
      fsGroup: users.shared,
      seccompProfile: { type: 'RuntimeDefault' },
    },
    containers: [runtimeContainer(settings, name, limits), codeContainer(settings, limits)],
    volumes: [
      { name: 'link', emptyDir: { medium: 'Memory', sizeLimit: '1Mi' } },
      { name: 'state', emptyDir: { sizeLimit: `${stateMb}Mi` } },
      // The runtime watches the workspace itself; this is what holds should it fail.
      { name: 'workspace', emptyDir: { sizeLimit: `${limits.diskMb + 64}Mi` } },
      { name: 'tmp', emptyDir: { sizeLimit: `${limits.diskMb + 64}Mi` } },
      { name: 'shm', emptyDir: { medium: 'Memory', sizeLimit: '64Mi' } },
    ],
  };
}

function nameserversOf({ egress, nameservers }: KubernetesSettings): string[] {
  return egress === 'internet' && nameservers.length > 0 ? [...nameservers] : ['127.0.0.1'];
}

function runtimeContainer(settings: KubernetesSettings, name: string, limits: SessionLimits): V1Container {
  return {
    ...container(settings, 'runtime'),
    env: [
      { name: 'SANDBOX_SECRET', valueFrom: { secretKeyRef: { name, key: 'secret' } } },
      ...environment({
        SANDBOX_HOST: '0.0.0.0',
        SANDBOX_PORT: runtimePort,
        SANDBOX_CODE_SOCKET: `${socketDir}/code.sock`,
        SANDBOX_STATE: '/state/records',
        SANDBOX_MEMORY_MB: limits.memoryMb,
        SANDBOX_DISK_MB: limits.diskMb,
        SANDBOX_WALL_SECONDS: limits.seconds,
        SANDBOX_IDLE_SECONDS: settings.idleSeconds,
        SANDBOX_LIFETIME_SECONDS: settings.lifetimeSeconds,
      }),
    ],
    ports: [{ name: 'runtime', containerPort: runtimePort }],
    resources: {
      requests: { cpu: '50m', memory: '96Mi', 'ephemeral-storage': '16Mi' },
      limits: { cpu: '1', memory: '256Mi', 'ephemeral-storage': `${stateMb + 64}Mi` },
    },
    volumeMounts: [
      { name: 'link', mountPath: socketDir },
      { name: 'state', mountPath: '/state' },
    ],
  };
}

function codeContainer(settings: KubernetesSettings, limits: SessionLimits): V1Container {
  const memory = `${limits.memoryMb + supervisorMb}Mi`;
  const diskMb = limits.diskMb + 64;
  return {
    ...container(settings, 'code'),
    env: environment({
      SANDBOX_CODE_SOCKET: `${socketDir}/code.sock`,
      SANDBOX_WORKSPACE: '/workspace',
      SANDBOX_SCRATCH: '/tmp',
      SANDBOX_DISK_MB: limits.diskMb,
    }),
    resources: {
      requests: { cpu: `${Math.ceil(limits.cpuMillis / 4)}m`, memory, 'ephemeral-storage': '16Mi' },
      limits: { cpu: `${limits.cpuMillis}m`, memory, 'ephemeral-storage': `${2 * diskMb + 64}Mi` },
    },
    volumeMounts: [
      // It is connected to, which needs no right to write here.
      { name: 'link', mountPath: socketDir, readOnly: true },
      { name: 'workspace', mountPath: '/workspace' },
      { name: 'tmp', mountPath: '/tmp' },
      // Its own: the one that containers of a pod share would be a way into the runtime's memory.
      { name: 'shm', mountPath: '/dev/shm' },
    ],
  };
}

function container({ image, imagePullPolicy }: KubernetesSettings, role: 'runtime' | 'code'): V1Container {
  return {
    name: role,
    image,
    imagePullPolicy,
    args: [role],
    securityContext: {
      runAsNonRoot: true,
      runAsUser: users[role],
      runAsGroup: users[role],
      allowPrivilegeEscalation: false,
      readOnlyRootFilesystem: true,
      capabilities: { drop: ['ALL'] },
    },
  };
}

function environment(values: Readonly<Record<string, string | number>>): V1EnvVar[] {
  return Object.entries(values).map(([name, value]) => ({ name, value: String(value) }));
}
