import type { DeadLetter } from '@swissbrain/client/types';
import { type ServiceName, serviceNames } from '@swissbrain/shared-schema/ids';
import { Option } from 'commander';
import { CliError } from '../cli-error.ts';
import { type AddCommand, wholeNumber, writeJson, writeLines } from '../command.ts';
import type { Context } from '../context.ts';
import { type Letter, lettersOf, nameOf, parseLetter } from '../dlq/letter-name.ts';
import { type OperatorServices, operatorServices } from '../dlq/operator-services.ts';
import { detailLines, jsonLetter, letterRow, readableDetail } from '../dlq/print-letter.ts';
import { failureOf, renderFailure } from '../failure.ts';
import { formatTable } from '../format.ts';

interface Scope {
  readonly service?: ServiceName;
  readonly consumer?: string;
}
interface ListOptions extends Scope {
  readonly limit?: number;
  readonly cursor?: string;
  readonly json?: boolean;
}
interface RedriveOptions extends Scope {
  readonly all?: boolean;
  readonly json?: boolean;
}

/** `swissbrain dlq`: events that consumers could not take. For operators. */
export const addDlq: AddCommand = (program, context) => {
  const dlq = program
    .command('dlq')
    .description('see to events that consumers could not take (for operators)');
  const serviceOption = () => new Option('--service <name>', 'only of this service').choices(serviceNames);
  const consumer = ['--consumer <name>', 'only of this consumer'] as const;
  dlq
    .command('list')
    .description('dead events of all services, oldest first')
    .addOption(serviceOption())
    .option(...consumer)
    .option('-n, --limit <number>', 'at most this many of each service, up to 100', wholeNumber)
    .option('--cursor <cursor>', 'the next page of a service, as the one before it says')
    .option('--json', 'one JSON object a line')
    .action((options: ListOptions) => list(options, context));
  dlq
    .command('show')
    .description('one dead event with its error, headers and body; secrets are left out')
    .argument('<letter>', 'as the list names it: credits:17')
    .option('--json', 'as JSON')
    .action((name: string, options: { readonly json?: boolean }) => show(name, options, context));
  dlq
    .command('redrive')
    .description('give dead events to their consumers again, and to nobody else')
    .argument('[letters...]', 'as the list names them: credits:17')
    .option('--all', 'all of them, or with --service and --consumer all of these')
    .addOption(serviceOption())
    .option(...consumer)
    .option('--json', 'one JSON object a line')
    .action((names: string[], options: RedriveOptions) => redrive(names, options, context));
  dlq
    .command('drop')
    .description('remove dead events for good')
    .argument('<letters...>', 'as the list names them: credits:17')
    .action((names: string[]) => drop(names, context));
};

async function list(options: ListOptions, context: Context): Promise<void> {
  const { service, consumer, limit, cursor, json } = options;
  if (cursor !== undefined && service === undefined) throw new CliError('--cursor goes with --service');
  const services = await operatorServices(context);
  const asked = service ? [service] : [...services.keys()];
  const rows: string[][] = [];
  const more: string[] = [];
  const works = await each(asked, context, async (name) => {
    const query = { consumer, limit, cursor };
    const page = await lettersOf(services, name).list(query, { signal: context.signal });
    for (const letter of page.items) {
      if (json) writeJson(context, jsonLetter(name, letter));
      else rows.push(letterRow(name, letter, context.style));
    }
    if (page.next_cursor !== null) more.push(`--service ${name} --cursor ${page.next_cursor}`);
  });
  if (json) return;
  if (rows.length === 0 && works) writeLines(context, ['No dead events.']);
  writeLines(context, formatTable(rows));
  writeLines(
    context,
    more.map((page) => context.style.dim(`more: swissbrain dlq list ${page}`)),
  );
}

async function show(text: string, { json }: { readonly json?: boolean }, context: Context): Promise<void> {
  const { service, sequence } = parseLetter(text);
  const letters = lettersOf(await operatorServices(context), service);
  const letter = await letters.get(sequence, { signal: context.signal });
  if (json) writeJson(context, jsonLetter(service, readableDetail(letter)));
  else writeLines(context, detailLines(service, letter, context.style));
}

async function redrive(names: readonly string[], options: RedriveOptions, context: Context): Promise<void> {
  if (names.length > 0 === (options.all === true)) {
    throw new CliError('name the letters, or say --all', { hint: 'swissbrain dlq list shows them.' });
  }
  if (names.length > 0 && (options.service !== undefined || options.consumer !== undefined)) {
    throw new CliError('--service and --consumer go with --all');
  }
  const named = names.map(parseLetter);
  const services = await operatorServices(context);
  const letters = options.all ? await all(services, options, context) : named;
  if (letters.length === 0 && !options.json) writeLines(context, ['No dead events.']);
  await each(letters, context, async ({ service, sequence }) => {
    const result = await lettersOf(services, service).redrive(sequence, { signal: context.signal });
    if (options.json) writeJson(context, { letter: nameOf({ service, sequence }), ...result });
    else writeLines(context, [`${nameOf({ service, sequence })}  ${context.style.green(result.outcome)}`]);
  });
}

/** Every letter there is now: what dies while they are driven is not among them. */
async function all(
  services: OperatorServices,
  { service, consumer }: Scope,
  context: Context,
): Promise<Letter[]> {
  const found: Letter[] = [];
  await each(service ? [service] : [...services.keys()], context, async (name) => {
    let cursor: string | undefined;
    do {
      const query = { consumer, cursor, limit: 100 };
      const page = await lettersOf(services, name).list(query, { signal: context.signal });
      found.push(...page.items.map(({ sequence }: DeadLetter) => ({ service: name, sequence })));
      cursor = page.next_cursor ?? undefined;
    } while (cursor !== undefined);
  });
  return found;
}

async function drop(names: readonly string[], context: Context): Promise<void> {
  const letters = names.map(parseLetter);
  const services = await operatorServices(context);
  await each(letters, context, async ({ service, sequence }) => {
    await lettersOf(services, service).drop(sequence, { signal: context.signal });
    writeLines(context, [`${nameOf({ service, sequence })}  dropped`]);
  });
}

/**
 * Does the same for each, one after the other. One that fails is shown and does not keep the others from theirs;
 * it makes the exit status. Resolves to whether all went well.
 */
async function each<T>(
  items: readonly T[],
  context: Context,
  work: (item: T) => Promise<void>,
): Promise<boolean> {
  let well = true;
  for (const item of items) {
    try {
      await work(item);
    } catch (error) {
      if (context.signal.aborted || error instanceof CliError || items.length === 1) throw error;
      const failure = failureOf(error);
      context.stderr.write(renderFailure(failure, context.errorStyle));
      context.setExitCode(failure.exitCode);
      well = false;
    }
  }
  return well;
}
