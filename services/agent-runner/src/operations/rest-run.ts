import type { Database } from '@swissbrain/service-kit/database';
import type { NewArtifact } from '../store/advance.ts';
import { type Awaited, hasCome, listOpenQuestions } from '../store/questions.ts';
import { keepWorkspaceStatement, restRow } from '../store/rests.ts';
import { lockRun } from '../store/runs.ts';
import { type Claim, ClaimLost } from './claims.ts';

/** A prompt is shortened in run.waiting, whose size is bounded; the question has the whole of it. */
const shownPrompt = 300;
const shownQuestions = 100;

/** Keeps a snapshot of the workspace. @throws ClaimLost */
export async function keepWorkspace(database: Database, claim: Claim, snapshot: NewArtifact): Promise<void> {
  const rows = await database.serviceStatement(keepWorkspaceStatement(claim, snapshot));
  if (rows.length === 0) throw new ClaimLost(`attempt ${claim.attempt} of run ${claim.runId} may not write`);
}

/**
 * Leaves a run without a worker: `paused` where a pause was asked for, else `waiting_input` for what is awaited. Undefined
 * when there is no reason to leave it: something that is awaited has come, or the pause was withdrawn.
 * @throws ClaimLost
 */
export async function restRun(
  database: Database,
  claim: Claim,
  rest: { readonly awaited: readonly Awaited[]; readonly leavesSession: boolean },
): Promise<'waiting_input' | 'paused' | undefined> {
  const { awaited, leavesSession } = rest;
  return database.withService(async (tx) => {
    const run = await lockRun(tx, claim.runId);
    const left = { ...claim, leavesSession };
    const written = (done: boolean) => {
      if (!done) throw new ClaimLost(`attempt ${claim.attempt} of run ${claim.runId} may not write`);
    };
    if (run?.pause_requested_at) {
      written(await restRow(tx, { ...left, status: 'paused', data: { reason: run.pause_reason ?? 'user' } }));
      return 'paused';
    }
    if (awaited.length === 0 || (await hasCome(tx, awaited))) return undefined;
    const open = await listOpenQuestions(tx, claim.runId);
    const questions = open.slice(0, shownQuestions).map((question) => ({
      question_id: question.id,
      step_id: question.step_id,
      kind: question.kind,
      prompt: question.prompt.slice(0, shownPrompt),
    }));
    const data = { waits_for: open.length > 0 ? 'input' : 'children', questions };
    written(await restRow(tx, { ...left, status: 'waiting_input', data }));
    return 'waiting_input';
  });
}
