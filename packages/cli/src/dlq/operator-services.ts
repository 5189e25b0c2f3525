import { createDeadLetters, type DeadLetters } from '@swissbrain/client/dead-letters';
import { createTransport, type TokenSource } from '@swissbrain/client/transport';
import { type ServiceName, serviceNames } from '@swissbrain/shared-schema/ids';
import { CliError } from '../cli-error.ts';
import { localStack, tokenClaims } from '../connection.ts';
import type { Context } from '../context.ts';
import { mintDevelopmentToken } from '../development-token.ts';
import { developmentUser } from '../development-user.ts';

/** The dead letters of the services that can be asked, by service. */
export type OperatorServices = ReadonlyMap<ServiceName, DeadLetters>;

/**
 * The services as an operator sees them: those of SWISSBRAIN_SERVICE_URLS with SWISSBRAIN_TOKEN, else those of the
 * local stack with the development user's token, made for an operator.
 * @throws CliError when neither is there
 */
export async function operatorServices(context: Context): Promise<OperatorServices> {
  const { SWISSBRAIN_URL: url, SWISSBRAIN_SERVICE_URLS: urls, SWISSBRAIN_TOKEN: token } = context.environment;
  if (urls) {
    if (!token) throw new CliError('SWISSBRAIN_SERVICE_URLS is set and SWISSBRAIN_TOKEN is not');
    return servicesAt(parseServiceUrls(urls), token);
  }
  if (url) {
    throw new CliError('what operators do is asked of each service, and SWISSBRAIN_URL is one address', {
      hint: "Set SWISSBRAIN_SERVICE_URLS='credits=https://…,agent-runner=https://…'.",
    });
  }
  const stack = await localStack(context);
  const addresses = serviceNames.map((service) => [service, stack.services[service].url] as const);
  if (token) return servicesAt(addresses, token);
  const user = await developmentUser(stack.data_dir);
  const claims = { ...tokenClaims(context.environment), scope: 'operator' };
  return servicesAt(addresses, () => mintDevelopmentToken(stack, user, claims));
}

/**
 * Reads `credits=https://…,collab=https://…`.
 * @throws CliError for what is not a service or not a URL
 */
function parseServiceUrls(text: string): (readonly [ServiceName, string])[] {
  return text.split(',').map((part) => {
    const [name = '', ...rest] = part.trim().split('=');
    const address = rest.join('=');
    if (!URL.canParse(address)) throw new CliError(`SWISSBRAIN_SERVICE_URLS has no URL for ${name || part}`);
    return [serviceNamed(name), address] as const;
  });
}

/** @throws CliError when the text names no service */
export function serviceNamed(text: string): ServiceName {
  const found = serviceNames.find((name) => name === text);
  if (!found) {
    throw new CliError(`${text} is not a service`, { hint: `The services are ${serviceNames.join(', ')}.` });
  }
  return found;
}

function servicesAt(
  addresses: readonly (readonly [ServiceName, string])[],
  token: TokenSource,
): OperatorServices {
  const transport = createTransport({ token });
  return new Map(addresses.map(([service, url]) => [service, createDeadLetters(transport, url)]));
}
