import { z } from 'zod';

const address = z.url({ protocol: /^https?$/ }).max(2_000);

/** What to buy, and where the browser goes afterwards. */
export const checkoutBody = z
  .object({ tier: z.string().regex(/^[a-z][a-z0-9_-]{0,39}$/), success_url: address, cancel_url: address })
  .strict();
export type CheckoutBody = z.infer<typeof checkoutBody>;

/** Where the browser goes when the customer leaves the portal. */
export const portalBody = z.object({ return_url: address }).strict();

/** A page of the payment provider for this customer, to be opened soon. */
export const billingPage = z.object({ url: z.url() });
