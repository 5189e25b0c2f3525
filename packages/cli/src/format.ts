import { stripVTControlCharacters } from 'node:util';
import { formatCredits } from '@swissbrain/shared-schema/amount';

/** `950 ms`, `1.3 s`, `2 min 5 s`, `1 h 2 min`. */
export function formatDuration(ms: number): string {
  if (ms < 1_000) return `${Math.round(ms)} ms`;
  if (ms < 59_950) return `${(ms / 1_000).toFixed(1)} s`;
  const seconds = Math.round(ms / 1_000);
  if (seconds < 3_600) return `${Math.floor(seconds / 60)} min ${seconds % 60} s`;
  return `${Math.floor(seconds / 3_600)} h ${Math.floor((seconds % 3_600) / 60)} min`;
}

/** `512 B`, `14.7 KiB`, `3.0 MiB`. */
export function formatBytes(bytes: number): string {
  if (bytes < 1_024) return `${bytes} B`;
  const units = ['KiB', 'MiB', 'GiB', 'TiB'];
  let value = bytes / 1_024;
  let unit = 0;
  while (value >= 1_024 && unit < units.length - 1) {
    value /= 1_024;
    unit += 1;
  }
  return `${value.toFixed(1)} ${units[unit]}`;
}

/** Micro-credits as text on the wire, shown in credits; null means there is no limit. */
export function formatMicro(text: string | null | undefined): string {
  return text === null || text === undefined ? 'unlimited' : formatCredits(BigInt(text));
}

/** `14:03:22.120` of an ISO timestamp, in local time. */
export function formatTime(iso: string): string {
  const time = new Date(iso);
  const two = (value: number) => String(value).padStart(2, '0');
  const milliseconds = String(time.getMilliseconds()).padStart(3, '0');
  return `${two(time.getHours())}:${two(time.getMinutes())}:${two(time.getSeconds())}.${milliseconds}`;
}

/** `2026-01-13 14:03` of an ISO timestamp, in local time. */
export function formatMoment(iso: string): string {
  const time = new Date(iso);
  const two = (value: number) => String(value).padStart(2, '0');
  const day = `${time.getFullYear()}-${two(time.getMonth() + 1)}-${two(time.getDate())}`;
  return `${day} ${two(time.getHours())}:${two(time.getMinutes())}`;
}

/** The number of columns a text takes, colours aside. */
export function widthOf(text: string): number {
  return stripVTControlCharacters(text).length;
}

/** Pads on the right to a width, colours aside. */
export function padEnd(text: string, width: number): string {
  return text + ' '.repeat(Math.max(0, width - widthOf(text)));
}

/** Cuts a text to a width with an ellipsis; colour sequences take no width and are kept. */
export function cut(text: string, width: number): string {
  if (widthOf(text) <= width) return text;
  let shown = '';
  let used = 0;
  let coloured = false;
  // biome-ignore lint/suspicious/noControlCharactersInRegex: the escape character begins a colour sequence.
  for (const part of text.split(/(\x1b\[[0-9;]*m)/)) {
    if (part.startsWith('\x1b')) {
      shown += part;
      coloured = true;
      continue;
    }
    const room = width - 1 - used;
    if (room <= 0) continue;
    shown += part.slice(0, room);
    used += Math.min(part.length, room);
  }
  return `${shown}…${coloured ? '\x1b[0m' : ''}`;
}

/** Decimal numbers as text, padded so that their points stand below one another. */
export function alignDecimals(amounts: readonly string[]): string[] {
  const fractionOf = (amount: string) =>
    amount.length - (amount.includes('.') ? amount.indexOf('.') : amount.length);
  const fraction = Math.max(0, ...amounts.map(fractionOf));
  const padded = amounts.map((amount) => amount + ' '.repeat(fraction - fractionOf(amount)));
  const width = Math.max(0, ...padded.map((amount) => amount.length));
  return padded.map((amount) => amount.padStart(width));
}

/** Rows in aligned columns, two spaces apart. Columns whose name is in `right` are aligned to the right. */
export function formatTable(
  rows: readonly (readonly string[])[],
  options: { readonly right?: readonly number[]; readonly indent?: string } = {},
): string[] {
  const widths: number[] = [];
  for (const row of rows) {
    row.forEach((cell, i) => {
      widths[i] = Math.max(widths[i] ?? 0, widthOf(cell));
    });
  }
  const right = new Set(options.right ?? []);
  return rows.map((row) => {
    const cells = row.map((cell, i) => {
      const width = widths[i] ?? 0;
      return right.has(i) ? ' '.repeat(width - widthOf(cell)) + cell : padEnd(cell, width);
    });
    return `${options.indent ?? ''}${cells.join('  ')}`.trimEnd();
  });
}
