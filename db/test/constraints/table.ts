/** Values by column, as Postgres reads them from text; a Buffer is a bytea. */
export type Row = Readonly<Record<string, string | Buffer | null>>;

/** What a foreign key does with the row when its parent goes; `refuses` keeps the parent. */
type OnDelete = 'cascades' | 'refuses' | { readonly setsNull: string };

export interface ForeignKey {
  /** Changes of the row, each of which leaves it without this parent. */
  readonly broken: readonly Row[];
  readonly onDelete: OnDelete;
  /** What other parents the row must not have for the deletion to meet this key alone. */
  readonly alone?: Row;
  /** Rows that must be there besides: someone else's parent, say. */
  readonly given?: readonly (readonly [table: string, row: Row])[];
}

/**
 * A unique key that holds all columns of the primary key cannot be violated without violating that one first. It is
 * there for foreign keys to point to, and goes only together with them.
 */
export const implied = 'implied by the primary key';

export interface ConstrainedTable {
  /** A row that violates nothing, with every parent it may have. */
  readonly row: Row;
  /** Changes that make it another row, which may stand beside the first. */
  readonly second: Row;
  /** Columns that may not be null, but for those that are generated from others. */
  readonly required: string;
  /** By primary key, unique key, unique index, exclusion or check: changes of the second row, each of which violates it. */
  readonly violations: Readonly<Record<string, readonly Row[] | typeof implied>>;
  readonly foreignKeys?: Readonly<Record<string, ForeignKey>>;
}

/** By name with schema. */
export type ConstrainedTables = Readonly<Record<string, ConstrainedTable>>;

const id = (n: number): string => `5b000000-0000-4000-8000-${String(n).padStart(12, '0')}`;

export const alice = id(1);
export const bob = id(2);
export const carol = id(3);
export const users = [alice, bob, carol] as const;
/** An id that nothing has. */
export const nobody = id(999);
export const run = id(10);
export const step = id(11);
export const definition = id(12);
export const credential = id(13);
export const reservation = id(14);
export const job = id(15);
export const template = id(16);
export const task = id(17);
export const session = id(18);
export const invite = id(19);
/** Ids without a part of their own in the story. */
export const [first, second, third, fourth] = [id(101), id(102), id(103), id(104)] as const;

/** The start of the transaction, wherever it is written. */
export const now = 'now';
