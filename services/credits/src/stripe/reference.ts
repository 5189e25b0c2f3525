import { z } from 'zod';

/** The id of something at Stripe. */
export const reference = z.string().min(1).max(100);

/** A reference, or the object itself where Stripe puts that in its place. */
export const referenceOrObject = z.union([reference, z.object({ id: reference }).transform(({ id }) => id)]);
