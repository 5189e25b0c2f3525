import { decodeCursor } from '@swissbrain/service-kit/cursor';
import type { Database } from '@swissbrain/service-kit/database';
import { type Http, principalOf } from '@swissbrain/service-kit/http';
import { runIdempotent } from '@swissbrain/service-kit/idempotency';
import { toPage } from '@swissbrain/service-kit/page';
import * as api from '@swissbrain/shared-schema/http/agent-runner';
import { answerQuestion, type RunWakes, readQuestions } from '../operations/questions.ts';
import { questionView } from './views.ts';

export interface QuestionRoutes {
  readonly database: Database;
  readonly wakes: RunWakes;
}

/** What runs ask their users, and the answers. */
export function registerQuestionRoutes(http: Http, { database, wakes }: QuestionRoutes): void {
  http.get(
    '/v1/runs/:id/questions',
    {
      schema: {
        operationId: 'listQuestions',
        summary: 'List what a run has asked its user, oldest first',
        description: 'Questions of the `human` tool and approvals that calls of tools need.',
        tags: ['questions'],
        params: api.runParams,
        querystring: api.listQuestionsQuery,
        response: { 200: api.questionPage },
      },
    },
    async (request) => {
      const { limit, cursor } = request.query;
      const after = cursor === undefined ? undefined : decodeCursor(cursor);
      const found = await readQuestions(database, principalOf(request), request.params.id, {
        limit: limit + 1,
        after,
      });
      const page = toPage(
        found.rows.map((row) => ({ id: row.id, position: row.created_at_text, row })),
        limit,
      );
      return {
        items: page.items.map(({ row }) => questionView(row, found.ended)),
        next_cursor: page.next_cursor,
      };
    },
  );
  http.post(
    '/v1/runs/:id/questions/:question_id/answer',
    {
      schema: {
        operationId: 'answerQuestion',
        summary: 'Answer a question of a run',
        description:
          'The answer is one of the choices, or fits the schema, where the question has them; an approval takes `approve` ' +
          'or `deny`. The same answer again is harmless; another one, or one that comes too late, is refused with 409.',
        tags: ['questions'],
        params: api.questionParams,
        body: api.answerBody,
        response: { 200: api.questionView },
      },
    },
    async (request) => {
      const { id: runId, question_id: questionId } = request.params;
      const { body } = await runIdempotent(database, request, async (tx) => ({
        status: 200,
        body: questionView(
          await answerQuestion(tx, { runId, questionId }, request.body.answer, wakes),
          false,
        ),
      }));
      return body;
    },
  );
}
