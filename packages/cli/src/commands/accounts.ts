import type { AccountDetail, ChangeTierBody, GrantBody } from '@swissbrain/client/types';
import { type Command, Option } from 'commander';
import { type AddCommand, writeJson, writeLines } from '../command.ts';
import type { Context } from '../context.ts';
import { type ChangeOptions, change, changing, creditOperators } from '../credits/operate.ts';
import { exitCodes } from '../exit-codes.ts';
import { formatMoment, formatTable } from '../format.ts';

interface GrantOptions extends ChangeOptions {
  readonly kind: GrantBody['kind'];
  readonly expires?: string;
}

/** `swissbrain accounts`: the accounts of users. For operators. */
export const addAccounts: AddCommand = (program, context) => {
  const accounts = program
    .command('accounts')
    .description('look at and change the credits of users (for operators); every change is audited');
  accounts
    .command('show')
    .description('an account with its grants, in the order in which they are burnt')
    .argument('<user>')
    .option('--json', 'as JSON')
    .action((user: string, options: { readonly json?: boolean }) => show(user, options, context));
  accounts
    .command('verify')
    .description('recompute an account from its ledger; ends with 1 when something does not add up')
    .argument('<user>')
    .option('--json', 'as JSON')
    .action((user: string, options: { readonly json?: boolean }) => verify(user, options, context));
  addChanges(accounts, context);
};

function addChanges(accounts: Command, context: Context): void {
  const kinds = ['promotional', 'trial', 'purchase', 'correction'];
  changing(accounts.command('grant'))
    .description('give credits')
    .argument('<user>')
    .argument('<credits>')
    .addOption(new Option('--kind <kind>', 'what for').choices(kinds).makeOptionMandatory())
    .option('--expires <time>', 'when what is left goes: 2026-12-31T00:00:00Z; never unless given')
    .action((user: string, amount: string, options: GrantOptions) => {
      const { kind, reason, expires } = options;
      const body = { kind, amount, reason, ...(expires === undefined ? {} : { expires_at: expires }) };
      return change(context, options, (operators, call) => operators.grant(user, body, call));
    });
  changing(accounts.command('revoke'))
    .description('take back what is left of a grant')
    .argument('<user>')
    .argument('<grant>')
    .action((user: string, grant: string, options: ChangeOptions) =>
      change(context, options, (operators, call) => operators.revoke(user, grant, options.reason, call)),
    );
  changing(accounts.command('adjust'))
    .description(
      'correct an account: 5 up, or behind -- down: swissbrain accounts adjust --reason … -- <user> -5',
    )
    .argument('<user>')
    .argument('<credits>')
    .action((user: string, amount: string, options: ChangeOptions) =>
      change(context, options, (operators, call) =>
        operators.adjust(user, { amount, reason: options.reason }, call),
      ),
    );
  changing(accounts.command('refund'))
    .description('give usage back, never above what it cost')
    .argument('<user>')
    .argument('<transaction>', 'the entry of the usage')
    .argument('[credits]', 'all that is left of it unless given')
    .action((user: string, entry: string, amount: string | undefined, options: ChangeOptions) => {
      const body = {
        transaction_id: entry,
        reason: options.reason,
        ...(amount === undefined ? {} : { amount }),
      };
      return change(context, options, (operators, call) => operators.refund(user, body, call));
    });
  changing(accounts.command('tier'))
    .description('change the tier: up at once, down when the period ends')
    .argument('<user>')
    .argument('<tier>')
    .option('--at-once', 'down at once, too')
    .action((user: string, tier: string, options: ChangeOptions & { readonly atOnce?: boolean }) => {
      const body: ChangeTierBody = {
        ...{ tier, reason: options.reason },
        downgrade: options.atOnce ? 'at_once' : 'at_period_end',
      };
      return change(context, options, (operators, call) => operators.changeTier(user, body, call));
    });
}

async function show(user: string, { json }: { readonly json?: boolean }, context: Context): Promise<void> {
  const operators = await creditOperators(context);
  const account = await operators.account(user, { signal: context.signal });
  if (json) writeJson(context, account);
  else writeLines(context, render(account, context));
}

function render(account: AccountDetail, { style }: Context): string[] {
  const { tier, status, next_tier, time_zone, period_end, available, reserved, debt } = account;
  const subscription = [
    ...[tier ?? 'no subscription', status, time_zone],
    period_end === null ? null : `until ${formatMoment(period_end)}`,
    next_tier === null ? null : `then ${next_tier}`,
  ].filter((part) => part !== null);
  const rows = account.grants.map((grant) => [
    ...[grant.id, grant.source, `${grant.remaining} of ${grant.amount}`],
    grant.expires_at === null ? 'does not expire' : `until ${formatMoment(grant.expires_at)}`,
  ]);
  return [
    `${style.bold(available ?? 'unlimited')} available, ${reserved} held, ${debt} owed  ${style.dim(subscription.join(', '))}`,
    `${account.credited} ever granted, ${account.debited} spent or expired`,
    `${account.live_runs} runs live, ${account.waiting_runs} waiting`,
    ...(rows.length === 0 ? [] : [style.bold('grants'), ...formatTable(rows, { indent: '  ', right: [2] })]),
  ];
}

async function verify(user: string, { json }: { readonly json?: boolean }, context: Context): Promise<void> {
  const operators = await creditOperators(context);
  const drift = await operators.verify(user, { signal: context.signal });
  if (drift.length > 0) context.setExitCode(exitCodes.unsuccessful);
  if (json) {
    writeJson(context, drift);
    return;
  }
  const rows = drift.map(({ invariant, expected, found, transaction_id }) => [
    ...[invariant, `expected ${expected ?? 'nothing'}`, `found ${found ?? 'nothing'}`],
    transaction_id === null ? '' : `entry ${transaction_id}`,
  ]);
  writeLines(context, rows.length === 0 ? ['Everything follows from the ledger.'] : formatTable(rows));
}
