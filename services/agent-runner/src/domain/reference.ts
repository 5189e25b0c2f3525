/** A place a value comes from: the output of an earlier step, or what the caller gave. */
export type Reference =
  | { readonly from: 'step'; readonly step: string; readonly path: readonly string[] }
  | { readonly from: 'input'; readonly input: string };

type Part = string | Reference;

/** The values that references can name. */
export interface Scope {
  /** Output of a finished step. */
  step(id: string): unknown;
  input(name: string): unknown;
}

/** A `${{ … }}` that cannot be read, or that names nothing at run time. */
export class ReferenceProblem extends Error {
  override readonly name = 'ReferenceProblem';
}

const opening = '${{';
const segment = '[A-Za-z0-9_-]+';
const stepForm = new RegExp(`^steps\\.(${segment})\\.output((?:\\.${segment})*)$`);
const inputForm = new RegExp(`^inputs\\.(${segment})$`);

function parseReference(expression: string): Reference {
  const step = stepForm.exec(expression);
  if (step?.[1] !== undefined) {
    return { from: 'step', step: step[1], path: step[2] ? step[2].slice(1).split('.') : [] };
  }
  const input = inputForm.exec(expression);
  if (input?.[1] !== undefined) return { from: 'input', input: input[1] };
  throw new ReferenceProblem(
    `\${{ ${expression} }} is neither steps.<id>.output.<path> nor inputs.<name>; write $\${{ for a literal \${{`,
  );
}

/**
 * Splits a string into literal text and references. `$${{` stands for a literal `${{`.
 * @throws ReferenceProblem when a reference is not closed or has no known form
 */
export function parseTemplate(text: string): readonly Part[] {
  if (!text.includes(opening)) return [text];
  const parts: Part[] = [];
  let literal = '';
  let at = 0;
  for (;;) {
    const start = text.indexOf(opening, at);
    if (start < 0) break;
    if (start > at && text[start - 1] === '$') {
      literal += text.slice(at, start - 1) + opening;
      at = start + opening.length;
      continue;
    }
    const end = text.indexOf('}}', start);
    if (end < 0) throw new ReferenceProblem(`\${{ without }} in: ${text.slice(start, start + 60)}`);
    literal += text.slice(at, start);
    if (literal !== '') parts.push(literal);
    literal = '';
    parts.push(parseReference(text.slice(start + opening.length, end).trim()));
    at = end + 2;
  }
  literal += text.slice(at);
  if (literal !== '') parts.push(literal);
  return parts;
}

/**
 * Every reference in the strings of a JSON value, with the path of the string that holds it.
 * @throws ReferenceProblem as parseTemplate
 */
export function findReferences(
  value: unknown,
  path: readonly string[] = [],
): { readonly reference: Reference; readonly path: readonly string[] }[] {
  if (typeof value === 'string') {
    return parseTemplate(value).flatMap((part) =>
      typeof part === 'string' ? [] : [{ reference: part, path }],
    );
  }
  if (typeof value !== 'object' || value === null) return [];
  return Object.entries(value).flatMap(([key, inner]) => findReferences(inner, [...path, key]));
}

function lookUp(reference: Reference, scope: Scope): unknown {
  if (reference.from === 'input') {
    const value = scope.input(reference.input);
    if (value === undefined) throw new ReferenceProblem(`the input "${reference.input}" has no value`);
    return value;
  }
  let value = scope.step(reference.step);
  const walked = [`steps.${reference.step}.output`];
  for (const key of reference.path) {
    if (typeof value !== 'object' || value === null || !Object.hasOwn(value, key)) {
      throw new ReferenceProblem(`${walked.join('.')} has no "${key}"`);
    }
    value = (value as Record<string, unknown>)[key];
    walked.push(key);
  }
  if (value === undefined) throw new ReferenceProblem(`${walked.join('.')} has no value`);
  return value;
}

/**
 * Replaces the references of one string. A string that is nothing but one reference becomes the value itself,
 * with its type; inside other text a value that is not a string is written as JSON.
 */
function resolveText(text: string, scope: Scope): unknown {
  const parts = parseTemplate(text);
  const [only] = parts;
  if (parts.length === 1 && only !== undefined && typeof only !== 'string') return lookUp(only, scope);
  return parts
    .map((part) => {
      if (typeof part === 'string') return part;
      const value = lookUp(part, scope);
      return typeof value === 'string' ? value : JSON.stringify(value);
    })
    .join('');
}

/**
 * Replaces all references in the strings of a JSON value; keys and other values stay. What is substituted is
 * data: it is not searched for references again.
 * @throws ReferenceProblem when a reference names nothing
 */
export function resolveReferences(value: unknown, scope: Scope): unknown {
  if (typeof value === 'string') return resolveText(value, scope);
  if (typeof value !== 'object' || value === null) return value;
  if (Array.isArray(value)) return value.map((inner) => resolveReferences(inner, scope));
  return Object.fromEntries(
    Object.entries(value).map(([key, inner]) => [key, resolveReferences(inner, scope)]),
  );
}
