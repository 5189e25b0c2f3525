#!/usr/bin/env node
// The process around `swissbrain`: signals in, exit status out.
import { processContext } from './context.ts';
import { runCli } from './program.ts';

const interrupted = new AbortController();
for (const signal of ['SIGINT', 'SIGTERM'] as const) {
  // The first one ends the command in order; a second one ends the process.
  process.once(signal, () => interrupted.abort(new Error(`stopped by ${signal}`)));
}
// A reader that closes its end (`swissbrain tap | head`) is no error.
process.stdout.on('error', (error: NodeJS.ErrnoException) => {
  if (error.code !== 'EPIPE') throw error;
  interrupted.abort(new Error('the reader of standard output is gone'));
});

process.exitCode = await runCli(process.argv.slice(2), processContext(interrupted.signal));
