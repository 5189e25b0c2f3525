import { describe, expect, it } from 'vitest';
import { checkInputs, inputPath, inputValue, type RunInput } from './inputs.ts';
import { PlaybookProblem } from './playbook.ts';

const file = (name: string): RunInput => ({ kind: 'file', name, path: inputPath(name) });

describe('checkInputs', () => {
  it('fills in defaults and keeps what was given', () => {
    const inputs = checkInputs(
      { csv: { type: 'file', default: 'npm:x' }, title: { type: 'string', default: 'T' } },
      { csv: file('a.csv') },
    );
    expect(inputs).toEqual({ csv: file('a.csv'), title: { kind: 'value', value: 'T' } });
    expect(inputValue(file('a.csv'))).toBe('inputs/a.csv');
  });

  it.each([
    ['an unknown one', {}, { x: { kind: 'value', value: 1 } }],
    ['a missing one', { x: { type: 'number' } }, {}],
    ['a missing file, even with a default', { x: { type: 'file', default: 'a' } }, {}],
    ['a wrong type', { x: { type: 'number' } }, { x: { kind: 'value', value: '1' } }],
    ['a value for a file', { x: { type: 'file' } }, { x: { kind: 'value', value: 'a' } }],
    ['two files of one name', { x: { type: 'file' }, y: { type: 'file' } }, { x: file('a'), y: file('a') }],
  ] as const)('refuses %s', (_, declared, given) => {
    expect(() => checkInputs(declared, given)).toThrow(PlaybookProblem);
  });
});
