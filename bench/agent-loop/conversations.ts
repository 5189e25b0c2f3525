import type { ModelConversation } from '@swissbrain/testkit/model-script';

/** Answers of the model in one run: all but the last ask for a tool that does nothing. */
export const answers = 5;
/** The goal of runs whose model never answers. */
export const hangingGoal = 'wait for ever';
/** The goal of all others. */
export const goal = 'call the tool, then say that you are done';

/** What the model says to each goal. */
export function conversationsOf(): ModelConversation[] {
  const call = { calls: [{ name: 'noop', input: {} }] };
  return [
    { match: hangingGoal, turns: ['hang'] },
    {
      match: goal,
      // Each result differs by the step it belongs to, so that nobody takes the runs for stuck.
      turns: [...Array.from({ length: answers - 1 }, () => call), { text: 'done' }],
    },
  ];
}
