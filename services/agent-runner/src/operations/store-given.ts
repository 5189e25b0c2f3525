import { randomUUID } from 'node:crypto';
import type { StoredPayload } from '../domain/payload.ts';
import type { ObjectStore } from '../storage/object-store.ts';
import { storePayload } from '../storage/payloads.ts';
import type { NewArtifact } from '../store/advance.ts';
import type { PreparedRun } from './prepare-run.ts';

/** Makes a run's rows keep the bytes of these values. */
export function payloadArtifact({ key, size_bytes: sizeBytes, sha256 }: StoredPayload): NewArtifact {
  return {
    ...{ id: randomUUID(), stepId: null, kind: 'payload', name: key, mediaType: 'application/json' },
    ...{ sizeBytes, sha256, storageKey: key },
  };
}

/**
 * Stores what is too large for the rows of a run, before the transaction that creates it.
 */
export async function storeGiven(
  objects: ObjectStore,
  userId: string,
  prepared: PreparedRun,
): Promise<PreparedRun> {
  const playbook = await storePayload(objects, userId, prepared.playbook);
  const inputs = await storePayload(objects, userId, prepared.inputs);
  const steps = new Map<string, StoredPayload>();
  for (const step of prepared.steps) {
    const stored = await storePayload(objects, userId, step.with);
    if (stored) steps.set(step.id, stored);
  }
  const payloads = [playbook, inputs, ...steps.values()].filter((stored) => stored !== null);
  if (payloads.length === 0) return prepared;
  // Steps may share one: of equal values there is one object.
  const byKey = new Map(payloads.map((stored) => [stored.key, stored]));
  return {
    ...prepared,
    stored: { playbook, inputs, steps },
    artifacts: [...prepared.artifacts, ...[...byKey.values()].map(payloadArtifact)],
  };
}
