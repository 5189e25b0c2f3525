import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import {
  findReferences,
  parseTemplate,
  ReferenceProblem,
  resolveReferences,
  type Scope,
} from './reference.ts';

const scope = (outputs: Record<string, unknown>, inputs: Record<string, unknown> = {}): Scope => ({
  step: (id) => outputs[id],
  input: (name) => inputs[name],
});

describe('parseTemplate', () => {
  it('splits text and references', () => {
    expect(parseTemplate('a ${{ steps.one.output.x.0 }} b ${{inputs.csv}}')).toEqual([
      'a ',
      { from: 'step', step: 'one', path: ['x', '0'] },
      ' b ',
      { from: 'input', input: 'csv' },
    ]);
  });

  it('reads an escaped opening as text', () => {
    expect(parseTemplate('cost $${{ x }} and ${{ inputs.a }}')).toEqual([
      'cost ${{ x }} and ',
      { from: 'input', input: 'a' },
    ]);
  });

  it.each(['${{ steps.a }}', '${{ foo }}', '${{ }}', '${{ steps.a.output', '${{ steps.a.output.x y }}'])(
    'refuses %s',
    (text) => {
      expect(() => parseTemplate(text)).toThrow(ReferenceProblem);
    },
  );

  it('gives back any text without an opening as it is', () => {
    fc.assert(
      fc.property(
        fc.string().filter((text) => !text.includes('${{')),
        (text) => {
          expect(parseTemplate(text)).toEqual([text]);
        },
      ),
    );
  });

  it('keeps any text through escaping', () => {
    fc.assert(
      fc.property(fc.string(), fc.string(), (before, after) => {
        fc.pre(!`${before}${after}`.includes('{{') && !before.endsWith('$'));
        const resolved = resolveReferences(`${before}$\${{${after}`, scope({}));
        expect(resolved).toBe(`${before}\${{${after}`);
      }),
    );
  });
});

describe('resolveReferences', () => {
  it('keeps the type of a value that stands alone', () => {
    fc.assert(
      fc.property(fc.jsonValue(), (value) => {
        expect(resolveReferences({ a: ['${{ steps.s.output }}'] }, scope({ s: value }))).toEqual({
          a: [value],
        });
      }),
    );
  });

  it('writes values inside text as JSON, strings as they are', () => {
    const given = scope({ s: { list: [1, 2], text: 'x' } });
    expect(resolveReferences('<${{ steps.s.output.list }}|${{ steps.s.output.text }}>', given)).toBe(
      '<[1,2]|x>',
    );
  });

  it('never searches what it has put in', () => {
    const given = scope({ s: '${{ inputs.secret }}' }, { secret: 'leaked' });
    expect(resolveReferences('${{ steps.s.output }}', given)).toBe('${{ inputs.secret }}');
    expect(resolveReferences('x ${{ steps.s.output }}', given)).toBe('x ${{ inputs.secret }}');
  });

  it.each([
    '${{ steps.s.output.__proto__ }}',
    '${{ steps.s.output.constructor }}',
    '${{ steps.s.output.no }}',
    '${{ inputs.no }}',
  ])('names what %s lacks', (text) => {
    expect(() => resolveReferences(text, scope({ s: {} }))).toThrow(ReferenceProblem);
  });
});

describe('findReferences', () => {
  it('tells where each reference stands', () => {
    expect(
      findReferences({ env: { A: '${{ steps.a.output.x }}' }, list: ['${{ inputs.b }}'], n: 3 }),
    ).toEqual([
      { reference: { from: 'step', step: 'a', path: ['x'] }, path: ['env', 'A'] },
      { reference: { from: 'input', input: 'b' }, path: ['list', '0'] },
    ]);
  });
});
