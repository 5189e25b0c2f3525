import { endOf, type Token, tokensOf } from './tokens.ts';

/** A defect in the text of a function. */
export interface Defect {
  /** In words, without numbers of lines, so that it stays the same when the function grows. */
  readonly name: string;
  readonly text: string;
}

/** What is to be put in the place of the text between two offsets. */
interface Change {
  readonly what: string;
  readonly start: number;
  readonly end: number;
  by(text: string): string;
}

/** Every defect that can be made by rule in the body of a function in SQL or PL/pgSQL. */
export function defectsIn(body: string): Defect[] {
  const tokens = tokensOf(body);
  const changes = [
    ...tokens.flatMap((_, place) => [
      ...otherSign(tokens, place),
      ...lockGone(tokens, place),
      ...conditionNegated(tokens, place),
      ...conditionGone(tokens, place),
      ...assignmentGone(tokens, place),
    ]),
    ...statementsGone(tokens),
  ];
  const named = new Map<string, number>();
  return changes
    .toSorted((a, b) => a.start - b.start)
    .map(({ what, start, end, by }) => {
      const name = `${what} \`${shortened(body.slice(start, end))}\` in \`${shortened(lineAt(body, start))}\``;
      const nth = (named.get(name) ?? 0) + 1;
      named.set(name, nth);
      return {
        name: nth === 1 ? name : `${name} (${nth})`,
        text: `${body.slice(0, start)}${by(body.slice(start, end))}${body.slice(end)}`,
      };
    });
}

const lineAt = (text: string, offset: number): string =>
  text.slice(text.lastIndexOf('\n', offset - 1) + 1).split('\n')[0] ?? '';

const shortened = (text: string): string => {
  const line = text.trim().replaceAll(/\s+/g, ' ');
  return line.length <= 80 ? line : `${line.slice(0, 79)}…`;
};

const others: Readonly<Record<string, string>> = {
  ...{ '<': '<=', '<=': '<', '>': '>=', '>=': '>', '<>': '=' },
  ...{ '+': '-', '-': '+', GREATEST: 'least', LEAST: 'greatest' },
};

/** A comparison that is off by its bound, a sum that is a difference. */
function otherSign(tokens: readonly Token[], place: number): Change[] {
  const [before, token] = [tokens[place - 1], tokens[place]];
  const by = token && others[token.text];
  if (!token || by === undefined) return [];
  // A sign before a number is no operation, and `IS NOT`, `THEN` and the like come before one.
  const binary = before !== undefined && (/^[)\]\d']/.test(before.text) || /[a-z_]$/i.test(before.text));
  if ('+-'.includes(token.text) && (!binary || keywords.has(before.text))) return [];
  return [{ what: `${by} in the place of`, start: token.start, end: token.end, by: () => by }];
}

const keywords = new Set(['THEN', 'ELSE', 'WHEN', 'AND', 'OR', 'NOT', 'RETURN', 'SELECT', 'BY', 'IN']);

/** `FOR UPDATE` and its like gone, and `SKIP LOCKED` alone. */
function lockGone(tokens: readonly Token[], place: number): Change[] {
  const token = tokens[place];
  if (token?.text === 'SKIP') return [gone('without', tokens, place, place + 2)];
  if (token?.text !== 'FOR' || !['UPDATE', 'NO', 'SHARE', 'KEY'].includes(tokens[place + 1]?.text ?? ''))
    return [];
  return [gone('without', tokens, place, endOf(tokens, place + 1, token.depth, new Set([';'])))];
}

/** The other way round: `IF NOT (…)`. */
function conditionNegated(tokens: readonly Token[], place: number): Change[] {
  const token = tokens[place];
  if (!token || !(token.text === 'IF' || token.text === 'ELSIF') || tokens[place - 1]?.text === 'END')
    return [];
  const end = endOf(tokens, place + 1, token.depth, new Set(['THEN']));
  const [first, last] = [tokens[place + 1], tokens[end - 1]];
  if (tokens[end]?.text !== 'THEN' || !first || !last) return [];
  return [{ what: 'not', start: first.start, end: last.end, by: (text) => `NOT (${text})` }];
}

