import { describe, expect, it } from 'vitest';
import { createScreen } from './screen.ts';

/** Interprets what the screen writes: newlines, cursor up, erase below. */
function terminal(columns: number) {
  const rows: string[] = [''];
  let row = 0;
  return {
    rows: () => rows.slice(0, -1),
    sink: {
      isTty: true,
      columns,
      write(text: string) {
        // biome-ignore lint/suspicious/noControlCharactersInRegex: the escape character begins a sequence.
        for (const part of text.split(/(\x1b\[\d*[AJ]|\r|\n)/)) {
          const up = /\[(\d+)A$/.exec(part);
          if (part === '\n') {
            row += 1;
            rows[row] ??= '';
          } else if (up) row -= Number(up[1]);
          else if (part.endsWith('[J')) rows.splice(row, rows.length, '');
          else if (part !== '\r' && part !== '') rows[row] = (rows[row] ?? '') + part;
        }
      },
    },
  };
}

describe('createScreen', () => {
  it('keeps the log above the region and redraws the region in place', () => {
    const { rows, sink } = terminal(40);
    const screen = createScreen(sink);
    screen.show(['one', 'two']);
    screen.print('first event');
    screen.show(['one', 'two', 'three']);
    screen.print('second event');
    expect(rows()).toEqual(['first event', 'second event', 'one', 'two', 'three']);
    screen.show(['done']);
    expect(rows()).toEqual(['first event', 'second event', 'done']);
    screen.clear();
    expect(rows()).toEqual(['first event', 'second event']);
  });

  it('cuts region lines that would wrap: the cursor would not find its way back', () => {
    const { rows, sink } = terminal(24);
    createScreen(sink).show(['a line that is longer than the terminal is wide']);
    expect(rows()).toEqual(['a line that is longer …']);
  });

  it('writes a plain log without a region where there is no terminal', () => {
    let written = '';
    const screen = createScreen({
      isTty: false,
      columns: 80,
      write: (text) => {
        written += text;
      },
    });
    screen.show(['region']);
    screen.print('event');
    screen.clear();
    expect(written).toBe('event\n');
  });
});
