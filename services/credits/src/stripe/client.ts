import { toError } from '@swissbrain/service-kit/errors';
import Stripe from 'stripe';
import type { Config } from '../config.ts';
import { errors } from '../errors.ts';

/** What payments are run with. */
export interface StripeSettings {
  readonly secretKey: string;
  readonly webhookSecret: string;
  /** Tier to price. */
  readonly prices: ReadonlyMap<string, string>;
  readonly apiUrl: string;
  readonly timeoutMs: number;
  readonly retrySeconds: number;
}

/** The settings of payments; null when they are off. */
export function stripeSettings(config: Config): StripeSettings | null {
  const {
    STRIPE_SECRET_KEY: secretKey,
    STRIPE_WEBHOOK_SECRET: webhookSecret,
    STRIPE_PRICES: prices,
  } = config;
  if (secretKey === undefined || webhookSecret === undefined || prices === undefined) return null;
  return {
    secretKey,
    webhookSecret,
    prices,
    apiUrl: config.STRIPE_API_URL,
    timeoutMs: config.STRIPE_TIMEOUT_MS,
    retrySeconds: config.STRIPE_RETRY_SECONDS,
  };
}

/** Stripe's API. Nothing is repeated here: events are tried again by the sweep, requests by whoever made them. */
export function openStripe({ secretKey, apiUrl, timeoutMs }: StripeSettings): Stripe {
  const { protocol, hostname, port } = new URL(apiUrl);
  return new Stripe(secretKey, {
    protocol: protocol === 'http:' ? 'http' : 'https',
    host: hostname,
    ...(port === '' ? {} : { port }),
    timeout: timeoutMs,
    maxNetworkRetries: 0,
    telemetry: false,
    appInfo: { name: 'SwissBrain' },
  });
}

/** Null for what Stripe does not know, otherwise as `explainStripe`. @throws AppError as that */
export function nullIfMissing(thrown: unknown): null {
  if (thrown instanceof Stripe.errors.StripeInvalidRequestError && thrown.statusCode === 404) return null;
  return explainStripe(thrown);
}

/**
 * Names a failure of Stripe; to be used as `.catch(explainStripe)`. Messages of Stripe may tell of the account and stay out.
 * @throws AppError `payment_provider_unavailable` (worth another try), `request_key_reused`, `payment_provider_refused`
 */
export function explainStripe(thrown: unknown): never {
  if (!(thrown instanceof Stripe.errors.StripeError)) throw toError(thrown);
  const { type, statusCode, requestId, code } = thrown;
  const what = `${type} ${statusCode ?? ''} ${code ?? ''} ${requestId ?? ''}`.replaceAll(/ +/g, ' ').trim();
  if (thrown instanceof Stripe.errors.StripeIdempotencyError) {
    throw errors.request_key_reused('the payment provider knows this Idempotency-Key for another request');
  }
  const passing =
    thrown instanceof Stripe.errors.StripeConnectionError ||
    thrown instanceof Stripe.errors.StripeRateLimitError ||
    statusCode === undefined ||
    statusCode >= 500 ||
    statusCode === 409;
  if (passing) throw errors.payment_provider_unavailable(`the payment provider answered: ${what}`);
  throw errors.payment_provider_refused(`the payment provider answered: ${what}`);
}
