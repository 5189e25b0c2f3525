import { json } from 'node:stream/consumers';
import { KubeConfig } from '@kubernetes/client-node';
import type { ExecuteRequest, OpenSession } from '@swissbrain/agent-runner/sandbox/driver';
import { createKubernetesDriver } from '@swissbrain/agent-runner/sandbox/kubernetes-driver';
import type { KubernetesSettings } from '@swissbrain/agent-runner/sandbox/kubernetes-settings';
import { createLogger } from '@swissbrain/service-kit/logger';
import { createMetrics } from '@swissbrain/service-kit/metrics';

// Stands for an agent-runner that a test kills: opens the session it is told, executes what it is told and prints
// each piece of output as a line of JSON.
const { settings, namespaces, request, execution } = (await json(process.stdin)) as {
  readonly settings: Omit<KubernetesSettings, 'namespaces'>;
  readonly namespaces: readonly [string, string][];
  readonly request: OpenSession;
  readonly execution: ExecuteRequest;
};
const config = new KubeConfig();
config.loadFromDefault();
const driver = createKubernetesDriver(
  config,
  { ...settings, namespaces: new Map(namespaces) },
  { log: createLogger({ service: 'test', level: 'silent' }), metrics: createMetrics('test') },
);
const session = await driver.openSession(request);
await session.execute(execution, ({ data, nextOffset }) => {
  process.stdout.write(`${JSON.stringify({ data: Buffer.from(data).toString('base64'), nextOffset })}\n`);
});
