import type { StoredPayload } from '../domain/payload.ts';
import { errors } from '../errors.ts';
import { type ObjectStore, ObjectStoreError } from '../storage/object-store.ts';
import { loadPayload } from '../storage/payloads.ts';
import type { MessageRow } from '../store/messages.ts';
import type { RunRow, RunSummary } from '../store/runs.ts';
import type { StepRow } from '../store/steps.ts';

/** A page ends early rather than hold more than this of what is kept outside of the rows, in bytes. */
const pageBytes = 8 * 1024 * 1024;

/** Rows whose values are all there. */
export type OpenRun = RunSummary & { readonly output_ref: null };
export type OpenStep = StepRow & { readonly input_ref: null; readonly output_ref: null };
export type OpenMessage = MessageRow & { readonly content_ref: null };

/** The value for one who reads. @throws AppError content_unavailable */
async function read(objects: ObjectStore, value: unknown, stored: StoredPayload | null): Promise<unknown> {
  if (!stored) return value;
  try {
    return await loadPayload(objects, value, stored);
  } catch (error) {
    const lost = error instanceof ObjectStoreError ? `: ${error.message}` : ' at the moment; try again';
    throw errors.content_unavailable(
      `a value of ${stored.size_bytes} bytes cannot be read from the storage${lost}`,
      {
        sha256: stored.sha256,
      },
    );
  }
}

/** A run with its output. @throws AppError content_unavailable */
export async function openRun(objects: ObjectStore, run: RunSummary): Promise<OpenRun> {
  return { ...run, output: await read(objects, run.output, run.output_ref), output_ref: null };
}

/** A step with its input and output. @throws AppError content_unavailable */
export async function openStep(objects: ObjectStore, step: StepRow): Promise<OpenStep> {
  return {
    ...step,
    input: await read(objects, step.input, step.input_ref),
    input_ref: null,
    output: await read(objects, step.output, step.output_ref),
    output_ref: null,
  };
}

/** A message with its content. @throws AppError content_unavailable */
export async function openMessage(objects: ObjectStore, message: MessageRow): Promise<OpenMessage> {
  return {
    ...message,
    content: await read(objects, message.content, message.content_ref),
    content_ref: null,
  };
}

/** What is outside of a row, in bytes. */
export const outsideBytes = (...refs: readonly (StoredPayload | null)[]) =>
  refs.reduce((sum, stored) => sum + (stored?.size_bytes ?? 0), 0);

/** So many of these rows, at least one, as one answer may hold with what is outside of them. */
export function fittingRows<Row>(rows: readonly Row[], bytesOf: (row: Row) => number): readonly Row[] {
  let sum = 0;
  const end = rows.findIndex((row, place) => {
    sum += bytesOf(row);
    return place > 0 && sum > pageBytes;
  });
  return end === -1 ? rows : rows.slice(0, end);
}

/** Opens rows one after the other: what is outside of them is not asked for all at once. */
export async function openEach<Row, Open>(
  rows: readonly Row[],
  open: (row: Row) => Promise<Open>,
): Promise<Open[]> {
  const opened: Open[] = [];
  for (const row of rows) opened.push(await open(row));
  return opened;
}

/** A run with the playbook and the inputs that it was given. @throws ObjectStoreError */
export async function openGiven(objects: ObjectStore, run: RunRow, signal?: AbortSignal): Promise<RunRow> {
  if (!run.playbook_ref && !run.inputs_ref) return run;
  return {
    ...run,
    playbook: await loadPayload(objects, run.playbook, run.playbook_ref, signal),
    playbook_ref: null,
    inputs: await loadPayload(objects, run.inputs, run.inputs_ref, signal),
    inputs_ref: null,
  };
}
