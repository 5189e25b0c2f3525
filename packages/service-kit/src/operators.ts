import type { FastifyRequest } from 'fastify';
import { kitErrors } from './errors.ts';
import { principalOf } from './http-auth.ts';

/** The scope of those who run SwissBrain: `scope` of the token, or `app_metadata.scopes`, which no user can set. */
const operatorScope = 'operator';

/** A hook for routes that are not for users. @throws AppError 403 `forbidden`, which is logged */
export async function operatorsOnly(request: FastifyRequest): Promise<void> {
  const { userId, scopes } = principalOf(request);
  if (scopes.includes(operatorScope)) return;
  request.log.warn({ audit: 'refused', user: userId, route: request.routeOptions.url }, 'not an operator');
  throw kitErrors.forbidden(`this needs a token with the scope ${operatorScope}`);
}
