import { resolve } from 'node:path';
import { KubeConfig } from '@kubernetes/client-node';
import type { Platform } from '@swissbrain/service-kit/platform';
import type { SandboxDriver } from './driver.ts';
import { createKubernetesDriver } from './kubernetes-driver.ts';
import { createLocalDriver } from './local-driver.ts';

/** The settings of the service that are about sandboxes. */
export interface SandboxConfig {
  readonly NODE_ENV: string;
  readonly PATH: string;
  readonly SANDBOX_DRIVER: 'local' | 'kubernetes';
  readonly SANDBOX_DIR?: string | undefined;
  readonly SANDBOX_SECRET: string;
  readonly SANDBOX_IDLE_SECONDS: number;
  readonly SANDBOX_LIFETIME_SECONDS: number;
  readonly SANDBOX_IMAGE?: string | undefined;
  readonly SANDBOX_IMAGE_PULL_POLICY: 'IfNotPresent' | 'Always' | 'Never';
  readonly SANDBOX_NAMESPACES?: ReadonlyMap<string, string> | undefined;
  readonly SANDBOX_INSTANCE: string;
  readonly SANDBOX_RUNTIME_CLASS?: string | undefined;
  readonly SANDBOX_HOST_USERS: boolean;
  readonly SANDBOX_EGRESS: 'none' | 'internet';
  readonly SANDBOX_NAMESERVERS: readonly string[];
  readonly SANDBOX_START_SECONDS: number;
  readonly SANDBOX_WARM_SESSIONS: number;
}

/** The driver that the settings choose; what it opens is on the release stack. */
export function createSandboxDriver(
  config: SandboxConfig,
  { log, metrics, release }: Pick<Platform, 'log' | 'metrics' | 'release'>,
): SandboxDriver {
  const common = {
    secret: config.SANDBOX_SECRET,
    idleSeconds: config.SANDBOX_IDLE_SECONDS,
    lifetimeSeconds: config.SANDBOX_LIFETIME_SECONDS,
  };
  if (config.SANDBOX_DRIVER === 'local') {
    const directory = resolve(required(config.SANDBOX_DIR, 'SANDBOX_DIR'));
    const { NODE_ENV: environment, PATH: searchPath } = config;
    return createLocalDriver({ ...common, directory, environment, searchPath });
  }
  const cluster = new KubeConfig();
  cluster.loadFromDefault();
  const settings = {
    ...common,
    image: required(config.SANDBOX_IMAGE, 'SANDBOX_IMAGE'),
    imagePullPolicy: config.SANDBOX_IMAGE_PULL_POLICY,
    namespaces: required(config.SANDBOX_NAMESPACES, 'SANDBOX_NAMESPACES'),
    instance: config.SANDBOX_INSTANCE,
    runtimeClass: config.SANDBOX_RUNTIME_CLASS,
    hostUsers: config.SANDBOX_HOST_USERS,
    egress: config.SANDBOX_EGRESS,
    nameservers: config.SANDBOX_NAMESERVERS,
    startSeconds: config.SANDBOX_START_SECONDS,
    warmSessions: config.SANDBOX_WARM_SESSIONS,
  };
  const driver = createKubernetesDriver(cluster, settings, { log, metrics });
  release.add('sandboxes', () => driver.stop());
  return driver;
}

/** The configuration has checked it; this is for the types. */
function required<T>(value: T | undefined, name: string): T {
  if (value === undefined) throw new Error(`${name} is missing`);
  return value;
}
