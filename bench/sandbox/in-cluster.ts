/**
 * Measures both sides where pods can be reached. Run as its own process; talks over stdin/stdout, one JSON line each way.
 */
import { createInterface } from 'node:readline';
import { setTimeout as delay } from 'node:timers/promises';
import { createLogger } from '@swissbrain/service-kit/logger';
import { imageOf, kubectl } from '../../tests/cluster/cluster.ts';
import { median } from '../measure.ts';
import { createBareJobs } from './bare-jobs.ts';
import { createOurSessions } from './our-sessions.ts';
import { createPlainPod } from './plain-pod.ts';
import { type Answer, type Request, request, type Started } from './request.ts';

const namespace = 'sbbench-bare';
const program = 'console.log(1)';
/** Of a session that is measured alone. */
const alone = { cpuMillis: 1_000, memoryMb: 256 };
/** Small enough for many of them on two nodes of two cores. */
const together = { tier: 'default', cpuMillis: 100, memoryMb: 128, diskMb: 64, seconds: 120 };

const log = createLogger({ service: 'bench', level: 'error' });
const image = imageOf('sandbox-node');
const ours = await createOurSessions(program);
const bare = await createBareJobs(namespace, image, alone, log);
const bareTogether = await createBareJobs(namespace, image, together, log);
const plain = await createPlainPod(namespace, image, program, alone);

/** So many at once; the time is that of the last one. None is ended before all are there. */
async function atOnce(count: number, one: () => Promise<Started>): Promise<Answer> {
  const all = await Promise.all(Array.from({ length: count }, one));
  await Promise.all(all.map(({ end }) => end()));
  return { ms: Math.max(...all.map(({ ms }) => ms)), phases: all.length === 1 ? (all[0]?.phases ?? {}) : {} };
}

/** One after the other; the time is the median. */
async function inTurn(count: number, one: () => Promise<number>): Promise<Answer> {
  const all: number[] = [];
  while (all.length < count) all.push(await one());
  return { ms: median(all), phases: {} };
}

function measure({ what, count }: Request): Promise<Answer> {
  switch (what) {
    case 'cold':
    case 'warm':
      return atOnce(count, () => ours.firstByte(what));
    case 'bare':
    case 'leanest':
      return atOnce(count, () => bare.firstByte(what));
    case 'step':
      return inTurn(count, ours.step);
    case 'direct':
      return inTurn(count, plain.run);
    case 'round_trip':
      return inTurn(count, ours.roundTrip);
    case 'cold_at_once':
      return atOnce(count, () => ours.firstByte('cold', together));
    case 'bare_at_once':
      return atOnce(count, () => bareTogether.firstByte('bare'));
  }
}

process.stdout.write('{"ready":true}\n');
for await (const line of createInterface({ input: process.stdin })) {
  const answered = await measure(request.parse(JSON.parse(line)));
  await ours.settled();
  // What is gone is seen to be gone when the kubelet looks, which it does once a second: who began then would always have
  // the whole second before it looks again.
  await delay(1_000 * Math.random());
  process.stdout.write(`${JSON.stringify(answered)}\n`);
}
await plain.stop();
await bare.stop();
await bareTogether.stop();
await ours.stop();
await kubectl('delete', 'namespace', namespace, '--wait=false');
