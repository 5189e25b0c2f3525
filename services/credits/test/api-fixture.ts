import { randomUUID } from 'node:crypto';
import { balanceView } from '@swissbrain/shared-schema/http/credits';
import { type Answer, call, expectProblem } from '@swissbrain/testkit/http-cases';
import { mintToken, testSecret } from '@swissbrain/testkit/tokens';
import { waitFor } from '@swissbrain/testkit/wait';
import { test } from 'vitest';

/** A user born by the first request of a token, as on plain Postgres, once the first grant is there. */
export async function newUser(url: string): Promise<{ user: string; token: string }> {
  const user = randomUUID();
  const token = await mintToken({ sub: user });
  await waitFor(
    async () => balanceView.parse((await call(url, '/v1/credits/balance', { token })).body).granted,
    { describe: 'the first grant' },
  );
  return { user, token };
}

/** The token of an operator. */
export const operatorToken = (sub: string = randomUUID()): Promise<string> =>
  mintToken({ sub, claims: { scope: 'operator' } });

/** A POST with a body and an Idempotency-Key, a new one unless given. */
export function post(
  url: string,
  path: string,
  { token, body, key = randomUUID() }: { token: string; body: unknown; key?: string },
): Promise<Answer> {
  return call(url, path, { token, method: 'POST', body, headers: { 'idempotency-key': key } });
}

export interface Endpoint {
  readonly method: 'GET' | 'POST' | 'PUT';
  readonly path: string;
  /** A body that would be good. */
  readonly body?: object;
  /** Bodies that are refused as they are. */
  readonly badBodies?: readonly unknown[];
  readonly operator?: boolean;
}

/** Registers what every endpoint refuses: tokens, bodies, sizes, and for those of operators everybody else. */
export function describeRefusals(url: () => string, endpoints: readonly Endpoint[]): void {
  const send = (endpoint: Endpoint, options: Parameters<typeof call>[2] = {}) =>
    call(url(), endpoint.path, {
      method: endpoint.method,
      ...(endpoint.body ? { body: endpoint.body, headers: { 'idempotency-key': randomUUID() } } : {}),
      ...options,
    });
  const tokenFor = ({ operator }: Endpoint) => (operator ? operatorToken() : mintToken());

  test.each(endpoints)('$method $path refuses tokens that are not good', async (endpoint) => {
    const claims = endpoint.operator ? { scope: 'operator' } : {};
    expectProblem(await send(endpoint), 401, 'unauthorized');
    expectProblem(await send(endpoint, { authorization: 'Basic dXNlcjpwYXNz' }), 401, 'unauthorized');
    const expired = await mintToken({ expiresIn: '-1h', claims });
    expectProblem(await send(endpoint, { token: expired }), 401, 'unauthorized');
    const forged = await mintToken({ secret: `${testSecret}x`, claims });
    expectProblem(await send(endpoint, { token: forged }), 401, 'unauthorized');
  });

  const ofOperators = endpoints.filter(({ operator }) => operator);
  if (ofOperators.length > 0) {
    test.each(ofOperators)('$method $path is for operators', async (endpoint) => {
      expectProblem(await send(endpoint, { token: await mintToken() }), 403, 'forbidden');
    });
  }

  const changing = endpoints.filter(({ body }) => body !== undefined);
  if (changing.length === 0) return;
  test.each(changing)('$method $path refuses other bodies', async (endpoint) => {
    const token = await tokenFor(endpoint);
    const headers = { 'idempotency-key': randomUUID() };
    const noBodies = [[], 'text', 1, { ...endpoint.body, more: true }, {}];
    for (const body of [...noBodies, ...(endpoint.badBodies ?? [])]) {
      const sent = JSON.stringify(body);
      expectProblem(await send(endpoint, { token, headers, body: sent }), 400, 'invalid_request');
    }
    expectProblem(await send(endpoint, { token, headers, body: '{"a":' }), 400, 'invalid_request');
    const large = JSON.stringify({ ...endpoint.body, reason: 'r'.repeat(1_100_000) });
    expectProblem(await send(endpoint, { token, headers, body: large }), 413, 'body_too_large');
    expectProblem(await send(endpoint, { token, headers: {} }), 400, 'idempotency_key_required');
  });
}
