import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import {
  findCycle,
  type Playbook,
  PlaybookProblem,
  type PlaybookStep,
  planPlaybook,
  type ToolCheck,
} from './playbook.ts';

const tools: ToolCheck = {
  check: (tool, input) =>
    tool === 'code' ? { bad: input.broken ? 'with.broken: no' : null } : { unknown: true },
  repeatable: (_tool, input) => input.twice === true,
};
const step = (id: string, more: Partial<PlaybookStep> = {}): PlaybookStep => ({
  id,
  tool: 'code',
  needs: [],
  with: {},
  artifacts: [],
  required: true,
  ...more,
});
const playbook = (...steps: PlaybookStep[]): Playbook => ({
  name: 'p',
  inputs: { csv: { type: 'file' } },
  steps,
});

function problemOf(given: Playbook): PlaybookProblem {
  try {
    planPlaybook(given, tools);
  } catch (error) {
    if (error instanceof PlaybookProblem) return error;
    throw error;
  }
  throw new Error('the playbook was accepted');
}

describe('planPlaybook', () => {
  it('adds what references imply to the needs, once', () => {
    const planned = planPlaybook(
      playbook(
        step('a'),
        step('b', { needs: ['a'], with: { x: '${{ steps.a.output.y }} ${{ inputs.csv }}' } }),
      ),
      tools,
    );
    expect(planned[1]).toMatchObject({ index: 1, needs: ['a'] });
  });

  it.each([
    ['duplicate_step_id', 'a', playbook(step('a'), step('a'))],
    ['unknown_tool', 'b', playbook(step('a'), step('b', { tool: 'magic' }))],
    ['unknown_need', 'b', playbook(step('a'), step('b', { needs: ['c'] }))],
    ['unknown_reference', 'b', playbook(step('a'), step('b', { with: { x: '${{ steps.c.output }}' } }))],
    ['unknown_input', 'a', playbook(step('a', { with: { x: '${{ inputs.none }}' } }))],
    ['bad_reference', 'a', playbook(step('a', { with: { x: '${{ nonsense }}' } }))],
    ['bad_input', 'a', playbook(step('a', { with: { broken: true } }))],
    ['bad_retry', 'a', playbook(step('a', { retry: { attempts: 2, backoff_seconds: 1 } }))],
    ['cycle', 'a', playbook(step('a', { needs: ['a'] }))],
    [
      'cycle',
      'b',
      playbook(step('a'), step('b', { needs: ['c'] }), step('c', { with: { x: '${{ steps.b.output }}' } })),
    ],
  ])('finds %s and names step %s', (code, named, given) => {
    const problem = problemOf(given);
    expect(problem.code).toBe(code);
    expect(problem.step).toBe(named);
    expect(problem.message).toContain(`"${named}"`);
  });

  it('lets a call be made again that may be', () => {
    const retry = { attempts: 2, backoff_seconds: 1 };
    expect(planPlaybook(playbook(step('a', { with: { twice: true }, retry })), tools)).toMatchObject([
      { retry },
    ]);
  });

  it('takes thousands of steps in a row', () => {
    const chain = Array.from({ length: 10_000 }, (_, n) =>
      step(`s${n}`, { needs: n > 0 ? [`s${n - 1}`] : [] }),
    );
    expect(planPlaybook(playbook(...chain), tools)).toHaveLength(10_000);
  });
});

describe('findCycle', () => {
  const graph = fc
    .integer({ min: 1, max: 12 })
    .chain((size) =>
      fc
        .array(fc.tuple(fc.nat(size - 1), fc.nat(size - 1)), { maxLength: 30 })
        .map((edges) => ({ size, edges })),
    );
  const nodes = (size: number, edges: readonly (readonly [number, number])[]) =>
    Array.from({ length: size }, (_, n) => ({
      id: `n${n}`,
      needs: edges.filter(([from]) => from === n).map(([, to]) => `n${to}`),
    }));

  it('finds none where every need points backwards', () => {
    fc.assert(
      fc.property(graph, ({ size, edges }) => {
        const backwards = edges.filter(([from, to]) => from > to);
        expect(findCycle(nodes(size, backwards))).toBeNull();
      }),
    );
  });

  it('gives a real cycle exactly where removing sinks leaves something', () => {
    fc.assert(
      fc.property(graph, ({ size, edges }) => {
        const all = nodes(size, edges);
        const cycle = findCycle(all);
        const left = new Set(all.map((node) => node.id));
        for (let before = -1; before !== left.size; ) {
          before = left.size;
          for (const node of all) if (!node.needs.some((need) => left.has(need))) left.delete(node.id);
        }
        expect(cycle === null).toBe(left.size === 0);
        if (!cycle) return;
        expect(cycle[0]).toBe(cycle.at(-1));
        for (const [n, id] of cycle.slice(0, -1).entries()) {
          expect(all.find((node) => node.id === id)?.needs).toContain(cycle[n + 1]);
        }
      }),
    );
  });
});
