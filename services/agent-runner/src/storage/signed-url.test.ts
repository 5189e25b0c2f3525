import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { type SignedGrant, signGrant, verifyGrant } from './signed-url.ts';

const secret = 'a secret of at least thirty-two characters';
// Lone surrogates cannot travel in a URL, so names are well-formed text.
const text = fc.string({ unit: 'grapheme', maxLength: 40 });
const optional = fc.option(text, { nil: undefined });
const grants = fc.record({
  resource: text,
  expiresAt: fc.integer({ min: 1, max: 9_999_999_999 }).map((seconds) => new Date(seconds * 1000)),
  filename: optional,
  contentType: optional,
});
const queryOf = (encoded: string) => Object.fromEntries(new URLSearchParams(encoded));
const just = (grant: SignedGrant, milliseconds: number) => new Date(grant.expiresAt.getTime() + milliseconds);

describe('signed URLs', () => {
  it('give back what was signed until just before they expire', () => {
    fc.assert(
      fc.property(grants, (grant) => {
        const query = queryOf(signGrant(secret, grant));
        expect(verifyGrant(secret, grant.resource, query, just(grant, -1))).toEqual({ ok: true, grant });
      }),
    );
  });

  it('are refused from the moment they expire', () => {
    fc.assert(
      fc.property(grants, fc.nat(1_000_000_000), (grant, late) => {
        const query = queryOf(signGrant(secret, grant));
        const outcome = verifyGrant(secret, grant.resource, query, just(grant, late));
        expect(outcome).toEqual({ ok: false, reason: 'expired' });
      }),
    );
  });

  it('are refused when any field is changed, added or taken away', () => {
    const field = fc.constantFrom('expires', 'filename', 'type', 'signature', 'resource');
    fc.assert(
      fc.property(grants, field, optional, (grant, name, value) => {
        const query: Record<string, string | undefined> = queryOf(signGrant(secret, grant));
        fc.pre((name === 'resource' ? grant.resource : query[name]) !== value);
        const resource = name === 'resource' ? (value ?? `${grant.resource}x`) : grant.resource;
        const changed = name === 'resource' ? query : { ...query, [name]: value };
        const outcome = verifyGrant(secret, resource, changed, just(grant, -1));
        expect(outcome).toEqual({ ok: false, reason: 'invalid' });
      }),
    );
  });

  it('are refused under another secret', () => {
    fc.assert(
      fc.property(grants, (grant) => {
        const query = queryOf(signGrant(secret, grant));
        expect(verifyGrant(`${secret}!`, grant.resource, query, just(grant, -1)).ok).toBe(false);
      }),
    );
  });

  it('do not confuse a file name with a content type', () => {
    const expiresAt = new Date('2030-01-01T00:00:00Z');
    const query = queryOf(signGrant(secret, { resource: 'r', expiresAt, filename: 'a' }));
    const moved = { expires: query.expires, type: 'a', signature: query.signature };
    expect(verifyGrant(secret, 'r', moved, new Date('2029-01-01T00:00:00Z')).ok).toBe(false);
  });

  it('need a secret of some length', () => {
    expect(() => signGrant('short', { resource: 'r', expiresAt: new Date(0) })).toThrow(RangeError);
  });
});
