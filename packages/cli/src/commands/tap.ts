import type { NatsConnection } from '@nats-io/transport-node';
import { CliError } from '../cli-error.ts';
import { type AddCommand, writeJson, writeLines } from '../command.ts';
import { localStack } from '../connection.ts';
import type { Context } from '../context.ts';
import { parseSince } from '../duration.ts';
import { connectTap } from '../tap/connect.ts';
import { decodeEvent } from '../tap/decode-event.ts';
import { liveEvents } from '../tap/live-events.ts';
import { type PastFrom, pastEvents } from '../tap/past-events.ts';
import { jsonLine, prettyLine } from '../tap/print-event.ts';
import { subjectFor } from '../tap/subjects.ts';

interface Options {
  readonly since?: string;
  readonly last?: string;
  readonly follow?: boolean;
  readonly user?: string;
  readonly run?: string;
  readonly json?: boolean;
}

/** `swissbrain tap`: decoded events from NATS. */
export const addTap: AddCommand = (program, context) => {
  program
    .command('tap')
    .description('show events as they happen, or from the past; secrets are left out')
    .argument('[pattern]', "a type ('run.*', credits.reserved), a run's id, or a subject ('sb.run.>')", '*')
    .option('--since <time>', 'events of the last while (90s, 10m, 2h, 1d) or since a time (ISO 8601)')
    .option('--last <number>', 'the newest events')
    .option('-f, --follow', 'go on live after --since or --last')
    .option('-u, --user <id>', 'only of this user')
    .option('-r, --run <id>', 'only of this run (its run, step, artifact and credit events)')
    .option('--json', 'one JSON object a line')
    .action((pattern: string, options: Options) => execute(pattern, options, context));
};

async function execute(pattern: string, options: Options, context: Context): Promise<void> {
  const subject = subjectFor(pattern, options);
  const from = pastFrom(options, context);
  // Who looks on must not slow what is looked at, on one machine with it.
  context.yieldProcessor();
  const url = context.environment.NATS_URL ?? (await localStack(context)).nats_url;
  const connection = await connectTap(url, context.environment);
  const stop = () => void connection.close();
  context.signal.addEventListener('abort', stop, { once: true });
  try {
    await show(
      connection,
      subject,
      { from, follow: options.follow === true, json: options.json === true },
      context,
    );
  } catch (error) {
    // Ctrl-C is how a tap ends; closing the connection under the loop is not a failure.
    if (!context.signal.aborted) throw error;
  } finally {
    context.signal.removeEventListener('abort', stop);
    await connection.close();
  }
}

interface Showing {
  readonly from: PastFrom | null;
  readonly follow: boolean;
  readonly json: boolean;
}

async function show(
  connection: NatsConnection,
  subject: string,
  showing: Showing,
  context: Context,
): Promise<void> {
  const seen = new Set<string>();
  const print = (message: Parameters<typeof decodeEvent>[0]) => {
    const decoded = decodeEvent(message);
    if ('envelope' in decoded) {
      if (seen.has(decoded.envelope.id)) return;
      // Only where past and live overlap can an event come twice; a tap left open must not grow for ever.
      if (showing.from !== null && seen.size < 100_000) seen.add(decoded.envelope.id);
    }
    if (showing.json) writeJson(context, jsonLine(decoded));
    else writeLines(context, [prettyLine(decoded, context.style)]);
  };
  const live = showing.from === null || showing.follow ? await liveEvents(connection, subject) : null;
  if (showing.from !== null) {
    for await (const message of pastEvents(connection, subject, showing.from)) print(message);
  }
  if (live === null) return;
  context.stderr.write(`${context.errorStyle.dim(`listening on ${subject}, Ctrl-C ends it`)}\n`);
  for await (const message of live) print(message);
}

function pastFrom({ since, last, follow }: Options, context: Context): PastFrom | null {
  if (since !== undefined && last !== undefined) throw new CliError('--since and --last exclude each other');
  if (since !== undefined) return { since: parseSince(since, context.clock.now()) };
  if (last !== undefined) {
    if (!/^[1-9]\d{0,5}$/.test(last)) throw new CliError(`--last is a number from 1 to 999999, not ${last}`);
    return { last: Number(last) };
  }
  if (follow)
    throw new CliError('--follow goes with --since or --last', {
      hint: 'Without them a tap is live anyway.',
    });
  return null;
}