/** A part of a condition gone that AND or OR ties to the others, or all of a WHERE. */
function conditionGone(tokens: readonly Token[], place: number): Change[] {
  const token = tokens[place];
  if (!token) return [];
  const end = conditionEnd(tokens, place + 1, token.depth);
  if (tiesParts(tokens, place)) return [gone('without', tokens, place, end)];
  if (!['WHERE', 'ON', 'IF', 'ELSIF', 'WHEN', '('].includes(token.text)) return [];
  const inner = token.text === '(' ? conditionEnd(tokens, place + 1, token.depth + 1) : end;
  if (tiesParts(tokens, inner)) return [gone('without', tokens, place + 1, inner + 1)];
  return token.text === 'WHERE' ? [gone('without', tokens, place, end)] : [];
}

function tiesParts(tokens: readonly Token[], place: number): boolean {
  const text = tokens[place]?.text;
  return text === 'OR' || (text === 'AND' && !isBetween(tokens, place));
}

const conditionEnds = new Set([
  ...['AND', 'OR', 'THEN', 'WHEN', 'ELSE', 'GROUP', 'ORDER', 'LIMIT', 'FOR', 'RETURNING', 'UNION', 'HAVING'],
  ...['JOIN', 'LEFT', 'INNER', 'CROSS', 'WHERE', 'LOOP', 'DO', 'ON', 'SET', ';', ','],
]);

/** Where the part of a condition ends that begins here; the AND of a BETWEEN does not end it. */
function conditionEnd(tokens: readonly Token[], from: number, depth: number): number {
  const end = endOf(tokens, from, depth, conditionEnds);
  return tokens[end]?.text === 'AND' && tokens[end]?.depth === depth && isBetween(tokens, end)
    ? conditionEnd(tokens, end + 1, depth)
    : end;
}

/** Whether an AND belongs to the BETWEEN before it. */
function isBetween(tokens: readonly Token[], place: number): boolean {
  const { depth = 0 } = tokens[place] ?? {};
  const before = tokens.slice(0, place).filter((token) => token.depth === depth);
  return before.findLast(({ text }) => conditionEnds.has(text) || text === 'BETWEEN')?.text === 'BETWEEN';
}

/** One of several columns that an UPDATE sets left as it is. Nobody decides anything by `updated_at`. */
function assignmentGone(tokens: readonly Token[], place: number): Change[] {
  const token = tokens[place];
  if (token?.text !== 'SET') return [];
  const changes: Change[] = [];
  const ends = new Set([';', ',', 'WHERE', 'FROM', 'RETURNING']);
  for (let start = place + 1, more = true; more; ) {
    const end = endOf(tokens, start, token.depth, ends);
    more = tokens[end]?.text === ',' && tokens[end]?.depth === token.depth;
    const last = changes.length > 0 && !more;
    if (tokens[start]?.text !== 'UPDATED_AT' && (more || changes.length > 0))
      changes.push(gone('without', tokens, last ? start - 1 : start, more ? end + 1 : end));
    start = end + 1;
  }
  return changes;
}

/** A statement of PL/pgSQL that does something, or ends the function early. */
function statementsGone(tokens: readonly Token[]): Change[] {
  const begin = tokens.findIndex(({ text }) => text === 'BEGIN');
  if (begin === -1) return [];
  return tokens.flatMap((token, place) => {
    const before = tokens[place - 1];
    const starts =
      place > begin && before?.depth === 0 && [';', 'BEGIN', 'THEN', 'ELSE', 'LOOP'].includes(before.text);
    const does = ['UPDATE', 'INSERT', 'DELETE', 'PERFORM', 'RAISE', 'RETURN'].includes(token.text);
    if (!starts || !(does || tokens[place + 1]?.text === ':=')) return [];
    const end = endOf(tokens, place, 0, new Set([';']));
    const isLast = tokens.slice(end + 1).every(({ text }) => text === 'END' || text === ';');
    if (token.text === 'RETURN' && isLast) return [];
    return [{ ...gone('without', tokens, place, end), by: () => 'NULL' }];
  });
}

/** Without the tokens from one place up to another. */
function gone(what: string, tokens: readonly Token[], from: number, to: number): Change {
  return { what, start: tokens[from]?.start ?? 0, end: tokens[to - 1]?.end ?? 0, by: () => '' };
}
