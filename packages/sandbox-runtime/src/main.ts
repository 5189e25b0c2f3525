import { readConfig } from './config.ts';
import { SessionTaken, startRuntime } from './runtime.ts';
import { takeSecret } from './secret.ts';

/** Longer than the grace of SIGTERM for programs, shorter than what a supervisor waits for us. */
const stopDeadlineMs = 8_000;

function fail(error: unknown): never {
  process.stderr.write(`${error instanceof Error ? (error.stack ?? error.message) : String(error)}\n`);
  process.exit(error instanceof SessionTaken ? 75 : 1);
}

const secret = await takeSecret(process.env, process.stdin).catch(fail);
process.stdin.destroy();
const runtime = await startRuntime(readConfig(process.env), secret).catch(fail);

const end = () => {
  setTimeout(() => process.exit(1), stopDeadlineMs).unref();
  runtime.stop().catch(fail);
};
process.on('SIGTERM', end);
process.on('SIGINT', end);
process.on('uncaughtException', (error) => {
  process.stderr.write(`uncaught: ${error.stack ?? error.message}\n`);
  process.exitCode = 70;
  end();
});

process.stdout.write(`listening on port ${runtime.port}\n`);
await runtime.stopped;
process.exit();
