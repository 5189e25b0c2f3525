import { readFileSync } from 'node:fs';
import { join } from 'node:path';

export const commands = ['select', 'insert', 'update', 'delete'] as const;
export type Command = (typeof commands)[number];
export const nothing = '----';

/** One line of the matrix: a row, and per column four signs in the order of `commands`. */
export interface Line {
  /** `agent_runs`, or `wide_research_templates (shipped)`. */
  readonly row: string;
  readonly cells: Readonly<Record<string, string>>;
}

export interface Section {
  readonly title: string;
  /** Role of the service, null in the section that is tried with each of them. */
  readonly service: string | null;
  readonly columns: readonly string[];
  readonly lines: readonly Line[];
}

const file = join(import.meta.dirname, 'matrix.md');
const cellForm = /^`[+.p!-]{4}`$/;

/** @throws Error when a cell is not four of the signs */
export function readMatrix(): readonly Section[] {
  const [, ...sections] = readFileSync(file, 'utf8').split(/^## /m);
  return sections.map((text) => {
    const [heading = '', ...rest] = text.split('\n');
    const [title = '', service] = heading.split(': ');
    const [header = [], , ...rows] = rest.filter((line) => line.startsWith('|')).map(cellsOf);
    const [, ...columns] = header;
    const lines = rows.map(([row = '', ...cells]) => ({
      row,
      cells: Object.fromEntries(
        columns.map((column, at) => [column, signs(cells[at] ?? '', row, column)] as const),
      ),
    }));
    return { title, service: service?.startsWith('sb_') ? service : null, columns, lines };
  });
}

function cellsOf(line: string): string[] {
  return line
    .split('|')
    .slice(1, -1)
    .map((cell) => cell.trim());
}

function signs(cell: string, row: string, column: string): string {
  if (!cellForm.test(cell)) throw new Error(`${row}, ${column}: ${cell} is not four signs`);
  return cell.replaceAll('`', '');
}
