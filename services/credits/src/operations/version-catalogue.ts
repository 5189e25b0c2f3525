import type { Database } from '@swissbrain/service-kit/database';
import { toError } from '@swissbrain/service-kit/errors';
import { parseCredits } from '@swissbrain/shared-schema/amount';
import type { VersionPriceBody, VersionTierBody } from '@swissbrain/shared-schema/http/credit-operators';
import { errors } from '../errors.ts';
import * as store from '../store/operators.ts';
import { explainFailure } from './ledger-failures.ts';

/**
 * Gives an operation a new price from a moment in the future on. Reservations made before it keep theirs.
 * @throws AppError `amount_invalid` for a moment that is not in the future, `version_out_of_order`, `request_key_reused`
 */
export function versionPrice(
  database: Database,
  call: store.OperatorCall,
  body: VersionPriceBody,
): Promise<store.Operated> {
  const { operation, price, per_quantity: perQuantity, unit, description, effective_from: from } = body;
  const version = {
    ...{ operation, perQuantity, from, price: parseCredits(price) },
    unit: unit ?? null,
    description: description ?? null,
  };
  return database.withService((tx) => store.versionPrice(tx, call, version).catch(explainFailure));
}

/** Terms in credits, and the columns that hold them in micro-credits. */
const amounts = {
  monthly_credits: 'monthly_credits_micro',
  rollover_min: 'rollover_min_micro',
  rollover_max: 'rollover_max_micro',
  overdraft_limit: 'overdraft_limit_micro',
} as const;
const isAmount = (name: string): name is keyof typeof amounts => name in amounts;

function toColumns(terms: VersionTierBody['terms']): Record<string, unknown> {
  return Object.fromEntries(
    Object.entries(terms).map(([name, value]) =>
      // A number in JSON: Postgres reads all digits of it, and these have at most eighteen.
      isAmount(name) && typeof value === 'string'
        ? [amounts[name], parseCredits(value).toString()]
        : [name, value],
    ),
  );
}

/**
 * Gives a tier new terms from a moment in the future on.
 * @throws AppError `tier_not_found`, `amount_invalid`, `version_out_of_order`, `request_key_reused`
 */
export function versionTier(
  database: Database,
  call: store.OperatorCall,
  code: string,
  { terms, effective_from: from }: VersionTierBody,
): Promise<store.Operated> {
  return database.withService((tx) =>
    store.versionTier(tx, call, { code, terms: toColumns(terms), from }).catch(refuseTerms),
  );
}

const checkViolation = '23514';

function refuseTerms(thrown: unknown): never {
  const error = toError(thrown);
  if ('code' in error && error.code === checkViolation) {
    throw errors.amount_invalid(`the tier cannot have these terms: ${error.message}`);
  }
  return explainFailure(thrown);
}

/** Makes tiers what their versions say whose time has come. */
export function applyTierVersions(database: Database): Promise<number> {
  return database.withService(store.applyTierVersions);
}
