import { exitCodes } from './exit-codes.ts';

/** Something the person at the terminal can mend: what is wrong, and what to do about it. */
export class CliError extends Error {
  readonly hint: string | null;
  readonly exitCode: number;

  constructor(
    message: string,
    options: { readonly hint?: string; readonly exitCode?: number; readonly cause?: unknown } = {},
  ) {
    super(message, { cause: options.cause });
    this.name = 'CliError';
    this.hint = options.hint ?? null;
    this.exitCode = options.exitCode ?? exitCodes.usage;
  }
}
