/** One move of an agent: what it asked for and what came of it. */
export interface Move {
  /** Tools and inputs it asked for, as text; empty when it asked for none. */
  readonly asked: string;
  /** What it was told, as text. */
  readonly told: string;
}

/** Results differ by how long the call took, which makes no move a new one. */
const volatile = /"duration_ms":\d+/g;

/** How an agent goes round in circles. */
export type StuckReason = 'repeating' | 'alternating' | 'monologue';

const repeats = 3;
const alternations = 6;

const same = (a: Move | undefined, b: Move | undefined) =>
  a !== undefined &&
  b !== undefined &&
  a.asked === b.asked &&
  a.told.replaceAll(volatile, '') === b.told.replaceAll(volatile, '');

/**
 * Why an agent is not getting on, or null: the same calls with the same results, two of them in turns, or words
 * without a call that do not end the run.
 */
export function stuckReason(moves: readonly Move[]): StuckReason | null {
  const last = moves.at(-1);
  if (!last) return null;
  if (last.asked === '') return 'monologue';
  const tail = moves.slice(-repeats);
  if (tail.length === repeats && tail.every((move) => same(move, last))) return 'repeating';
  const turns = moves.slice(-alternations);
  const [first, second] = turns;
  const inTurns = turns.every((move, place) => same(move, place % 2 === 0 ? first : second));
  return turns.length === alternations && inTurns && !same(first, second) ? 'alternating' : null;
}

/** What the agent is told, once. */
export const stuckAdvice: Readonly<Record<StuckReason, string>> = {
  repeating:
    'You have made the same calls with the same results several times. Change your approach, or finish with what you have.',
  alternating:
    'You go back and forth between the same two calls with the same results. Change your approach, or finish with what you have.',
  monologue:
    'Your last answer held no complete result and asked for no tool. Either call a tool or give your final answer in words, shorter if it was cut off.',
};

/** What the user is told when that did not help. */
export const stuckMessage: Readonly<Record<StuckReason, string>> = {
  repeating: 'the model kept making the same calls with the same results',
  alternating: 'the model kept going back and forth between the same two calls',
  monologue: 'the model kept answering without a result and without a call',
};
