import type { Client } from '@swissbrain/client/client';
import type { CreateRunBody, RunEvent } from '@swissbrain/client/types';
import { waitFor } from '@swissbrain/testkit/wait';
import { breakCluster, kubectl } from './cluster.ts';

const outOfService = 'node.kubernetes.io/out-of-service';

/** A run whose last step is at work in a sandbox on the node that was asked for. */
export interface RunOnNode {
  readonly runId: string;
  /** Resolves to all its events when it has ended. */
  readonly followed: Promise<readonly RunEvent[]>;
}

/** Its second step takes a while, and needs what the first has left in the workspace. */
const longRun = {
  playbook: {
    name: 'on a node that is lost',
    steps: [
      {
        id: 'begin',
        tool: 'code',
        with: {
          language: 'javascript',
          code: `import { writeFileSync } from 'node:fs'; writeFileSync('left', 'by the first step');`,
        },
      },
      {
        id: 'work',
        tool: 'code',
        needs: ['begin'],
        with: {
          language: 'javascript',
          code: `import { readFileSync, writeFileSync } from 'node:fs';
            await new Promise((next) => setTimeout(next, 15_000));
            writeFileSync(process.env.SWISSBRAIN_OUTPUT, JSON.stringify(readFileSync('left', 'utf8')));`,
        },
      },
    ],
  },
} as unknown as CreateRunBody;

/** Starts a run whose sandbox is on this node; resolves when its second step has begun. */
export async function startRunOn(client: Client, node: string): Promise<RunOnNode> {
  const others = (await namesOf('nodes')).filter((name) => name !== node);
  await kubectl('cordon', ...others);
  try {
    const { id: runId } = await client.runs.create(longRun);
    const { promise: begun, resolve } = Promise.withResolvers<void>();
    const follow = async () => {
      const events: RunEvent[] = [];
      for await (const event of client.runs.follow(runId)) {
        events.push(event);
        if (events.filter(({ type }) => type === 'step.started').length === 2) resolve();
      }
      return events;
    };
    const followed = follow();
    await Promise.race([
      begun,
      followed.then((events) => Promise.reject(new Error(`it ended with ${events.at(-1)?.type}`))),
    ]);
    const selector = ['-l', `swissbrain.dev/run=${runId}`, '-o', 'jsonpath={.items[*].spec.nodeName}'];
    const at = await kubectl('get', 'pods', '--all-namespaces', ...selector);
    if (at !== node) throw new Error(`its sandbox is on ${at}`);
    return { runId, followed };
  } finally {
    await kubectl('uncordon', ...others);
  }
}

/** Cuts the power of a node of the test cluster and says so to Kubernetes, as whoever pulled the plug would. */
export async function killNode(node: string): Promise<void> {
  await breakCluster('node-kill', node);
  await waitFor(async () => !(await isReady(node)), {
    describe: `${node} to be missed`,
    timeoutMs: 120_000,
  });
  await kubectl('taint', 'node', node, `${outOfService}=nodeshutdown:NoExecute`);
}

/** Gives it back its power; resolves when it is ready for pods. */
export async function startNode(node: string): Promise<void> {
  await breakCluster('node-start', node);
  await waitFor(() => isReady(node), { describe: `${node} to be ready`, timeoutMs: 120_000 });
  const taints = await kubectl('get', 'node', node, '-o', 'jsonpath={.spec.taints[*].key}');
  if (taints.includes(outOfService)) await kubectl('taint', 'node', node, `${outOfService}-`);
}

async function isReady(node: string): Promise<boolean> {
  const status = 'jsonpath={.status.conditions[?(@.type=="Ready")].status}';
  return (await kubectl('get', 'node', node, '-o', status)) === 'True';
}

async function namesOf(kind: string): Promise<string[]> {
  return (await kubectl('get', kind, '-o', 'jsonpath={.items[*].metadata.name}')).split(' ');
}
