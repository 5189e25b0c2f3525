import { alternativesOf, type Scope } from './alternatives.ts';
import { bounds, isNarrower } from './bounds.ts';
import type { JsonSchema } from './json-schema.ts';

/** Where a version was broken, as a path into the event's data, and how. */
export interface Break {
  readonly path: string;
  readonly problem: string;
}

/** Say something about a schema and nothing about what it accepts. */
const annotations: ReadonlySet<string> = new Set([
  ...['$schema', '$id', '$comment', '$defs', 'definitions', 'title', 'description', 'default', 'examples'],
  ...['deprecated', 'readOnly', 'writeOnly'],
]);
const comparedOnTheirOwn: ReadonlySet<string> = new Set([
  ...['type', 'enum', 'const', 'anyOf', 'oneOf', '$ref', 'properties', 'required', 'items', 'prefixItems'],
  ...['additionalProperties', 'propertyNames', ...bounds],
]);

interface Place {
  readonly before: Scope;
  readonly after: Scope;
  readonly path: string;
}

/**
 * What the schema `after` takes away from those who rely on `before`: a property that is gone, one that must be
 * there now, values that are no longer accepted. Optional properties and wider values are additions. What this
 * comparison does not know counts as a break as soon as it differs.
 */
export function breaksOf(before: JsonSchema, after: JsonSchema): Break[] {
  const scope = (root: JsonSchema): Scope => ({ root, open: new Set() });
  const moved = ['x-source', 'x-aggregate'].filter((name) => before[name] !== after[name]);
  return [
    ...moved.map((name) => ({
      path: name,
      problem: `changed from ${text(before[name])} to ${text(after[name])}`,
    })),
    ...compare(before, after, { before: scope(before), after: scope(after), path: '' }),
  ];
}

function compare(before: JsonSchema, after: JsonSchema, place: Place): Break[] {
  if (Object.keys(after).every((keyword) => annotations.has(keyword))) return [];
  const olds = alternativesOf(before, place.before);
  const news = alternativesOf(after, place.after);
  // Recursive: the same pair is being compared further up.
  if (olds === 'recursive' || news === 'recursive') {
    return olds === news ? [] : at(place, 'narrowed: one side refers to itself');
  }
  const inner = { ...place, before: olds.scope, after: news.scope };
  return olds.list.flatMap((old) => {
    const tried = news.list.map((candidate) => compareOne(old, candidate, inner));
    if (tried.some((breaks) => breaks.length === 0)) return [];
    const alike = news.list.flatMap((candidate, i) => (candidate.type === old.type ? [tried[i] ?? []] : []));
    // What keeps the nearest candidate from fitting says more than that none fits.
    const [nearest] = alike.toSorted((a, b) => a.length - b.length);
    return nearest ?? at(place, `type narrowed: ${describe(old)} is not accepted any more`);
  });
}

function compareOne(before: JsonSchema, after: JsonSchema, place: Place): Break[] {
  if ('$ref' in before || '$ref' in after) {
    const both = '$ref' in before && '$ref' in after;
    return both ? [] : at(place, 'narrowed: one side refers to itself');
  }
  if (after.type !== undefined && before.type !== after.type) {
    const widened = before.type === 'integer' && after.type === 'number';
    if (!widened) return at(place, `type narrowed: ${describe(before)} is not accepted any more`);
  }
  return [
    ...compareValues(before, after, place),
    ...compareKeywords(before, after, place),
    ...compareProperties(before, after, place),
    ...compareParts(before, after, place),
  ];
}

function compareValues(before: JsonSchema, after: JsonSchema, place: Place): Break[] {
  const accepted = valuesOf(after);
  if (accepted === undefined) return [];
  const values = valuesOf(before);
  if (values === undefined)
    return at(place, `enum narrowed: only these are accepted now: ${accepted.join(', ')}`);
  const gone = values.filter((value) => !accepted.includes(value));
  return gone.length === 0 ? [] : at(place, `enum narrowed: ${gone.join(', ')} not accepted any more`);
}

function valuesOf(schema: JsonSchema): string[] | undefined {
  if ('const' in schema) return [text(schema.const)];
  return Array.isArray(schema.enum) ? schema.enum.map(text) : undefined;
}

/** Formats, patterns and bounds, and whatever is not known here. */
function compareKeywords(before: JsonSchema, after: JsonSchema, place: Place): Break[] {
  const narrowed = isNarrower(before, after).map((problem) => ({ path: place.path || '(data)', problem }));
  const changed = Object.entries(after).filter(
    ([name, value]) =>
      !annotations.has(name) &&
      !comparedOnTheirOwn.has(name) &&
      !name.startsWith('x-') &&
      text(before[name]) !== text(value),
  );
  return [
    ...narrowed,
    ...changed.flatMap(([name, value]) =>
      at(place, `${name} narrowed: ${text(before[name])} became ${text(value)}`),
    ),
  ];
}

function compareProperties(before: JsonSchema, after: JsonSchema, place: Place): Break[] {
  const olds = partsOf(before.properties);
  const news = partsOf(after.properties);
  const breaks: Break[] = [];
  for (const [name, schema] of Object.entries(olds)) {
    const kept = news[name];
    const inside = { ...place, path: place.path === '' ? name : `${place.path}.${name}` };
    breaks.push(...(kept ? compare(schema, kept, inside) : at(inside, 'removed or renamed')));
  }
  const required = namesOf(before.required);
  for (const name of namesOf(after.required)) {
    if (required.includes(name)) continue;
    const inside = { ...place, path: place.path === '' ? name : `${place.path}.${name}` };
    breaks.push(...at(inside, name in olds ? 'became required' : 'new and required'));
  }
  return breaks;
}

/** Parts of which every value has any number: items, other properties, the names of properties. */
function compareParts(before: JsonSchema, after: JsonSchema, place: Place): Break[] {
  const breaks = ['items', 'additionalProperties', 'propertyNames'].flatMap((keyword) => {
    const suffix = keyword === 'items' ? '[]' : keyword === 'propertyNames' ? '{name}' : '{}';
    const inside = { ...place, path: `${place.path}${suffix}` };
    return compare(schemaAt(before[keyword]), schemaAt(after[keyword]), inside);
  });
  const olds = listOf(before.prefixItems);
  const news = listOf(after.prefixItems);
  if (olds.length < news.length) breaks.push(...at(place, 'prefixItems narrowed: more places are fixed'));
  for (const [i, old] of olds.entries()) {
    const kept = news[i];
    if (kept) breaks.push(...compare(old, kept, { ...place, path: `${place.path}[${i}]` }));
  }
  return breaks;
}

/** Absent and `true` accept anything, `false` nothing. */
function schemaAt(value: unknown): JsonSchema {
  if (value === false) return { enum: [] };
  return isSchema(value) ? value : {};
}

function partsOf(value: unknown): Readonly<Record<string, JsonSchema>> {
  if (!isSchema(value)) return {};
  return Object.fromEntries(Object.entries(value).map(([name, part]) => [name, schemaAt(part)]));
}

function listOf(value: unknown): JsonSchema[] {
  return Array.isArray(value) ? value.map(schemaAt) : [];
}

function namesOf(value: unknown): string[] {
  return Array.isArray(value) ? value.map(String) : [];
}

function isSchema(value: unknown): value is JsonSchema {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}

function at(place: Place, problem: string): Break[] {
  return [{ path: place.path || '(data)', problem }];
}

function describe(schema: JsonSchema): string {
  return schema.type === undefined ? 'any value' : text(schema.type);
}

function text(value: unknown): string {
  return typeof value === 'string' ? value : (JSON.stringify(value) ?? 'nothing');
}
