import { z } from 'zod';
import { uuid } from '../ids.ts';
import { defineEvent } from './envelope.ts';

/** What a participant may do; the owner alone invites, removes and closes. */
export const participantRole = z.enum(['owner', 'editor', 'viewer']);
export type ParticipantRole = z.infer<typeof participantRole>;

/** Events about one session; their order is the session's own sequence. They belong to the session's owner. */
const sessionEvent = <Shape extends z.ZodRawShape>(type: `${string}.${string}`, shape: Shape) =>
  defineEvent({
    type,
    version: 1,
    source: 'collab',
    aggregate: 'session',
    data: z.object({ session_id: uuid, ...shape }),
  });

export const collabSessionCreated = sessionEvent('collab.session_created', {
  title: z.string(),
  run_id: uuid.nullable(),
  source_artifact_id: uuid.nullable(),
});
/** The document up to `seq` is in a snapshot and can be read without its log. */
export const collabSessionSaved = sessionEvent('collab.session_saved', {
  seq: z.number().int().positive(),
  document_bytes: z.number().int().nonnegative(),
});
export const collabParticipantJoined = sessionEvent('collab.participant_joined', {
  participant_user_id: uuid,
  role: participantRole,
});
export const collabParticipantLeft = sessionEvent('collab.participant_left', {
  participant_user_id: uuid,
  /** Stale: nothing was heard of them for two minutes. */
  reason: z.enum(['left', 'removed', 'stale']),
});
export const collabRoleChanged = sessionEvent('collab.role_changed', {
  participant_user_id: uuid,
  role: participantRole,
  previous_role: participantRole,
});

export const collabEvents = [
  collabSessionCreated,
  collabSessionSaved,
  collabParticipantJoined,
  collabParticipantLeft,
  collabRoleChanged,
] as const;
