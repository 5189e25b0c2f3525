import type { Catalog, Table } from './catalog.ts';

/** A reference from one table to another, by the first of its columns, which names the thing. */
export interface ForeignKey {
  /** `public.agent_steps` */
  readonly from: string;
  readonly column: string;
  readonly to: string;
  readonly optional: boolean;
  /** What happens when the thing is deleted. */
  readonly onDelete: string;
}

/** All references of a catalog, by name of the table. */
export function foreignKeysOf(catalog: Catalog): ForeignKey[] {
  return catalog.tables.flatMap((table) =>
    table.constraints.flatMap(({ definition }) => {
      const match = /^FOREIGN KEY \((\w+)[^)]*\) REFERENCES ([\w.]+)\([^)]*\)(?: ON DELETE (\w+))?/.exec(
        definition,
      );
      const [, column, to, action] = match ?? [];
      if (column === undefined || to === undefined) return [];
      const optional = table.columns.some(({ name, not_null }) => name === column && !not_null);
      return [
        { from: `${table.schema}.${table.name}`, column, to, optional, onDelete: action ?? 'RESTRICT' },
      ];
    }),
  );
}

const actions: Readonly<Record<string, string>> = {
  CASCADE: 'goes with it',
  SET: 'forgets it',
  RESTRICT: 'holds it',
};

/** The tables and their references as a Mermaid diagram; of each table the keys and what refers. */
export function diagramOf(tables: readonly Table[], keys: readonly ForeignKey[]): string {
  const names = new Set(tables.map(({ schema, name }) => `${schema}.${name}`));
  const own = keys.filter(({ from }) => names.has(from));
  const boxes = tables.flatMap((table) => {
    const name = `${table.schema}.${table.name}`;
    const primary = primaryKeyOf(table);
    const shown = table.columns.filter(
      (column) =>
        primary.includes(column.name) || own.some((key) => key.from === name && key.column === column.name),
    );
    const lines = shown.map((column) => {
      const marks = [
        primary.includes(column.name) ? 'PK' : '',
        own.some((key) => key.from === name && key.column === column.name) ? 'FK' : '',
      ].filter((mark) => mark !== '');
      return `    ${column.type.replaceAll(/[^a-z0-9_]+/g, '_')} ${column.name} ${marks.join(', ')}`;
    });
    return [`  ${boxName(name)} {`, ...lines, '  }'];
  });
  const lines = own.map(
    ({ from, column, to, optional, onDelete }) =>
      `  ${boxName(to)} ${optional ? '|o' : '||'}--o{ ${boxName(from)} : "${column}, ${actions[onDelete] ?? onDelete}"`,
  );
  return ['```mermaid', 'erDiagram', ...boxes, ...lines, '```', ''].join('\n');
}

function primaryKeyOf(table: Table): string[] {
  const definition = table.constraints.find((constraint) =>
    constraint.definition.startsWith('PRIMARY KEY'),
  )?.definition;
  return (/\((.*?)\)/.exec(definition ?? '')?.[1] ?? '').split(', ');
}

function boxName(table: string): string {
  return table.replace('public.', '').replaceAll('.', '_');
}
