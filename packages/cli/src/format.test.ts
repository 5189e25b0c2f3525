import { describe, expect, it } from 'vitest';
import { parseDuration } from './duration.ts';
import { alignDecimals, cut, formatBytes, formatDuration, formatTable, widthOf } from './format.ts';
import { createStyle, wantsColour } from './style.ts';

describe('formatDuration', () => {
  it.each([
    [0, '0 ms'],
    [949.6, '950 ms'],
    [1_340, '1.3 s'],
    [59_960, '1 min 0 s'],
    [125_000, '2 min 5 s'],
    [3_720_000, '1 h 2 min'],
  ])('shows %d ms as %s', (ms, text) => expect(formatDuration(ms)).toBe(text));
});

describe('parseDuration', () => {
  it.each([
    ['90s', 90_000],
    ['10m', 600_000],
    ['2h', 7_200_000],
    ['1d', 86_400_000],
    ['250ms', 250],
  ])('reads %s', (text, ms) => expect(parseDuration(text)).toBe(ms));
  it.each(['', '10', 'm', '1.5h', '-1s', '1w'])('refuses %j', (text) => {
    expect(() => parseDuration(text)).toThrow('not a duration');
  });
});

describe('formatBytes', () => {
  it.each([
    [512, '512 B'],
    [15_020, '14.7 KiB'],
    [3 * 1024 ** 2, '3.0 MiB'],
    [5 * 1024 ** 4, '5.0 TiB'],
  ])('shows %d as %s', (bytes, text) => expect(formatBytes(bytes)).toBe(text));
});

describe('formatTable', () => {
  it('aligns by what is seen, not by colour sequences', () => {
    const { red } = createStyle(true);
    const lines = formatTable(
      [
        [red('a'), '1'],
        ['long', '22'],
      ],
      { right: [1] },
    );
    expect(lines.map(widthOf)).toEqual([8, 8]);
    expect(lines[0]).toContain(red('a'));
  });
});

describe('alignDecimals', () => {
  it('puts the points below one another', () => {
    expect(alignDecimals(['100', '18', '0.1017', '-2.5'])).toEqual([
      '100     ',
      ' 18     ',
      '  0.1017',
      ' -2.5   ',
    ]);
  });
});

describe('cut', () => {
  it('keeps what fits and ends with an ellipsis otherwise', () => {
    expect(cut('twelve chars', 12)).toBe('twelve chars');
    expect(cut('thirteen char', 12)).toBe('thirteen ch…');
  });
  it('counts no colours and closes the one it cut', () => {
    const line = cut(createStyle(true).green('abcdefghij'), 5);
    expect(widthOf(line)).toBe(5);
    expect(line.endsWith('\x1b[0m')).toBe(true);
  });
});

describe('wantsColour', () => {
  it('is for terminals, and NO_COLOR wins', () => {
    expect(wantsColour(true, {})).toBe(true);
    expect(wantsColour(false, {})).toBe(false);
    expect(wantsColour(false, { FORCE_COLOR: '1' })).toBe(true);
    expect(wantsColour(true, { NO_COLOR: '1', FORCE_COLOR: '1' })).toBe(false);
    expect(wantsColour(true, { TERM: 'dumb' })).toBe(false);
  });
});
