import { uuid } from '@swissbrain/shared-schema/ids';
import { CliError } from '../cli-error.ts';
import { type AddCommand, writeJson, writeLines } from '../command.ts';
import { localStack, tokenClaims } from '../connection.ts';
import type { Context } from '../context.ts';
import { mintDevelopmentToken } from '../development-token.ts';
import { developmentUser } from '../development-user.ts';
import { parseDuration } from '../duration.ts';

interface Options {
  readonly user?: string;
  readonly expires: string;
  readonly scope?: string;
  readonly json?: boolean;
}

/** `swissbrain token`: a token for the local stack. */
export const addToken: AddCommand = (program, context) => {
  program
    .command('token')
    .description('make a development token for the local stack (never for another one)')
    .option('-u, --user <id>', 'for this user instead of the development user')
    .option('--expires <duration>', 'how long it works', '1h')
    .option('--scope <scopes>', 'what it may do beside a user: operator')
    .option('--json', 'token and user as JSON')
    .action((options: Options) => execute(options, context));
};

async function execute(options: Options, context: Context): Promise<void> {
  if (context.environment.SWISSBRAIN_URL) {
    throw new CliError('development tokens are for the local stack, and SWISSBRAIN_URL names another one', {
      hint: 'Get a token from the login of that SwissBrain, or unset SWISSBRAIN_URL.',
    });
  }
  const seconds = Math.ceil(parseDuration(options.expires) / 1_000);
  const stack = await localStack(context);
  const userId = options.user === undefined ? await developmentUser(stack.data_dir) : userIdOf(options.user);
  const token = await mintDevelopmentToken(stack, userId, {
    ...tokenClaims(context.environment),
    expiresIn: `${seconds} seconds`,
    scope: options.scope,
  });
  if (options.json) writeJson(context, { token, user_id: userId });
  else writeLines(context, [token]);
}

function userIdOf(text: string): string {
  const parsed = uuid.safeParse(text);
  if (!parsed.success) throw new CliError(`--user is a UUID, not ${text}`);
  return parsed.data;
}
