import { type AddCommand, writeJson, writeLines } from '../command.ts';
import { connect } from '../connection.ts';
import type { Context } from '../context.ts';
import { formatTable } from '../format.ts';

/** `swissbrain tools`: what steps may use, and why something is not there. */
export const addTools: AddCommand = (program, context) => {
  program
    .command('tools')
    .description('list the tools that steps may use, and why one is not available')
    .option('--json', 'as JSON, with the schemas of their inputs')
    .action(({ json }: { readonly json?: boolean }) => execute(json === true, context));
};

async function execute(json: boolean, context: Context): Promise<void> {
  const { client } = await connect(context);
  const tools = await client.runs.tools({ signal: context.signal });
  if (json) {
    writeJson(context, { items: tools });
    return;
  }
  const { style } = context;
  const rows = tools.map(({ name, effect, available, reason, description }) => [
    available ? name : style.dim(name),
    effect,
    available ? description : style.yellow(reason ?? 'not available'),
  ]);
  writeLines(context, formatTable(rows));
}
