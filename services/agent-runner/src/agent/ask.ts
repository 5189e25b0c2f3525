import { isDeepStrictEqual } from 'node:util';
import { askQuestion, lookForAnswer } from '../operations/questions.ts';
import type { QuestionRow } from '../store/questions.ts';
import type { Tool, ToolAnswer, ToolQuestion, ToolResult } from '../tools/tool.ts';
import type { RunContext } from './run-context.ts';

const ended = (question: QuestionRow | undefined) =>
  question === undefined || question.status === 'open' ? undefined : question;

/**
 * Asks the run's user in the name of a step, once, and waits for the answer. With nothing else to do the run is left
 * meanwhile, and this rejects; whoever goes on with the step asks the same and finds the answer.
 */
async function askUser(
  context: RunContext,
  stepId: string,
  question: ToolQuestion & Pick<QuestionRow, 'kind' | 'tool' | 'tool_input'>,
): Promise<QuestionRow> {
  const { database, claim, settings, waits } = context;
  const asked = await askQuestion(database, claim, {
    stepId,
    kind: question.kind,
    prompt: question.prompt,
    choices: question.choices ?? null,
    answerSchema: question.answerSchema ?? null,
    tool: question.tool,
    toolInput: question.tool_input,
    defaultAnswer: question.defaultAnswer ?? null,
    timeoutMs: question.timeoutMs ?? settings.questionTimeoutMs,
  });
  if (asked.status !== 'open') return asked;
  return waits.until({ for: 'answer', stepId, kind: question.kind }, async () =>
    ended(await lookForAnswer(database, stepId, question.kind)),
  );
}

/** Asks in the name of a step of the human tool. */
export async function ask(context: RunContext, stepId: string, question: ToolQuestion): Promise<ToolAnswer> {
  const row = await askUser(context, stepId, { ...question, kind: 'question', tool: null, tool_input: null });
  if (row.status === 'answered') return { by: 'user', answer: row.answer };
  return row.default_answer === null ? { by: 'nobody' } : { by: 'default', answer: row.answer };
}

function needsApproval({ approvals }: RunContext, tool: Tool, input: unknown): boolean {
  if (approvals === 'never') return false;
  if (approvals === 'destructive') return (tool.effectOf?.(input) ?? tool.effect) === 'destructive';
  return approvals.includes(tool.name);
}

/**
 * Undefined when this call may be made: the run's policy grants it or the user has approved these very arguments. Else
 * why not. Only an answer by the user approves; nothing that a model writes reaches this.
 */
export async function refusal(
  context: RunContext,
  stepId: string,
  tool: Tool,
  input: unknown,
): Promise<ToolResult['failure']> {
  if (!needsApproval(context, tool, input)) return undefined;
  const prompt = `Approve the call of "${tool.name}"? ${tool.description}`.slice(0, 4_000);
  const row = await askUser(context, stepId, {
    prompt,
    choices: ['approve', 'deny'],
    kind: 'approval',
    tool: tool.name,
    tool_input: input,
  });
  if (row.status === 'timed_out') {
    return { code: 'question_timed_out', message: `nobody approved the call of "${tool.name}" in time` };
  }
  if (row.answer !== 'approve') {
    return { code: 'approval_denied', message: `the user denied the call of "${tool.name}"` };
  }
  if (row.tool === tool.name && isDeepStrictEqual(row.tool_input, JSON.parse(JSON.stringify(input)))) {
    return undefined;
  }
  return { code: 'approval_mismatch', message: 'other arguments were approved than those of this call' };
}
