import { createDeadLetters, type DeadLetters } from '@swissbrain/client/dead-letters';
import type { ServiceName } from '@swissbrain/shared-schema/ids';
import type { Context } from '../context.ts';
import { operatorAddresses } from '../operator-addresses.ts';

/** The dead letters of the services that can be asked, by service. */
export type OperatorServices = ReadonlyMap<ServiceName, DeadLetters>;

/**
 * The dead letters of all services that an operator can ask.
 * @throws CliError as `operatorAddresses`
 */
export async function operatorServices(context: Context): Promise<OperatorServices> {
  const { transport, urls } = await operatorAddresses(context);
  return new Map([...urls].map(([service, url]) => [service, createDeadLetters(transport, url)]));
}
