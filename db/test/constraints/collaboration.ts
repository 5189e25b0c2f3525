import {
  alice,
  bob,
  type ConstrainedTables,
  carol,
  first,
  fourth,
  implied,
  invite,
  nobody,
  now,
  type Row,
  second,
  session,
  third,
} from './table.ts';

const sessionRow: Row = { id: session, user_id: alice, title: 't', idempotency_key: 'a' };
const inviteRow: Row = {
  id: invite,
  session_id: session,
  user_id: alice,
  token_hash: `\\x${'00'.repeat(32)}`,
  role: 'editor',
  expires_at: now,
};
const otherToken = `\\x${'01'.repeat(32)}`;
const inviteElsewhere = [
  ['public.collaboration_sessions', { ...sessionRow, id: third, idempotency_key: null }],
  ['public.collaboration_invites', { ...inviteRow, id: fourth, session_id: third, token_hash: otherToken }],
] as const;

export const collaboration: ConstrainedTables = {
  'public.collaboration_sessions': {
    row: sessionRow,
    second: { id: first, idempotency_key: 'b' },
    required: `id user_id title status last_seq generation auth_epoch snapshot_seq document_bytes event_seq created_at
      updated_at`,
    violations: {
      collaboration_sessions_pkey: [{ id: session }],
      collaboration_sessions_id_user_key: implied,
      collaboration_sessions_idempotency_key: [{ idempotency_key: 'a' }],
      collaboration_sessions_auth_epoch_positive: [{ auth_epoch: '0' }],
      collaboration_sessions_closed_has_time: [{ status: 'closed' }, { closed_at: now }],
      collaboration_sessions_document_bytes_natural: [{ document_bytes: '-1' }],
      collaboration_sessions_generation_positive: [{ generation: '0' }],
      collaboration_sessions_idempotency_key_length: [
        { idempotency_key: '' },
        { idempotency_key: 'k'.repeat(201) },
      ],
      collaboration_sessions_snapshot_whole: [{ snapshot: '\\x00' }, { snapshot_seq: '1', last_seq: '1' }],
      collaboration_sessions_snapshot_within_log: [
        { snapshot: '\\x00', snapshot_seq: '1' },
        { snapshot: '\\x00', snapshot_seq: '-1' },
      ],
      collaboration_sessions_status_known: [{ status: 'lost' }],
      collaboration_sessions_title_length: [{ title: '' }, { title: 't'.repeat(201) }],
    },
    foreignKeys: {
      collaboration_sessions_user_fkey: { broken: [{ user_id: nobody }], onDelete: 'cascades' },
    },
  },
  'public.collaboration_invites': {
    row: inviteRow,
    second: { id: first, token_hash: otherToken },
    required: 'id session_id user_id token_hash role expires_at uses created_at',
    violations: {
      collaboration_invites_pkey: [{ id: invite }],
      collaboration_invites_id_session_key: implied,
      collaboration_invites_token_key: [{ token_hash: `\\x${'00'.repeat(32)}` }],
      collaboration_invites_email_form: [{ email: 'someone' }, { email: 'some one@example.com' }],
      collaboration_invites_max_uses_positive: [{ max_uses: '0' }],
      collaboration_invites_role_known: [{ role: 'owner' }],
      collaboration_invites_token_hash_length: [{ token_hash: '\\x00' }],
      collaboration_invites_uses_natural: [{ uses: '-1' }],
      collaboration_invites_uses_within_limit: [{ max_uses: '1', uses: '2' }],
    },
    foreignKeys: {
      collaboration_invites_session_fkey: {
        broken: [{ session_id: nobody }, { user_id: bob }],
        onDelete: 'cascades',
      },
    },
  },
  'public.collaboration_participants': {
    row: {
      id: first,
      session_id: session,
      owner_id: alice,
      user_id: bob,
      invite_id: invite,
      role: 'viewer',
    },
    second: { id: second, user_id: carol },
    required: 'id session_id owner_id user_id role presence connections joined_at created_at updated_at',
    violations: {
      collaboration_participants_pkey: [{ id: first }],
      collaboration_participants_session_user_key: [{ user_id: bob }],
      collaboration_participants_color_form: [{ color: 'red' }, { color: '#FF0000' }],
      collaboration_participants_connections_natural: [{ connections: '-1' }],
      collaboration_participants_display_name_length: [{ display_name: 'n'.repeat(101) }],
      collaboration_participants_online_is_seen: [
        { presence: 'online' },
        { presence: 'online', last_seen_at: now, revoked_at: now },
      ],
      collaboration_participants_owner_is_owner: [{ role: 'owner' }, { user_id: alice }],
      collaboration_participants_presence_known: [{ presence: 'away', last_seen_at: now }],
      collaboration_participants_role_known: [{ role: 'guest' }],
    },
    foreignKeys: {
      collaboration_participants_invite_fkey: {
        broken: [{ invite_id: nobody }, { invite_id: fourth }],
        given: inviteElsewhere,
        onDelete: { setsNull: 'invite_id' },
      },
      collaboration_participants_session_fkey: {
        broken: [{ session_id: nobody, invite_id: null }, { owner_id: bob }],
        onDelete: 'cascades',
      },
      collaboration_participants_user_fkey: { broken: [{ user_id: nobody }], onDelete: 'cascades' },
    },
  },
  'public.collaboration_edits': {
    row: {
      session_id: session,
      seq: '1',
      user_id: alice,
      kind: 'edit',
      actor_type: 'user',
      actor_id: bob,
      content: '\\x00',
    },
    second: { seq: '2' },
    required: 'session_id seq user_id kind actor_type content reverts created_at',
    violations: {
      collaboration_edits_pkey: [{ seq: '1' }],
      collaboration_edits_actor_type_known: [{ actor_type: 'ghost' }],
      collaboration_edits_agent_has_run: [{ actor_type: 'agent' }],
      collaboration_edits_content_size: [{ content: '\\x' }, { content: Buffer.alloc(16_777_217) }],
      collaboration_edits_kind_known: [{ kind: 'whim' }],
      collaboration_edits_seq_positive: [{ seq: '0' }],
    },
    foreignKeys: {
      collaboration_edits_actor_fkey: { broken: [{ actor_id: nobody }], onDelete: { setsNull: 'actor_id' } },
      collaboration_edits_session_fkey: {
        broken: [{ session_id: nobody }, { user_id: bob }],
        onDelete: 'cascades',
      },
    },
  },
};
