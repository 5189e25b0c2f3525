import { bodyOf, given } from '@swissbrain/client/api';
import { type AddCommand, writeJson, writeLines } from '../command.ts';
import { connect } from '../connection.ts';
import type { Context } from '../context.ts';
import { formatMoment } from '../format.ts';

interface Options {
  readonly cursor?: string;
  readonly json?: boolean;
}

/** `swissbrain questions <run>` and `swissbrain answer`: what a run wants to know of a person. */
export const addQuestions: AddCommand = (program, context) => {
  program
    .command('questions')
    .description('list what a run has asked, newest first')
    .argument('<run>', "the run's id")
    .option('--cursor <cursor>', 'the next page, as the one before it says')
    .option('--json', 'the page as JSON')
    .action((runId: string, options: Options) => list(runId, options, context));
  program
    .command('answer')
    .description('answer a question of a run; an approval takes approve or deny')
    .argument('<run>', "the run's id")
    .argument('<question>', "the question's id")
    .argument('<answer>', 'JSON, or else the text itself')
    .option('--json', 'the question as JSON')
    .action((runId: string, questionId: string, answer: string, options: Options) =>
      give({ runId, questionId, answer }, options, context),
    );
};

async function list(id: string, { cursor, json }: Options, context: Context): Promise<void> {
  const { client } = await connect(context);
  const call = { params: { path: { id }, query: given({ cursor }) }, signal: context.signal };
  const page = await bodyOf(client.api.agentRunner.GET('/v1/runs/{id}/questions', call));
  if (json) {
    writeJson(context, page);
    return;
  }
  if (page.items.length === 0) writeLines(context, ['The run has asked nothing.']);
  const { style } = context;
  for (const question of page.items) {
    const until = question.status === 'open' ? ` until ${formatMoment(question.expires_at)}` : '';
    writeLines(context, [
      `${style.bold(question.id)}  ${question.kind}, ${question.status}${until}`,
      `  ${question.prompt}`,
      ...(question.tool === null ? [] : [`  ${question.tool} ${JSON.stringify(question.tool_input)}`]),
      ...(question.choices === null ? [] : [style.dim(`  one of: ${question.choices.join(', ')}`)]),
      ...(question.status === 'open' ? [style.dim(`  swissbrain answer ${id} ${question.id} …`)] : []),
    ]);
  }
  if (page.next_cursor !== null)
    writeLines(context, [style.dim(`more: swissbrain questions ${id} --cursor ${page.next_cursor}`)]);
}

async function give(
  reply: { readonly runId: string; readonly questionId: string; readonly answer: string },
  { json }: Options,
  context: Context,
): Promise<void> {
  const { client } = await connect(context);
  const question = await bodyOf(
    client.api.agentRunner.POST('/v1/runs/{id}/questions/{question_id}/answer', {
      params: { path: { id: reply.runId, question_id: reply.questionId } },
      body: { answer: jsonOrText(reply.answer) },
      signal: context.signal,
    }),
  );
  if (json) writeJson(context, question);
  else writeLines(context, [`${question.id}  ${question.status}`]);
}

/** What people type is text unless it is JSON: `approve`, `42`, `{"city":"Bern"}`. */
function jsonOrText(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return text;
  }
}
