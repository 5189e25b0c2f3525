import { type CreditOperators, createCreditOperators } from '@swissbrain/client/credit-operators';
import type { AuditEntry } from '@swissbrain/client/types';
import type { Command } from 'commander';
import { writeJson, writeLines } from '../command.ts';
import type { Context } from '../context.ts';
import { operatorAddresses, urlOfService } from '../operator-addresses.ts';

/** What every change of an operator takes. */
export interface ChangeOptions {
  readonly reason: string;
  readonly key?: string;
  readonly json?: boolean;
}

/** Adds the options that every change of an operator takes. */
export function changing(command: Command): Command {
  return command
    .requiredOption('--reason <text>', 'why, for whoever reads the audit')
    .option('--key <key>', 'makes a repeat harmless; a new one unless given')
    .option('--json', 'the entry of the audit as JSON');
}

/** Accounts and prices as an operator reaches them. @throws CliError when there is no address of credits */
export async function creditOperators(context: Context): Promise<CreditOperators> {
  const addresses = await operatorAddresses(context);
  return createCreditOperators(addresses.transport, urlOfService(addresses, 'credits'));
}

/** Makes a change and shows its entry in the audit. */
export async function change(
  context: Context,
  { key, json }: ChangeOptions,
  make: (
    operators: CreditOperators,
    options: { readonly signal: AbortSignal; readonly idempotencyKey: string | undefined },
  ) => Promise<AuditEntry>,
): Promise<void> {
  const entry = await make(await creditOperators(context), { signal: context.signal, idempotencyKey: key });
  if (json) {
    writeJson(context, entry);
    return;
  }
  const { style } = context;
  const differs = Object.entries(entry.after ?? {})
    .map(([name, now]) => ({ name, now, was: entry.before?.[name] }))
    .filter(({ now, was }) => JSON.stringify(now) !== JSON.stringify(was))
    .map(({ name, now, was }) =>
      was === undefined ? `  ${name} ${shown(now)}` : `  ${name} ${style.dim(shown(was))} → ${shown(now)}`,
    );
  writeLines(context, [
    `${style.green(entry.action)} ${entry.target}  ${style.dim(`audit ${entry.id}`)}`,
    ...differs,
  ]);
}

const shown = (value: unknown): string => (typeof value === 'string' ? value : JSON.stringify(value));
