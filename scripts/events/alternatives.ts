import type { JsonSchema } from './json-schema.ts';

/** The document that references point into, and those that are being followed. */
export interface Scope {
  readonly root: JsonSchema;
  readonly open: ReadonlySet<string>;
}

/** A schema as a list of simple ones, one of which a value has to match. */
export interface Alternatives {
  readonly list: readonly JsonSchema[];
  readonly scope: Scope;
}

/**
 * Follows references and takes unions apart: `anyOf`, `oneOf`, a list of types. A reference that is being
 * followed already is 'recursive'.
 * @throws Error for a reference that leads nowhere
 */
export function alternativesOf(schema: JsonSchema, scope: Scope): Alternatives | 'recursive' {
  if (typeof schema.$ref === 'string') {
    const { $ref } = schema;
    if (scope.open.has($ref)) return 'recursive';
    return alternativesOf(lookUp($ref, scope.root), { ...scope, open: new Set([...scope.open, $ref]) });
  }
  const union = schema.anyOf ?? schema.oneOf;
  if (Array.isArray(union)) {
    let open = scope.open;
    const list: JsonSchema[] = [];
    for (const branch of union) {
      const found = alternativesOf(branch as JsonSchema, scope);
      // Kept as it is: what it leads to is compared where the recursion began.
      if (found === 'recursive') {
        list.push(branch as JsonSchema);
        continue;
      }
      list.push(...found.list);
      open = new Set([...open, ...found.scope.open]);
    }
    return { list, scope: { ...scope, open } };
  }
  if (Array.isArray(schema.type)) {
    return { list: schema.type.map((type: unknown) => ({ ...schema, type })), scope };
  }
  return { list: [schema], scope };
}

function lookUp(ref: string, root: JsonSchema): JsonSchema {
  let found: unknown = root;
  for (const part of ref.replace(/^#\/?/, '').split('/').filter(Boolean)) {
    found = (found as Readonly<Record<string, unknown>> | undefined)?.[part];
  }
  if (typeof found !== 'object' || found === null) throw new Error(`${ref} leads nowhere`);
  return found as JsonSchema;
}
