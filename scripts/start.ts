// npm start: the whole of SwissBrain on this machine, the demo run, then serving until Ctrl-C.
import { dirname, join } from 'node:path';
import { parseArgs } from 'node:util';
import { runDemo } from '@swissbrain/cli/demo';
import type { StackState } from '@swissbrain/local-stack/state';
import { type Stack, startStack } from '@swissbrain/local-stack/supervisor';
import { fired, onInterrupt } from './interrupt.ts';
import { type Progress, startProgress, wordsOf } from './progress.ts';

const root = dirname(import.meta.dirname);

async function main(): Promise<void> {
  const { values } = parseArgs({
    options: { demo: { type: 'boolean', default: true } },
    allowNegative: true,
  });
  const progress = startProgress();
  const interrupted = onInterrupt(() => progress('still stopping, at most 10 s'));
  progress('starting SwissBrain');
  let stack: Stack;
  try {
    stack = await startStack({ root, log: progress, signal: interrupted });
  } catch (error) {
    if (interrupted.aborted) return;
    process.stderr.write(`\n${wordsOf(error)}\n`);
    process.exitCode = 1;
    return;
  }
  stopOnFault(stack);
  try {
    if (values.demo) await demo(stack.state(), interrupted);
    if (!interrupted.aborted) {
      printPlaces(stack.state());
      await fired(interrupted);
    }
  } finally {
    await stopWith(stack, progress);
  }
}

/** A demo that fails is told and leaves the stack up: that is where the cause can be looked for. */
async function demo(stack: StackState, signal: AbortSignal): Promise<void> {
  try {
    await runDemo({ root, stack, signal });
  } catch (error) {
    if (signal.aborted) return;
    process.stderr.write(`\nthe demo failed: ${wordsOf(error)}\n`);
    process.exitCode = 1;
  }
}

function printPlaces(state: StackState): void {
  const services = Object.entries(state.services).map(
    ([name, { url }]) => `  ${name.padEnd(14)} ${url}/docs`,
  );
  const lines = [
    '',
    'SwissBrain is running. The APIs and their pages:',
    ...services,
    `Data and logs: ${state.data_dir} (logs/<service>.log); npm run reset clears them`,
    `Redis ${state.redis_url}   NATS and Postgres: nats_url and postgres_url in ${join(state.data_dir, 'stack.json')}`,
    'Next: npm run swissbrain -- run examples/csv-summary.yaml --input csv=./my-data.csv   (and --help)',
    'Ctrl-C stops everything.',
    '',
  ];
  process.stdout.write(lines.join('\n'));
}

async function stopWith(stack: Stack, progress: Progress): Promise<void> {
  progress('stopping');
  await stack.stop();
  progress('stopped, nothing is left running');
}

/** A fault of this process must not leave the services without their supervisor. */
function stopOnFault(stack: Stack): void {
  let stopping = false;
  const stop = (error: unknown): void => {
    if (stopping) return;
    stopping = true;
    process.stderr.write(`${error instanceof Error ? (error.stack ?? error.message) : String(error)}\n`);
    void stack.stop().finally(() => process.exit(1));
  };
  process.on('uncaughtException', stop);
  process.on('unhandledRejection', stop);
}

await main();
