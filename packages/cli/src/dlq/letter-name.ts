import type { DeadLetters } from '@swissbrain/client/dead-letters';
import type { ServiceName } from '@swissbrain/shared-schema/ids';
import { CliError } from '../cli-error.ts';
import { serviceNamed } from '../operator-addresses.ts';
import type { OperatorServices } from './operator-services.ts';

/** Where a letter is. */
export interface Letter {
  readonly service: ServiceName;
  readonly sequence: number;
}

/** `credits:17`, as lists show it. */
export function nameOf({ service, sequence }: Letter): string {
  return `${service}:${sequence}`;
}

/** @throws CliError when the text names no letter */
export function parseLetter(text: string): Letter {
  const [, service = '', sequence = ''] = /^([a-z-]+):([1-9]\d{0,14})$/.exec(text) ?? [];
  if (service === '') {
    throw new CliError(`not a dead letter: ${text}`, { hint: 'swissbrain dlq list shows them: credits:17.' });
  }
  return { service: serviceNamed(service), sequence: Number(sequence) };
}

/** @throws CliError when there is no address of the service */
export function lettersOf(services: OperatorServices, service: ServiceName): DeadLetters {
  const found = services.get(service);
  if (!found) throw new CliError(`SWISSBRAIN_SERVICE_URLS does not say where ${service} is`);
  return found;
}
