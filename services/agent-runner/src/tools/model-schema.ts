type Schema = Readonly<Record<string, unknown>>;

const isSchema = (value: unknown): value is Schema =>
  typeof value === 'object' && value !== null && !Array.isArray(value);
const namesIn = (value: unknown): readonly string[] =>
  Array.isArray(value) ? value.filter((each) => typeof each === 'string') : [];
const propertiesOf = ({ properties }: Schema): Record<string, Schema> =>
  Object.fromEntries(
    Object.entries(isSchema(properties) ? properties : {}).filter(([, each]) => isSchema(each)),
  ) as Record<string, Schema>;

/** One schema for what has another in each variant; of constants the list. */
function joined(schemas: readonly Schema[]): Schema {
  const distinct = [...new Map(schemas.map((each) => [JSON.stringify(each), each])).values()];
  const [first] = distinct;
  if (distinct.length === 1 && first) return first;
  if (distinct.every((each) => 'const' in each)) {
    return { type: 'string', enum: distinct.map((each) => each.const) };
  }
  return { anyOf: distinct };
}

/** `open: address; type: target, text, submit (optional)`: what belongs to which value of the property that tells variants apart. */
function guide(variants: readonly Schema[], told: string): string {
  return variants
    .map((variant) => {
      const required = new Set(namesIn(variant.required));
      const names = Object.keys(propertiesOf(variant)).filter((name) => name !== told);
      const words = names.map((name) => (required.has(name) ? name : `${name} (optional)`));
      return `${String(propertiesOf(variant)[told]?.const)}: ${words.join(', ') || 'nothing else'}`;
    })
    .join('; ');
}

function merged(variants: readonly Schema[], rest: Schema): Schema {
  const all = variants.map(propertiesOf);
  const names = [...new Set(all.flatMap((properties) => Object.keys(properties)))];
  const properties = Object.fromEntries(
    names.map((name) => [name, joined(all.map((each) => each[name]).filter(isSchema))]),
  );
  const told = names.find((name) => all.every((each) => each[name] !== undefined && 'const' in each[name]));
  const described =
    told === undefined
      ? {}
      : { [told]: { ...properties[told], description: `What goes with it: ${guide(variants, told)}` } };
  const required = names.filter((name) => variants.every((each) => namesIn(each.required).includes(name)));
  const closed = variants.every(({ additionalProperties }) => additionalProperties === false);
  return {
    ...rest,
    type: 'object',
    properties: { ...propertiesOf(rest), ...properties, ...described },
    required: [...new Set([...namesIn(rest.required), ...required])],
    ...(closed ? { additionalProperties: false } : {}),
  };
}

/** The schema with definitions put where they are named; one within itself allows anything there. */
function inlined(value: unknown, definitions: Schema, within: readonly string[] = []): unknown {
  if (Array.isArray(value)) return value.map((each) => inlined(each, definitions, within));
  if (!isSchema(value)) return value;
  const { $ref: reference, ...rest } = value;
  if (typeof reference === 'string') {
    const name = /^#\/(?:\$defs|definitions)\/([^/]+)$/.exec(reference)?.[1];
    if (name === undefined || within.includes(name)) return rest;
    const target = inlined(definitions[name], definitions, [...within, name]);
    return { ...(isSchema(target) ? target : {}), ...rest };
  }
  return Object.fromEntries(
    Object.entries(rest).map(([key, each]) => [key, inlined(each, definitions, within)]),
  );
}

/**
 * A tool's schema in the form that every provider takes: an object, without alternatives at the top or references, which
 * Anthropic and OpenAI refuse. Alternatives become one object that allows what any of them does; the tool itself still checks
 * which.
 */
export function modelSchemaOf(schema: Schema): Record<string, unknown> {
  const { $schema: _schema, $defs, definitions, ...bare } = schema;
  const whole = inlined(bare, {
    ...(isSchema(definitions) ? definitions : {}),
    ...(isSchema($defs) ? $defs : {}),
  });
  const { oneOf, anyOf, allOf: _allOf, not: _not, enum: _enum, ...rest } = whole as Record<string, unknown>;
  const variants = [oneOf, anyOf].flatMap((each) => (Array.isArray(each) ? each : [])).filter(isSchema);
  if (variants.length === 0) return { ...rest, type: 'object' };
  return { ...merged(variants, rest) };
}
