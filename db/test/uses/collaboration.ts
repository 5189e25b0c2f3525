import { findSession, selectSessions } from '../../../services/collab/src/store/sessions.ts';
import { filledId } from '../filled.ts';
import { type Guards, owner, statement, type Use } from './use.ts';

const store = 'services/collab/src/store';
const service = { service: 'collab' } as const;
const userId = filledId('user', 0);
const user = { ...service, userId } as const;
const guest = { ...service, userId: filledId('guest', 1) } as const;
const session = filledId('session', 3);
const position = { createdAt: '2099-01-01T00:00:00Z', id: filledId('nobody', 0) };

/** Uses of the tables of collaboration. */
export const collaborationUses: readonly Use[] = [
  {
    by: 'GET /v1/sessions, further pages: own ones and those of others',
    file: `${store}/sessions.ts`,
    indexes: ['collaboration_participants_user_idx', 'collaboration_sessions_pkey'],
    as: guest,
    run: ({ tx }) => selectSessions(tx, { after: position, limit: 21 }),
  },
  {
    by: 'GET /v1/sessions/:id',
    file: `${store}/sessions.ts`,
    indexes: ['collaboration_sessions_pkey'],
    as: user,
    run: ({ tx }) => findSession(tx, session),
  },
  {
    by: 'GET /v1/sessions/:id/participants',
    indexes: ['collaboration_participants_session_user_key'],
    as: service,
    run: statement(
      'SELECT user_id, role, presence FROM collaboration_participants WHERE session_id = $1',
      session,
    ),
  },
  {
    by: "a user's own documents, newest first",
    indexes: ['collaboration_sessions_list_idx'],
    as: user,
    run: statement(
      'SELECT id, title FROM collaboration_sessions WHERE user_id = $1 ORDER BY created_at DESC, id DESC LIMIT 21',
      userId,
    ),
  },
  {
    by: 'POST /v1/sessions: the same key again',
    indexes: ['collaboration_sessions_idempotency_key'],
    as: user,
    run: statement(
      `SELECT id FROM collaboration_sessions WHERE user_id = $1 AND idempotency_key = 'key-1'`,
      userId,
    ),
  },
  {
    by: 'the documents of a run; artifact.created: is one open from it?',
    indexes: ['collaboration_sessions_run_idx', 'collaboration_sessions_artifact_idx'],
    as: service,
    run: async ({ query }) => {
      await query('SELECT id FROM collaboration_sessions WHERE run_id = $1', [filledId('run', 2)]);
      await query('SELECT id FROM collaboration_sessions WHERE source_artifact_id = $1', [
        filledId('artifact', 5),
      ]);
    },
  },
  {
    by: 'GET /v1/sessions/:id/invites',
    indexes: ['collaboration_invites_list_idx'],
    as: user,
    run: statement(
      'SELECT id, role FROM collaboration_invites WHERE session_id = $1 ORDER BY created_at DESC, id DESC LIMIT 21',
      session,
    ),
  },
  {
    by: 'a share link is opened; an invite is revoked',
    indexes: ['collaboration_invites_token_key', 'collaboration_invites_pkey'],
    as: service,
    run: async ({ query }) => {
      await query(`SELECT role FROM redeem_share_token('1', $1)`, [filledId('user', 41)]);
      await query('UPDATE collaboration_invites SET revoked_at = now() WHERE id = $1', [
        filledId('invite', 1),
      ]);
    },
  },
  {
    by: 'retention: invites that have expired long ago',
    indexes: ['collaboration_invites_expiry_idx'],
    as: service,
    run: statement(
      `SELECT id FROM collaboration_invites WHERE expires_at < now() - interval '1 hour' ORDER BY expires_at LIMIT 100`,
    ),
  },
  {
    by: 'who is here: the report of a replica, and those it no longer reports',
    indexes: ['collaboration_participants_stale_idx', 'collaboration_participants_pkey'],
    as: service,
    run: async ({ query }) => {
      await query('SELECT * FROM update_participant_presence($1, $2)', [
        'replica-1',
        JSON.stringify([
          { session_id: filledId('session', 0), user_id: filledId('guest', 1), connections: 1 },
        ]),
      ]);
      await query('SELECT * FROM mark_stale_participants_offline(10)');
    },
  },
  {
    by: 'a document is loaded; its history by one person; what an agent wrote',
    indexes: ['collaboration_edits_pkey', 'collaboration_edits_actor_idx', 'collaboration_edits_run_idx'],
    as: service,
    run: async ({ query }) => {
      await query(
        'SELECT seq, content FROM collaboration_edits WHERE session_id = $1 AND seq > 5 ORDER BY seq LIMIT 10',
        [session],
      );
      await query(
        'SELECT seq FROM collaboration_edits WHERE session_id = $1 AND actor_id = $2 ORDER BY created_at',
        [session, userId],
      );
      await query('SELECT session_id, seq FROM collaboration_edits WHERE run_id = $1', [filledId('run', 3)]);
    },
  },
  {
    by: 'a user is deleted: their edits stay without their name',
    indexes: ['collaboration_edits_actor_user_idx', 'collaboration_participants_user_idx'],
    as: owner,
    run: statement('DELETE FROM auth.users WHERE id = $1', filledId('user', 40)),
  },
  {
    by: 'an invite is deleted: who came by it stays',
    indexes: ['collaboration_participants_invite_idx'],
    as: owner,
    run: statement('DELETE FROM collaboration_invites WHERE id = $1', filledId('invite', 2)),
  },
];

/** What the unique indexes of collaboration keep apart that no query uses. */
export const collaborationGuards: Guards = {
  collaboration_sessions_id_user_key: 'participants, invites and edits name the session with its owner',
  collaboration_invites_id_session_key: 'a participant names the invite with its session',
};
