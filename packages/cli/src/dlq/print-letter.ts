import type { DeadLetter, DeadLetterDetail } from '@swissbrain/client/types';
import type { ServiceName } from '@swissbrain/shared-schema/ids';
import { cut, formatMoment, formatTable } from '../format.ts';
import type { Style } from '../style.ts';
import { redact } from '../tap/redact.ts';
import { nameOf } from './letter-name.ts';

/** A letter of a list for another program; what its error quotes shows no secrets. */
export function jsonLetter<View extends DeadLetter>(service: ServiceName, letter: View) {
  return { letter: nameOf({ service, ...letter }), service, ...letter, error: String(redact(letter.error)) };
}

/** A letter of a list for people: name, when, consumer, event, error. */
export function letterRow(service: ServiceName, letter: DeadLetter, style: Style): string[] {
  const { event, consumer, error, died_at } = letter;
  return [
    nameOf({ service, ...letter }),
    formatMoment(died_at),
    consumer,
    `${event.type ?? 'no type'}@${event.version ?? '?'}`,
    style.red(cut(String(redact(error)), 80)),
  ];
}

/** A letter with its headers and body, secrets left out. */
export function readableDetail(letter: DeadLetterDetail): DeadLetterDetail & { readonly data: unknown } {
  const parsed = parseBody(letter.body);
  return {
    ...letter,
    error: String(redact(letter.error)),
    headers: Object.fromEntries(
      Object.entries(letter.headers).map(([name, values]) => [
        name,
        values.map((value) => String(redact(value))),
      ]),
    ),
    data: redact(parsed),
    body: parsed === null ? String(redact(letter.body)) : JSON.stringify(redact(parsed)),
  };
}

/** The lines of one letter for people. */
export function detailLines(service: ServiceName, letter: DeadLetterDetail, style: Style): string[] {
  const { headers, data, body, ...view } = readableDetail(letter);
  const attempts = view.attempts === null ? '' : ` after ${view.attempts} attempts`;
  return [
    `${style.bold(nameOf({ service, ...view }))}  ${view.consumer}, ${formatMoment(view.died_at)}${attempts}`,
    style.red(view.error),
    '',
    ...formatTable(
      Object.entries(headers).map(([name, values]) => [style.dim(name), values.join(', ')]),
      { indent: '  ' },
    ),
    '',
    ...(data === null ? body : JSON.stringify(data, null, 2)).split('\n').map((line) => `  ${line}`),
  ];
}

/** JSON, or null for a body that is none. */
function parseBody(body: string): unknown {
  try {
    return JSON.parse(body);
  } catch {
    return null;
  }
}
