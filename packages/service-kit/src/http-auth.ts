import type { FastifyRequest } from 'fastify';
import { sql } from 'kysely';
import { DatabaseError } from 'pg';
import type { Verifier } from './auth.ts';
import type { Database, Principal } from './database.ts';
import { kitErrors } from './errors.ts';
import type { Http } from './http-types.ts';
import { outboxChannel } from './outbox-notifications.ts';

/** Users that this process has made sure of; the longest unseen is forgotten. */
const rememberedUsers = 10_000;

/** The verified caller. @throws AppError 401 on a route that is public or outside /v1 */
export function principalOf(request: FastifyRequest): Principal {
  if (!request.principal) throw kitErrors.unauthorized('this route needs an access token');
  return request.principal;
}

/**
 * Sets `request.principal` for every route under /v1 that has not `config: { public: true }`, before the body
 * is read. The first token of a user that this process sees makes sure of the user's row.
 */
export function authenticateRoutes(http: Http, verify: Verifier, database: Database): void {
  const ensureUser = createEnsureUser(database);
  http.decorateRequest('principal', null);
  http.addHook('onRequest', async (request) => {
    const { url, config } = request.routeOptions;
    if (!url?.startsWith('/v1/') || config.public) return;
    const [scheme = '', token = '', ...rest] = (request.headers.authorization ?? '').split(' ');
    if (scheme.toLowerCase() !== 'bearer' || token === '' || rest.length > 0) {
      throw kitErrors.unauthorized('send the access token as Authorization: Bearer <token>');
    }
    const principal = await verify(token);
    if (!config.formerUsers) await ensureUser(principal);
    request.principal = principal;
  });
}

function createEnsureUser(database: Database): (principal: Principal) => Promise<void> {
  const seen = new Set<string>();
  return async (principal) => {
    if (seen.has(principal.userId)) return;
    // The birth of a user is an event of credits, whose relay may run in another process.
    const ensure = sql`
      SELECT CASE WHEN ensure_user(${principal.userId}::uuid) THEN pg_notify(${outboxChannel('credits')}, '') END`;
    await database.withUser(principal, (tx) => ensure.execute(tx)).catch(refuseDeleted);
    seen.add(principal.userId);
    if (seen.size <= rememberedUsers) return;
    for (const oldest of seen) {
      seen.delete(oldest);
      break;
    }
  };
}

/** `invalid_authorization_specification`: the user was deleted, or is not one of ours. */
const unknownUserState = '28000';

function refuseDeleted(thrown: unknown): never {
  if (thrown instanceof DatabaseError && thrown.code === unknownUserState) {
    throw kitErrors.unauthorized('the user of this token does not exist any more');
  }
  throw thrown;
}
