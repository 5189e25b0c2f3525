import { type AddCommand, writeJson, writeLines } from '../command.ts';
import type { Context } from '../context.ts';
import type { Finding } from '../doctor/check.ts';
import { examine } from '../doctor/examine.ts';
import { exitCodes } from '../exit-codes.ts';
import { formatTable } from '../format.ts';
import type { Style } from '../style.ts';

/** `swissbrain doctor`: what is up, what is not, what to do. */
export const addDoctor: AddCommand = (program, context) => {
  program
    .command('doctor')
    .description(
      'look at the machine, the servers and the services; exit status 1 when something needed is down',
    )
    .option('--json', 'the findings as JSON')
    .action((options: { readonly json?: boolean }) => execute(options.json === true, context));
};

async function execute(json: boolean, context: Context): Promise<void> {
  const findings = await examine(context);
  const healthy = !findings.some((finding) => finding.needed && finding.status === 'down');
  if (json) writeJson(context, { healthy, findings });
  else writeLines(context, [...renderFindings(findings, context.style), '', verdict(healthy, context.style)]);
  if (!healthy) context.setExitCode(exitCodes.unsuccessful);
}

function verdict(healthy: boolean, style: Style): string {
  return healthy ? style.green('Everything needed is up.') : style.red('Something needed is down.');
}

/** One line for each finding, its advice below it. */
function renderFindings(findings: readonly Finding[], style: Style): string[] {
  const marks = {
    up: style.green('✔'),
    down: style.red('✘'),
    absent: style.yellow('–'),
    unknown: style.dim('·'),
  };
  const lines = formatTable(findings.map(({ status, name, detail }) => [`${marks[status]} ${name}`, detail]));
  return findings.flatMap(({ advice }, i) => [
    lines[i] ?? '',
    ...(advice === null ? [] : [`    ${style.cyan('→')} ${advice}`]),
  ]);
}
