import { z } from 'zod';

/** Integer micro-credits: 1 credit = 1,000,000. Money is never a float. */
export type MicroCredits = bigint;

export const microCreditsPerCredit = 1_000_000n;
const largest = 2n ** 63n - 1n;

/** On the wire an amount is a string of an integer in micro-credits that fits a Postgres bigint. */
export const microAmount = z
  .string()
  .regex(/^-?\d{1,19}$/, 'an integer number of micro-credits as a string')
  .refine((text) => {
    const value = BigInt(text);
    return value <= largest && value >= -largest;
  }, 'fits 64 bits');

/**
 * Prints micro-credits as a decimal number of credits without trailing zeros, as the API shows them.
 * `1500000n` becomes `"1.5"`.
 */
export function formatCredits(amount: MicroCredits): string {
  const sign = amount < 0n ? '-' : '';
  const absolute = amount < 0n ? -amount : amount;
  const whole = absolute / microCreditsPerCredit;
  const fraction = (absolute % microCreditsPerCredit).toString().padStart(6, '0').replace(/0+$/, '');
  return fraction === '' ? `${sign}${whole}` : `${sign}${whole}.${fraction}`;
}

/**
 * Reads a decimal number of credits with at most six decimals.
 * @throws RangeError when the text is no such number or does not fit 64 bits
 */
export function parseCredits(text: string): MicroCredits {
  const match = /^(-?)(\d{1,13})(?:\.(\d{1,6}))?$/.exec(text);
  if (!match) throw new RangeError(`not an amount of credits with at most six decimals: ${text}`);
  const [, sign, whole = '0', fraction = ''] = match;
  const micro = BigInt(whole) * microCreditsPerCredit + BigInt(fraction.padEnd(6, '0'));
  if (micro > largest) throw new RangeError(`amount does not fit 64 bits: ${text}`);
  return sign === '-' ? -micro : micro;
}
