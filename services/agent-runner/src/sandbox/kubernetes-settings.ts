import type { Logger } from '@swissbrain/service-kit/logger';
import type { Registry } from '@swissbrain/service-kit/metrics';
import { z } from 'zod';

/** How sandboxes look on a cluster. */
export interface KubernetesSettings {
  /** The service's own secret, from which that of each session is derived; at least 32 characters. */
  readonly secret: string;
  /** Namespaces by tier; `default` is for tiers that are not named. */
  readonly namespaces: ReadonlyMap<string, string>;
  readonly image: string;
  readonly imagePullPolicy: 'IfNotPresent' | 'Always' | 'Never';
  /** Tells the sandboxes of one installation from those of another in the same namespaces. */
  readonly instance: string;
  readonly runtimeClass: string | undefined;
  /** False gives each pod a user namespace of its own. */
  readonly hostUsers: boolean;
  /** `internet` asks the network policies of the namespace to let sandboxes out; what they allow is the chart's. */
  readonly egress: 'none' | 'internet';
  /** Addresses of name servers for sandboxes with egress; without any they find nothing by name. */
  readonly nameservers: readonly string[];
  /** The longest a session may take from its creation to its first answer. */
  readonly startSeconds: number;
  readonly idleSeconds: number;
  readonly lifetimeSeconds: number;
  /** Idle sessions kept for each of the limits that runs have asked for lately; 0 keeps none. */
  readonly warmSessions: number;
}

export interface KubernetesSurroundings {
  readonly log: Logger;
  readonly metrics: Registry;
}

const namespacePattern = /^[a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?$/;

/** `default=swissbrain-sandbox,pro=swissbrain-sandbox-pro`: a namespace for each tier, and one for the rest. */
export const namespacesByTier = z.string().transform((text, context): ReadonlyMap<string, string> => {
  const namespaces = new Map<string, string>();
  for (const pair of text.split(',')) {
    const [tier = '', namespace = ''] = pair.trim().split('=', 2);
    if (tier === '' || !namespacePattern.test(namespace)) {
      context.addIssue({ code: 'custom', message: `"${pair}" is not <tier>=<namespace>` });
    }
    namespaces.set(tier, namespace);
  }
  if (!namespaces.has('default'))
    context.addIssue({ code: 'custom', message: 'default=<namespace> is missing' });
  return namespaces;
});

/** `1.1.1.1,8.8.8.8`: addresses, as many as a pod may have name servers. */
export const nameserverList = z
  .string()
  .transform((text) => text.split(',').filter(Boolean))
  .pipe(z.array(z.union([z.ipv4(), z.ipv6()])).max(3));
