import { createTransport, type TokenSource, type Transport } from '@swissbrain/client/transport';
import { type ServiceName, serviceNames } from '@swissbrain/shared-schema/ids';
import { CliError } from './cli-error.ts';
import { localStack, tokenClaims } from './connection.ts';
import type { Context } from './context.ts';
import { mintDevelopmentToken } from './development-token.ts';
import { developmentUser } from './development-user.ts';

/** Where an operator finds each service that can be asked, and with what. */
export interface OperatorAddresses {
  readonly transport: Transport;
  readonly urls: ReadonlyMap<ServiceName, string>;
}

/**
 * The services as an operator sees them: those of SWISSBRAIN_SERVICE_URLS with SWISSBRAIN_TOKEN, else those of the
 * local stack with the development user's token, made for an operator.
 * @throws CliError when neither is there
 */
export async function operatorAddresses(context: Context): Promise<OperatorAddresses> {
  const { SWISSBRAIN_URL: url, SWISSBRAIN_SERVICE_URLS: urls, SWISSBRAIN_TOKEN: token } = context.environment;
  if (urls) {
    if (!token) throw new CliError('SWISSBRAIN_SERVICE_URLS is set and SWISSBRAIN_TOKEN is not');
    return addressesOf(parseServiceUrls(urls), token);
  }
  if (url) {
    throw new CliError('what operators do is asked of each service, and SWISSBRAIN_URL is one address', {
      hint: "Set SWISSBRAIN_SERVICE_URLS='credits=https://…,agent-runner=https://…'.",
    });
  }
  const stack = await localStack(context);
  const addresses = serviceNames.map((service) => [service, stack.services[service].url] as const);
  if (token) return addressesOf(addresses, token);
  const user = await developmentUser(stack.data_dir);
  const claims = { ...tokenClaims(context.environment), scope: 'operator' };
  return addressesOf(addresses, () => mintDevelopmentToken(stack, user, claims));
}

/**
 * The address of one service.
 * @throws CliError when it is not among those that can be asked
 */
export function urlOfService({ urls }: OperatorAddresses, service: ServiceName): string {
  const url = urls.get(service);
  if (url === undefined) throw new CliError(`SWISSBRAIN_SERVICE_URLS has no ${service}`);
  return url;
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

function addressesOf(
  addresses: readonly (readonly [ServiceName, string])[],
  token: TokenSource,
): OperatorAddresses {
  return { transport: createTransport({ token }), urls: new Map(addresses) };
}
