import { type Command, InvalidArgumentError } from 'commander';
import type { Context } from './context.ts';

/** Adds one command to the program. One file each in `commands/`. */
export type AddCommand = (program: Command, context: Context) => void;

/** Writes a value as JSON, one line, for another program. */
export function writeJson(context: Context, value: unknown): void {
  context.stdout.write(`${JSON.stringify(value)}\n`);
}

/** Writes lines for people. */
export function writeLines(context: Context, lines: readonly string[]): void {
  for (const line of lines) context.stdout.write(`${line}\n`);
}

/** Gathers the values of an option that may be given several times. */
export function collect(value: string, previous: readonly string[] = []): readonly string[] {
  return [...previous, value];
}

/** Reads the value of an option that is a number from 0 on. */
export function wholeNumber(value: string): number {
  if (!/^\d{1,9}$/.test(value)) throw new InvalidArgumentError('A whole number is needed.');
  return Number(value);
}
