import { isDeepStrictEqual } from 'node:util';
import { afterCommit, type Database, type Principal, type Tx } from '@swissbrain/service-kit/database';
import { answerProblem } from '../domain/answer-schema.ts';
import { errors } from '../errors.ts';
import {
  askStatement,
  closeQuestionRow,
  expiredStatement,
  findAskedStatement,
  listQuestions,
  lockQuestion,
  type NewQuestion,
  type QuestionRow,
} from '../store/questions.ts';
import { resumeRow } from '../store/rests.ts';
import { findRun, lockRun } from '../store/runs.ts';
import { type Claim, ClaimLost } from './claims.ts';

const batch = 100;

/** Whom an answer concerns. */
export interface RunWakes {
  /** A run is in the waiting line. */
  readonly dispatcher: () => void;
  /** The worker of a run, wherever it is, should look at its row. */
  readonly worker: (runId: string) => void;
  /** Runs have ended, and sandboxes of theirs may be left. */
  readonly sweep: () => void;
}

/** Asks a question once; a step that has asked before gets the question it asked. @throws ClaimLost */
export async function askQuestion(
  database: Database,
  claim: Claim,
  question: NewQuestion,
): Promise<QuestionRow> {
  const [asked] = await database.serviceStatement(askStatement(claim, question));
  if (asked) return asked;
  const before = await lookForAnswer(database, question.stepId, question.kind);
  if (!before) throw new ClaimLost(`attempt ${claim.attempt} of run ${claim.runId} may not write`);
  return before;
}

/** The question that a step has asked, with its answer if there is one. */
export async function lookForAnswer(
  database: Database,
  stepId: string,
  kind: NewQuestion['kind'],
): Promise<QuestionRow | undefined> {
  const [question] = await database.serviceStatement(findAskedStatement(stepId, kind));
  return question;
}

/** What is wrong with an answer to a question, or null. */
function complaint(question: QuestionRow, answer: unknown): string | null {
  const { choices, answer_schema: schema } = question;
  if (choices !== null && !choices.some((choice) => choice === answer)) {
    return `the answer is one of: ${choices.map((choice) => JSON.stringify(choice)).join(', ')}`;
  }
  if (schema === null) return null;
  return answerProblem(schema as Record<string, unknown>, answer);
}

/** After an answer: a run that waits goes back into the line, one that has a worker is looked at by it. */
async function goOn(tx: Tx, runId: string, wakes: RunWakes): Promise<void> {
  if (await resumeRow(tx, runId, 'waiting_input')) afterCommit(tx, wakes.dispatcher);
  else afterCommit(tx, () => wakes.worker(runId));
}

/**
 * Answers a question of the transaction's user. The same answer again changes nothing.
 * @throws AppError run_not_found, question_not_found, invalid_answer, question_closed
 */
export async function answerQuestion(
  tx: Tx,
  ids: { readonly runId: string; readonly questionId: string },
  answer: unknown,
  wakes: RunWakes,
): Promise<QuestionRow> {
  const { runId, questionId } = ids;
  const run = await lockRun(tx, runId);
  if (!run) throw errors.run_not_found(`there is no run ${runId}`);
  const question = await lockQuestion(tx, runId, questionId);
  if (!question) throw errors.question_not_found(`the run has no question ${questionId}`);
  if (question.status === 'answered' && isDeepStrictEqual(question.answer, answer)) return question;
  if (question.status !== 'open') {
    const why = question.status === 'answered' ? 'has another answer already' : 'was not answered in time';
    throw errors.question_closed(`the question ${why}`);
  }
  if (run.finished_at || run.cancel_requested_at) throw errors.question_closed('the run has ended');
  const problem = complaint(question, answer);
  if (problem !== null) throw errors.invalid_answer(problem);
  const closed = await closeQuestionRow(tx, questionId, { by: 'user', answer });
  if (!closed) throw errors.question_closed('the question was not answered in time');
  await goOn(tx, runId, wakes);
  return closed;
}

/** Ends questions whose time is up, by their default or without an answer; returns how many. */
export async function expireQuestions(database: Database, wakes: RunWakes): Promise<number> {
  const expired = await database.serviceStatement(expiredStatement(batch));
  for (const { id, run_id: runId, default_answer: answer } of expired) {
    await database.withService(async (tx) => {
      const run = await lockRun(tx, runId);
      if (!run || run.finished_at) return;
      if (await closeQuestionRow(tx, id, { by: 'timeout', answer })) await goOn(tx, runId, wakes);
    });
  }
  return expired.length;
}

/** A page of the questions of a run of the caller, and whether the run has ended. @throws AppError run_not_found */
export function readQuestions(
  database: Database,
  principal: Principal,
  runId: string,
  page: Parameters<typeof listQuestions>[2],
) {
  return database.withUser(principal, async (tx) => {
    const run = await findRun(tx, runId);
    if (!run) throw errors.run_not_found(`there is no run ${runId}`);
    return { ended: run.finished_at !== null, rows: await listQuestions(tx, runId, page) };
  });
}
