import { resolve } from 'node:path';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { linkStaysInside, parseWorkspacePath } from './workspace-path.ts';

const part = fc.constantFrom('a', 'b.txt', '..', '.', '', '...', 'ü', '.swissbrain-x');
const path = fc.array(part, { minLength: 1, maxLength: 5 }).map((parts) => parts.join('/'));
const inside = (target: string) => target.startsWith('/workspace/') || target === '/workspace';

describe('a path of the workspace', () => {
  it('is refused or lies inside and names what it says', () => {
    fc.assert(
      fc.property(fc.oneof(path, fc.string()), (given) => {
        let parts: string[];
        try {
          parts = parseWorkspacePath(given);
        } catch {
          return;
        }
        expect(parts.join('/')).toBe(given);
        expect(resolve('/workspace', given)).toBe(`/workspace/${given}`);
      }),
    );
  });

  it('is bounded', () => {
    expect(() => parseWorkspacePath('a/'.repeat(600))).toThrow('longer');
    expect(() => parseWorkspacePath('n'.repeat(256))).toThrow('longer');
    expect(parseWorkspacePath('n'.repeat(255))).toHaveLength(1);
  });
});

describe('a link', () => {
  it('that is let pass resolves inside the workspace', () => {
    fc.assert(
      fc.property(fc.array(fc.constantFrom('a', 'b'), { minLength: 1, maxLength: 4 }), path, (at, target) => {
        fc.pre(linkStaysInside(at, target));
        expect(inside(resolve('/workspace', ...at.slice(0, -1), target))).toBe(true);
      }),
    );
  });

  it.each([
    ['/etc', false],
    ['', false],
    ['..', false],
    ['x/..', false],
    ['x', true],
    ['./x', true],
  ])('in the root to %j passes: %s', (target, passes) => expect(linkStaysInside(['l'], target)).toBe(passes));
});
