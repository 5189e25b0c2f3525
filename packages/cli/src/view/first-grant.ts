import { setTimeout as delay } from 'node:timers/promises';
import type { Client } from '@swissbrain/client/client';
import type { BalanceView } from '@swissbrain/client/types';
import type { Clock } from '@swissbrain/service-kit/clock';
import { CliError } from '../cli-error.ts';
import { exitCodes } from '../exit-codes.ts';
import type { Style } from '../style.ts';
import type { Screen } from './screen.ts';

const patienceMs = 60_000;

/**
 * The balance of a user, waited for when it is new: the first request makes the user, `user.created` travels
 * to credits, and its answer is the Free subscription with the first grant.
 * @throws CliError when no grant comes within a minute
 */
export async function awaitBalance(
  client: Client,
  view: {
    readonly screen: Screen;
    readonly style: Style;
    readonly clock: Clock;
    readonly signal: AbortSignal;
  },
): Promise<BalanceView> {
  const { screen, style, clock, signal } = view;
  const deadline = clock.monotonicMs() + patienceMs;
  for (let told = false; ; told = true) {
    const balance = await client.credits.balance({ signal });
    if (balance.granted) {
      if (told) screen.print(style.dim('first grant received'));
      return balance;
    }
    if (!told) screen.print(style.dim('a new user: waiting for the first grant of credits'));
    if (clock.monotonicMs() > deadline) {
      throw new CliError('no credits were granted to the new user within a minute', {
        hint: 'credits answers user.created with a grant: swissbrain doctor says whether it runs.',
        exitCode: exitCodes.unreachable,
      });
    }
    await delay(200, undefined, { signal });
  }
}
