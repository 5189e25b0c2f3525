import { advanceRun } from '../operations/claims.ts';
import { payloadArtifact } from '../operations/store-given.ts';
import { storePayload } from '../storage/payloads.ts';
import type { Advance } from '../store/advance.ts';
import type { RunContext } from './run-context.ts';

/**
 * Moves a run forward in one statement, with what is too large for its rows in object storage: that is stored first, so a
 * crash in between leaves an object that nothing refers to. Returns what was written.
 * @throws ClaimLost when nothing was written
 */
export async function advance(context: RunContext, step: Advance): Promise<Advance> {
  const { objects, run, signal, database } = context;
  const store = (value: unknown) => storePayload(objects, run.user_id, value, signal);
  const { finish, insert, messages = [] } = step;
  const storedOutput = finish ? await store(finish.output) : null;
  const storedInput = insert ? await store(insert.input) : null;
  const storedMessages: NonNullable<Advance['messages']>[number][] = [];
  for (const message of messages)
    storedMessages.push({ ...message, storedContent: await store(message.content) });
  const stored = [storedOutput, storedInput, ...storedMessages.map((message) => message.storedContent)];
  const payloads = stored.filter((payload) => payload !== null && payload !== undefined);
  const written: Advance =
    payloads.length === 0
      ? step
      : {
          ...step,
          ...(finish ? { finish: { ...finish, storedOutput } } : {}),
          ...(insert ? { insert: { ...insert, storedInput } } : {}),
          messages: storedMessages,
          artifacts: [...(step.artifacts ?? []), ...payloads.map(payloadArtifact)],
        };
  await advanceRun(database, written);
  return written;
}
