/** A word, number, literal or sign of SQL or PL/pgSQL; comments are none. */
export interface Token {
  /** As written; of words in upper case. */
  readonly text: string;
  readonly start: number;
  readonly end: number;
  /** How many parentheses, brackets and CASEs it is in; those that open and close are outside. */
  readonly depth: number;
}

const pattern =
  /--[^\n]*|\/\*[\s\S]*?\*\/|'(?:[^']|'')*'|"[^"]*"|:=|=>|<>|<=|>=|@>|<@|->>|->|#>|\|\||::|[A-Za-z_]\w*(?:\.\w+)*|\d+(?:\.\d+)?|[^\s]/g;

/** The tokens of a function's body. */
export function tokensOf(text: string): Token[] {
  const open: string[] = [];
  const tokens: Token[] = [];
  for (const match of text.matchAll(pattern)) {
    const [written] = match;
    if (written.startsWith('--') || written.startsWith('/*')) continue;
    const word = written.toUpperCase();
    if (')]'.includes(word) || (word === 'END' && open.at(-1) === 'CASE')) open.pop();
    tokens.push({
      text: word,
      start: match.index,
      end: match.index + written.length,
      depth: open.length,
    });
    if (word === '(' || word === '[' || (word === 'CASE' && tokens.at(-2)?.text !== 'END')) open.push(word);
  }
  return tokens;
}

/** The place of the first token from `from` on that ends what is at this depth: one of `stops`, or the end around it. */
export function endOf(
  tokens: readonly Token[],
  from: number,
  depth: number,
  stops: ReadonlySet<string>,
): number {
  const ends = (token: Token): boolean =>
    token.depth < depth || (token.depth === depth && stops.has(token.text));
  const rest = tokens.slice(from).findIndex(ends);
  return rest === -1 ? tokens.length : from + rest;
}
