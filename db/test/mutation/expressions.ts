/**
 * The parts of an expression that its outermost AND ties together, as Postgres prints it: `((a > 0) AND (b > 0))`.
 * A single part when there is no AND outermost.
 */
export function conjuncts(expression: string): string[] {
  const inner = withoutParentheses(expression);
  const parts: string[] = [];
  let start = 0;
  let between = false; // Postgres prints BETWEEN as two comparisons; this guards against the day it does not
  for (const { index, depth } of words(inner)) {
    if (depth > 0) continue;
    const rest = inner.slice(index);
    if (/^BETWEEN\b/.test(rest)) between = true;
    else if (/^OR\b/.test(rest)) return [expression];
    else if (/^AND\b/.test(rest) && between) between = false;
    else if (/^AND\b/.test(rest)) {
      parts.push(inner.slice(start, index).trim());
      start = index + 'AND'.length;
    }
  }
  return [...parts, inner.slice(start).trim()];
}

/** Where words begin outside quotes, and how deep in parentheses. */
function* words(text: string): Generator<{ index: number; depth: number }> {
  let depth = 0;
  let quoted = false;
  for (let index = 0; index < text.length; index += 1) {
    const char = text[index];
    if (char === "'") quoted = !quoted;
    if (quoted) continue;
    if (char === '(' || char === '[') depth += 1;
    if (char === ')' || char === ']') depth -= 1;
    if (/[A-Z]/.test(char ?? '') && !/\w/.test(text[index - 1] ?? ' ')) yield { index, depth };
  }
}

/** Without the parentheses around the whole. */
function withoutParentheses(text: string): string {
  let inner = text.trim();
  while (inner.startsWith('(') && closes(inner) === inner.length - 1) inner = inner.slice(1, -1).trim();
  return inner;
}

/** Where the first parenthesis closes. */
function closes(text: string): number {
  let depth = 0;
  let quoted = false;
  for (let index = 0; index < text.length; index += 1) {
    if (text[index] === "'") quoted = !quoted;
    if (quoted) continue;
    if (text[index] === '(') depth += 1;
    if (text[index] === ')') depth -= 1;
    if (depth === 0) return index;
  }
  return -1;
}
