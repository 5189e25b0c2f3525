import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { objectKey, ownerPrefix, readKey, sha256OfKey } from './object-key.ts';

const sha256 = 'ab'.repeat(32);
const owner = '0d9f3f5e-6e0a-4b43-9f6b-0c1a2b3c4d5e';

describe('the key of an object', () => {
  it('says whose content it is, since when, and its hash', () => {
    fc.assert(
      fc.property(
        fc.uuid(),
        fc.date({ noInvalidDate: true, min: new Date(0), max: new Date('9999-12-31') }),
        (id, now) => {
          const key = objectKey(id, now, sha256);
          expect(readKey(key)).toEqual({ owner: id, day: now.toISOString().slice(0, 10), sha256 });
          expect(key.startsWith(ownerPrefix(id))).toBe(true);
          expect(sha256OfKey(key)).toBe(sha256);
        },
      ),
    );
  });

  it.each(['../..', '', `${owner}/..`, owner.toUpperCase(), 'drafts'])('has no owner %j', (id) => {
    expect(() => objectKey(id, new Date(0), sha256)).toThrow('not the id of a user');
    expect(() => ownerPrefix(id)).toThrow('not the id of a user');
  });

  it('is nothing else', () => {
    fc.assert(
      fc.property(fc.string(), (text) => {
        expect(readKey(text)).toBeNull();
      }),
    );
  });
});
