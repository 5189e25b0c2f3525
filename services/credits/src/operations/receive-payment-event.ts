import { errors } from '../errors.ts';
import { readEvent, verifyDelivery } from '../stripe/webhook.ts';
import { type Payments, takeEvent } from './apply-payment-event.ts';

/**
 * Takes a delivery of the payment provider: checked, stored, then applied. Once it is stored nothing is lost; what could
 * not be applied now the sweep applies, and the provider hears so and delivers again.
 * @throws AppError `signature_invalid`; `payment_event_pending` when it is stored and not applied yet
 */
export async function receivePaymentEvent(payments: Payments, raw: Buffer, signature: string): Promise<void> {
  const { stripe, settings } = payments;
  const event = readEvent(verifyDelivery(stripe, raw, signature, settings.webhookSecret));
  if (event === null) return;
  if (await takeEvent(payments, event)) return;
  throw errors.payment_event_pending(
    'the event is kept and will be applied; delivering it again does no harm',
  );
}
