import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { createInterface } from 'node:readline';
import { apply, kubectl } from '../../tests/cluster/cluster.ts';

/** A pod of one container with the image and the limits of a session's programs, in which they run as they are. */
export interface PlainPod {
  /** Milliseconds from starting a program to its end, as its parent process in the same container sees it. */
  run(): Promise<number>;
  stop(): Promise<void>;
}

/** Writes the program once, then runs it whenever it is sent a line, and answers with the milliseconds. */
const parent = (program: string) => `
  const { spawn } = require('node:child_process');
  require('node:fs').writeFileSync('/tmp/program.mjs', ${JSON.stringify(program)});
  require('node:readline').createInterface({ input: process.stdin }).on('line', () => {
    const began = performance.now();
    const child = spawn(process.execPath, ['/tmp/program.mjs'], { stdio: ['ignore', 'pipe', 'pipe'] });
    child.stdout.resume();
    child.stderr.resume();
    child.once('close', () => console.log(performance.now() - began));
  });`;

/** Starts the pod and waits until it runs. */
export async function createPlainPod(
  namespace: string,
  image: string,
  program: string,
  limits: { readonly cpuMillis: number; readonly memoryMb: number },
): Promise<PlainPod> {
  const resources = {
    limits: { cpu: `${limits.cpuMillis}m`, memory: `${limits.memoryMb}Mi` },
    // Without a word the limit would be set aside for it, and lack where many sessions want a place.
    requests: { cpu: '10m', memory: '64Mi' },
  };
  const command = ['node', '-e', 'setInterval(() => undefined, 1e6)'];
  const spec = {
    terminationGracePeriodSeconds: 0,
    containers: [{ name: 'main', image, command, imagePullPolicy: 'IfNotPresent', resources }],
  };
  await kubectl('-n', namespace, 'delete', 'pod', 'plain', '--ignore-not-found');
  await apply({ apiVersion: 'v1', kind: 'Pod', metadata: { name: 'plain', namespace }, spec });
  await kubectl('-n', namespace, 'wait', 'pod/plain', '--for=condition=Ready', '--timeout=120s');
  const words = ['-n', namespace, 'exec', '-i', 'plain', '--', 'node', '-e', parent(program)];
  const child = spawn('kubectl', words, { stdio: ['pipe', 'pipe', 'inherit'] });
  const lines = createInterface({ input: child.stdout })[Symbol.asyncIterator]();
  return {
    async run() {
      child.stdin.write('\n');
      const { value, done } = await lines.next();
      if (done) throw new Error('the plain pod has ended');
      return Number(value);
    },
    async stop() {
      const ended = once(child, 'exit');
      child.stdin.end();
      await kubectl('-n', namespace, 'delete', 'pod', 'plain', '--wait=false');
      await ended;
    },
  };
}
