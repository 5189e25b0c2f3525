import { kitErrors } from '@swissbrain/service-kit/errors';
import { principalOf } from '@swissbrain/service-kit/http';
import { idempotencyKeyOf } from '@swissbrain/service-kit/idempotency';
import type { Platform } from '@swissbrain/service-kit/platform';
import { billingPage, checkoutBody, portalBody } from '@swissbrain/shared-schema/http/billing';
import { z } from 'zod';
import type { Payments } from '../operations/apply-payment-event.ts';
import { openCheckout, openPortal } from '../operations/open-billing.ts';
import { receivePaymentEvent } from '../operations/receive-payment-event.ts';

const tags = ['billing'];

/** Adds what users buy with, and where the payment provider tells that they did. */
export function serveBilling({ http }: Pick<Platform, 'http'>, payments: Payments): void {
  http.post(
    '/v1/billing/checkout',
    {
      schema: {
        ...{ tags, summary: 'Open a page on which to buy a tier' },
        body: checkoutBody,
        response: { 200: billingPage },
      },
    },
    (request) => openCheckout(payments, callOf(request), request.body),
  );
  http.post(
    '/v1/billing/portal',
    {
      schema: {
        ...{ tags, summary: 'Open a page on which to change or cancel what was bought' },
        body: portalBody,
        response: { 200: billingPage },
      },
    },
    (request) => openPortal(payments, callOf(request), request.body.return_url),
  );
  serveWebhook(http, payments);
}

function callOf(request: Parameters<typeof principalOf>[0]) {
  return { principal: principalOf(request), key: idempotencyKeyOf(request) };
}

/** The signature is over the bytes as they came, so this route alone does not parse them as JSON. */
function serveWebhook(http: Platform['http'], payments: Payments): void {
  http.register(async (scope) => {
    scope.removeContentTypeParser('application/json');
    scope.addContentTypeParser(
      'application/json',
      { parseAs: 'buffer' },
      async (_request: unknown, body: Buffer) => body,
    );
    scope.post(
      '/v1/webhooks/stripe',
      {
        config: { public: true },
        schema: {
          tags,
          summary: 'Take what Stripe tells',
          response: { 200: z.object({ received: z.literal(true) }) },
        },
      },
      async (request) => {
        const { body } = request;
        if (!Buffer.isBuffer(body)) throw kitErrors.invalid_request('send the event as JSON');
        await receivePaymentEvent(payments, body, String(request.headers['stripe-signature'] ?? ''));
        return { received: true as const };
      },
    );
  });
}
