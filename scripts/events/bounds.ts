import type { JsonSchema } from './json-schema.ts';

const lengths = [
  ['minLength', 'maxLength'],
  ['minItems', 'maxItems'],
  ['minProperties', 'maxProperties'],
] as const;

/** The keywords that this file compares. */
export const bounds: readonly string[] = [
  ...['minimum', 'exclusiveMinimum', 'maximum', 'exclusiveMaximum'],
  ...lengths.flat(),
];

/** The bounds that are tighter in `after`, in words. */
export function isNarrower(before: JsonSchema, after: JsonSchema): string[] {
  const problems: string[] = [];
  const tell = (name: string, old: string, now: string) =>
    problems.push(`bound narrowed: ${name} ${old} became ${now}`);
  const sides = [
    ['minimum', 'exclusiveMinimum', 1],
    ['maximum', 'exclusiveMaximum', -1],
  ] as const;
  for (const [inclusive, exclusive, sign] of sides) {
    const old = limitOf(before, inclusive, exclusive, sign);
    const now = limitOf(after, inclusive, exclusive, sign);
    const tighter = now.value * sign > old.value * sign;
    if (tighter || (now.value === old.value && now.exclusive && !old.exclusive)) {
      tell(inclusive, show(old), show(now));
    }
  }
  for (const [least, most] of lengths) {
    const [oldLeast, newLeast] = [numberOr(before[least], 0), numberOr(after[least], 0)];
    if (newLeast > oldLeast) tell(least, String(oldLeast), String(newLeast));
    const [oldMost, newMost] = [numberOr(before[most], Infinity), numberOr(after[most], Infinity)];
    if (newMost < oldMost) tell(most, String(oldMost), String(newMost));
  }
  return problems;
}

interface Limit {
  readonly value: number;
  readonly exclusive: boolean;
}

/** The tighter of the two ways to write a limit; `sign` is 1 for the lower side, -1 for the upper. */
function limitOf(schema: JsonSchema, inclusive: string, exclusive: string, sign: 1 | -1): Limit {
  const none = -Infinity * sign;
  const closed = numberOr(schema[inclusive], none);
  const open = numberOr(schema[exclusive], none);
  const isOpen = open !== none && open * sign >= closed * sign;
  return { value: isOpen ? open : closed, exclusive: isOpen };
}

function numberOr(value: unknown, otherwise: number): number {
  return typeof value === 'number' ? value : otherwise;
}

function show({ value, exclusive }: Limit): string {
  return `${value}${exclusive ? ' (exclusive)' : ''}`;
}
