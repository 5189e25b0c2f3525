// pnpm bench NAME [ARGUMENT…]: runs bench/NAME on a stack of its own that flushes to disk as in production.
import { existsSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { createThrowAwayDir } from '@swissbrain/local-stack/throw-away';
import { z } from 'zod';
import type { Benchmark } from '../bench/benchmark.ts';
import { jsonLine, table } from '../bench/measure.ts';
import { onInterrupt } from './interrupt.ts';
import { startProgress, wordsOf } from './progress.ts';

const root = dirname(import.meta.dirname);
const benchmarkModule = z.object({ run: z.custom<Benchmark>((value) => typeof value === 'function') });

async function main(): Promise<void> {
  const [name, ...args] = process.argv.slice(2);
  const progress = startProgress();
  const path = name === undefined ? undefined : pathOf(name);
  if (name === undefined || path === undefined) {
    progress('usage: pnpm bench NAME, where bench/NAME.ts or bench/NAME/main.ts exists');
    process.exitCode = 2;
    return;
  }
  const { run } = benchmarkModule.parse(await import(path));
  const signal = onInterrupt(() => process.exit(130));
  // In the checkout, not among the temporary files: those may lie in memory, where flushing costs nothing.
  const place = await createThrowAwayDir(join(root, '.swissbrain', 'bench'), name);
  try {
    const figures = await run({ root, dataDir: join(place.path, 'stack'), args, log: progress, signal });
    process.stdout.write(`\n${table(figures)}\n\n${jsonLine(name, figures)}\n`);
  } catch (error) {
    process.stderr.write(`${signal.aborted ? 'interrupted' : wordsOf(error)}\n`);
    process.exitCode = 1;
  } finally {
    await place.remove();
  }
}

function pathOf(name: string): string | undefined {
  if (!/^[a-z][a-z0-9-]*$/.test(name)) return undefined;
  return [join(root, 'bench', `${name}.ts`), join(root, 'bench', name, 'main.ts')].find((path) =>
    existsSync(path),
  );
}

await main();
