/** Of two users who wait, one of twice the weight gets two places for each of the other's. */
const weights: Readonly<Record<string, number>> = { free: 1, pro: 2, team: 4, enterprise: 8 };

/** The weight of a tier in the waiting line; a tier that is not known weighs as the lightest. */
export function tierWeight(tier: string): number {
  return weights[tier] ?? 1;
}
