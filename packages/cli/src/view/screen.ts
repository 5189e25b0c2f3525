import type { Sink } from '../context.ts';
import { cut } from '../format.ts';

/**
 * A log with a live region under it. On a terminal the region is redrawn in place; in a plain log it does not
 * exist and only the lines are written.
 */
export interface Screen {
  readonly live: boolean;
  readonly columns: number;
  /** Writes a line above the region, for good. */
  print(line: string): void;
  /** Replaces the region. */
  show(lines: readonly string[]): void;
  /** Removes the region. */
  clear(): void;
}

/** A screen on the given sink. */
export function createScreen(sink: Sink): Screen {
  let drawn: readonly string[] = [];
  // Up to the region's first line, then erase to the end of the screen.
  const erase = () => (drawn.length === 0 ? '' : `\x1b[${drawn.length}A\r\x1b[J`);
  const fitted = (line: string) => cut(line, Math.max(20, sink.columns - 1));
  const block = (lines: readonly string[]) => lines.map((line) => `${line}\n`).join('');

  return {
    live: sink.isTty,
    get columns() {
      return sink.columns;
    },
    print(line) {
      sink.write(sink.isTty ? `${erase()}${line}\n${block(drawn)}` : `${line}\n`);
    },
    show(lines) {
      if (!sink.isTty) return;
      const next = lines.map(fitted);
      if (next.length === drawn.length && next.every((line, i) => line === drawn[i])) return;
      sink.write(erase() + block(next));
      drawn = next;
    },
    clear() {
      sink.write(erase());
      drawn = [];
    },
  };
}
