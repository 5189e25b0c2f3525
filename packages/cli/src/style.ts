import { styleText } from 'node:util';

type Paint = (text: string) => string;

/** Colours that are there, or are not. */
export interface Style {
  readonly coloured: boolean;
  readonly bold: Paint;
  readonly dim: Paint;
  readonly red: Paint;
  readonly green: Paint;
  readonly yellow: Paint;
  readonly cyan: Paint;
}

/** A style that colours, or one that leaves every text as it is. */
export function createStyle(coloured: boolean): Style {
  const paint =
    (format: Parameters<typeof styleText>[0]): Paint =>
    (text) =>
      coloured ? styleText(format, text, { validateStream: false }) : text;
  return {
    coloured,
    bold: paint('bold'),
    dim: paint('dim'),
    red: paint('red'),
    green: paint('green'),
    yellow: paint('yellow'),
    cyan: paint('cyan'),
  };
}

/**
 * Colours are for terminals, and not where NO_COLOR is set (https://no-color.org). FORCE_COLOR asks for them
 * in a pipe.
 */
export function wantsColour(
  isTty: boolean,
  environment: Readonly<Record<string, string | undefined>>,
): boolean {
  if (environment.NO_COLOR) return false;
  if (environment.FORCE_COLOR && environment.FORCE_COLOR !== '0') return true;
  return isTty && environment.TERM !== 'dumb';
}
