-- migrate:up
-- squawk-ignore-file require-lock-timeout
-- (nothing is in use yet when this runs)

-- Collaboration: documents that people and agents edit together. The log of edits is the truth; the snapshot on the
-- session is a shortcut to load it.

CREATE TABLE public.collaboration_sessions (
  id uuid PRIMARY KEY DEFAULT gen_random_uuid(),
  user_id uuid NOT NULL CONSTRAINT collaboration_sessions_user_fkey REFERENCES auth.users (id) ON DELETE CASCADE,
  title text NOT NULL CONSTRAINT collaboration_sessions_title_length CHECK (length(title) BETWEEN 1 AND 200),
  idempotency_key text CONSTRAINT collaboration_sessions_idempotency_key_length
    CHECK (length(idempotency_key) BETWEEN 1 AND 200),
  run_id uuid,
  source_artifact_id uuid,
  status text NOT NULL DEFAULT 'active' CONSTRAINT collaboration_sessions_status_known
    CHECK (status IN ('active', 'closed')),
  last_seq bigint NOT NULL DEFAULT 0,
  generation integer NOT NULL DEFAULT 1 CONSTRAINT collaboration_sessions_generation_positive CHECK (generation > 0),
  auth_epoch integer NOT NULL DEFAULT 1 CONSTRAINT collaboration_sessions_auth_epoch_positive CHECK (auth_epoch > 0),
  snapshot bytea,
  snapshot_seq bigint NOT NULL DEFAULT 0,
  document_bytes bigint NOT NULL DEFAULT 0 CONSTRAINT collaboration_sessions_document_bytes_natural
    CHECK (document_bytes >= 0),
  event_seq bigint NOT NULL DEFAULT 0,
  closed_at timestamptz,
  created_at timestamptz NOT NULL DEFAULT now(),
  updated_at timestamptz NOT NULL DEFAULT now(),
  CONSTRAINT collaboration_sessions_id_user_key UNIQUE (id, user_id),
  CONSTRAINT collaboration_sessions_idempotency_key UNIQUE (user_id, idempotency_key),
  CONSTRAINT collaboration_sessions_closed_has_time CHECK ((closed_at IS NOT NULL) = (status = 'closed')),
  CONSTRAINT collaboration_sessions_snapshot_within_log CHECK (snapshot_seq BETWEEN 0 AND last_seq),
  CONSTRAINT collaboration_sessions_snapshot_whole CHECK ((snapshot IS NULL) = (snapshot_seq = 0))
) WITH (fillfactor = 70);

COMMENT ON TABLE public.collaboration_sessions IS
  'A document edited together, with its owner, the end of its log and its latest snapshot.';
COMMENT ON COLUMN public.collaboration_sessions.idempotency_key IS
  'A second request with the same key finds this session';
COMMENT ON COLUMN public.collaboration_sessions.run_id IS 'The run that opened it; null for a person';
COMMENT ON COLUMN public.collaboration_sessions.source_artifact_id IS 'The file it began as';
COMMENT ON COLUMN public.collaboration_sessions.snapshot_seq IS
  'The last edit that the snapshot contains; 0 without one';
COMMENT ON COLUMN public.collaboration_sessions.document_bytes IS 'Size of the encoded document';
COMMENT ON COLUMN public.collaboration_sessions.user_id IS
  'The owner. Others come in as participants; the children name the owner too.';
COMMENT ON COLUMN public.collaboration_sessions.last_seq IS
  'Sequence of the last edit. Raised under this row''s lock in the transaction that inserts the edits, so that the '
  'order of sequences is the order of commits.';
COMMENT ON COLUMN public.collaboration_sessions.generation IS
  'Fence: raised when the document is replaced as a whole; a writer of an older generation writes nothing.';
COMMENT ON COLUMN public.collaboration_sessions.auth_epoch IS
  'Raised when somebody loses access; replicas that see it change check their connections again.';
COMMENT ON COLUMN public.collaboration_sessions.snapshot IS 'The encoded Yjs document as of snapshot_seq.';
COMMENT ON COLUMN public.collaboration_sessions.event_seq IS
  'Order of the events about this session (aggregate_seq), raised in the transaction that appends one.';

CREATE INDEX collaboration_sessions_list_idx ON public.collaboration_sessions (user_id, created_at DESC, id DESC);
CREATE INDEX collaboration_sessions_run_idx ON public.collaboration_sessions (run_id) WHERE run_id IS NOT NULL;
CREATE INDEX collaboration_sessions_artifact_idx ON public.collaboration_sessions (source_artifact_id)
  WHERE source_artifact_id IS NOT NULL;

CREATE TABLE public.collaboration_invites (
  id uuid PRIMARY KEY DEFAULT gen_random_uuid(),
  session_id uuid NOT NULL,
  user_id uuid NOT NULL,
  token_hash bytea NOT NULL CONSTRAINT collaboration_invites_token_key UNIQUE
    CONSTRAINT collaboration_invites_token_hash_length CHECK (octet_length(token_hash) = 32),
  role text NOT NULL CONSTRAINT collaboration_invites_role_known CHECK (role IN ('editor', 'viewer')),
  email text CONSTRAINT collaboration_invites_email_form CHECK (email ~ '^[^@\s]+@[^@\s]+$'),
  expires_at timestamptz NOT NULL,
  max_uses integer CONSTRAINT collaboration_invites_max_uses_positive CHECK (max_uses > 0),
  uses integer NOT NULL DEFAULT 0 CONSTRAINT collaboration_invites_uses_natural CHECK (uses >= 0),
  revoked_at timestamptz,
  created_at timestamptz NOT NULL DEFAULT now(),
  CONSTRAINT collaboration_invites_id_session_key UNIQUE (id, session_id),
  CONSTRAINT collaboration_invites_session_fkey FOREIGN KEY (session_id, user_id)
    REFERENCES public.collaboration_sessions (id, user_id) ON DELETE CASCADE,
  CONSTRAINT collaboration_invites_uses_within_limit CHECK (uses <= max_uses)
);

COMMENT ON TABLE public.collaboration_invites IS
  'Share links and invitations. Whoever knows the token joins with the role, until it expires, is used up or revoked.';
COMMENT ON COLUMN public.collaboration_invites.email IS 'Whom it was sent to; null for a link';
COMMENT ON COLUMN public.collaboration_invites.uses IS 'How many have joined by it';
COMMENT ON COLUMN public.collaboration_invites.user_id IS 'Owner of the session.';
COMMENT ON COLUMN public.collaboration_invites.token_hash IS
  'SHA-256 of the token from generate_share_token(); the token itself is shown once and stored nowhere.';
COMMENT ON COLUMN public.collaboration_invites.max_uses IS 'Null: as many as come before it expires.';

CREATE INDEX collaboration_invites_list_idx ON public.collaboration_invites (session_id, created_at DESC, id DESC);
CREATE INDEX collaboration_invites_expiry_idx ON public.collaboration_invites (expires_at);

CREATE TABLE public.collaboration_participants (
  id uuid PRIMARY KEY DEFAULT gen_random_uuid(),
  session_id uuid NOT NULL,
  owner_id uuid NOT NULL,
  user_id uuid NOT NULL CONSTRAINT collaboration_participants_user_fkey
    REFERENCES auth.users (id) ON DELETE CASCADE,
  invite_id uuid,
  role text NOT NULL CONSTRAINT collaboration_participants_role_known CHECK (role IN ('owner', 'editor', 'viewer')),
  presence text NOT NULL DEFAULT 'offline' CONSTRAINT collaboration_participants_presence_known
    CHECK (presence IN ('online', 'offline')),
  display_name text CONSTRAINT collaboration_participants_display_name_length CHECK (length(display_name) <= 100),
  color text CONSTRAINT collaboration_participants_color_form CHECK (color ~ '^#[0-9a-f]{6}$'),
  cursor jsonb,
  replica_id text,
  connections integer NOT NULL DEFAULT 0 CONSTRAINT collaboration_participants_connections_natural
    CHECK (connections >= 0),
  last_seen_at timestamptz,
  joined_at timestamptz NOT NULL DEFAULT now(),
  revoked_at timestamptz,
  created_at timestamptz NOT NULL DEFAULT now(),
  updated_at timestamptz NOT NULL DEFAULT now(),
  CONSTRAINT collaboration_participants_session_fkey FOREIGN KEY (session_id, owner_id)
    REFERENCES public.collaboration_sessions (id, user_id) ON DELETE CASCADE,
  CONSTRAINT collaboration_participants_invite_fkey FOREIGN KEY (invite_id, session_id)
    REFERENCES public.collaboration_invites (id, session_id) ON DELETE SET NULL (invite_id),
  CONSTRAINT collaboration_participants_session_user_key UNIQUE (session_id, user_id),
  CONSTRAINT collaboration_participants_owner_is_owner CHECK ((role = 'owner') = (user_id = owner_id)),
  CONSTRAINT collaboration_participants_online_is_seen
    CHECK (presence = 'offline' OR (last_seen_at IS NOT NULL AND revoked_at IS NULL))
) WITH (fillfactor = 70);

COMMENT ON TABLE public.collaboration_participants IS
  'Who takes part in a session, in which role, and whether they are here now.';
COMMENT ON COLUMN public.collaboration_participants.cursor IS 'Where they are in the document, as their client tells';
COMMENT ON COLUMN public.collaboration_participants.connections IS 'How many of theirs the replica has';
COMMENT ON COLUMN public.collaboration_participants.user_id IS 'The participant; the owner of the session is owner_id.';
COMMENT ON COLUMN public.collaboration_participants.replica_id IS
  'The replica that last reported this participant here; only it may report that they left.';
COMMENT ON COLUMN public.collaboration_participants.last_seen_at IS
  'Database time of the last report; after two minutes without one the participant is offline.';
COMMENT ON COLUMN public.collaboration_participants.revoked_at IS
  'Access taken away. The row stays, so that the same link does not let them in again.';

-- Also of those whose access was taken away: they go with their user.
CREATE INDEX collaboration_participants_user_idx ON public.collaboration_participants (user_id, session_id);
CREATE INDEX collaboration_participants_stale_idx ON public.collaboration_participants (last_seen_at)
  WHERE presence = 'online';
CREATE INDEX collaboration_participants_invite_idx ON public.collaboration_participants (invite_id)
  WHERE invite_id IS NOT NULL;

CREATE TABLE public.collaboration_edits (
  session_id uuid NOT NULL,
  seq bigint NOT NULL CONSTRAINT collaboration_edits_seq_positive CHECK (seq > 0),
  user_id uuid NOT NULL,
  kind text NOT NULL CONSTRAINT collaboration_edits_kind_known
    CHECK (kind IN ('edit', 'sync', 'agent', 'restore', 'undo')),
  actor_type text NOT NULL CONSTRAINT collaboration_edits_actor_type_known
    CHECK (actor_type IN ('user', 'agent', 'system')),
  actor_id uuid CONSTRAINT collaboration_edits_actor_fkey REFERENCES auth.users (id) ON DELETE SET NULL,
  run_id uuid,
  content bytea NOT NULL CONSTRAINT collaboration_edits_content_size
    CHECK (octet_length(content) BETWEEN 1 AND 16777216),
  reverts bigint[] NOT NULL DEFAULT '{}',
  created_at timestamptz NOT NULL DEFAULT now(),
  CONSTRAINT collaboration_edits_pkey PRIMARY KEY (session_id, seq),
  CONSTRAINT collaboration_edits_session_fkey FOREIGN KEY (session_id, user_id)
    REFERENCES public.collaboration_sessions (id, user_id) ON DELETE CASCADE,
  CONSTRAINT collaboration_edits_agent_has_run CHECK (actor_type <> 'agent' OR run_id IS NOT NULL)
);

COMMENT ON TABLE public.collaboration_edits IS
  'The log of a document: Yjs updates in order. Append-only; retention removes rows that the snapshot covers.';
COMMENT ON COLUMN public.collaboration_edits.seq IS 'Order of the edits, from 1';
COMMENT ON COLUMN public.collaboration_edits.run_id IS 'The agents run; null for a person';
COMMENT ON COLUMN public.collaboration_edits.user_id IS 'Owner of the session; who made the edit is actor_id.';
COMMENT ON COLUMN public.collaboration_edits.actor_id IS
  'Who made it, or for whom the agent did; null when that user is gone.';
COMMENT ON COLUMN public.collaboration_edits.content IS 'One Yjs update (version 1 encoding).';
COMMENT ON COLUMN public.collaboration_edits.reverts IS 'Sequences that this edit undoes.';

CREATE INDEX collaboration_edits_actor_idx ON public.collaboration_edits (session_id, actor_id, created_at);
CREATE INDEX collaboration_edits_actor_user_idx ON public.collaboration_edits (actor_id) WHERE actor_id IS NOT NULL;
CREATE INDEX collaboration_edits_run_idx ON public.collaboration_edits (run_id) WHERE run_id IS NOT NULL;

-- ---------------------------------------------------------------------------------------------------------------
-- Access.

CREATE FUNCTION sb.participating_sessions() RETURNS setof uuid
LANGUAGE sql STABLE SECURITY DEFINER
SET search_path = ''
AS $$
  SELECT participant.session_id
  FROM public.collaboration_participants AS participant
  WHERE participant.user_id = sb.current_user_id() AND participant.revoked_at IS NULL;
$$;
COMMENT ON FUNCTION sb.participating_sessions() IS
  'Sessions the user of this transaction takes part in. Definer''s rights, because a policy on participants that reads '
  'participants would recurse; it takes no argument, so it tells nobody about anyone else.';

CREATE FUNCTION sb.participating_roles() RETURNS TABLE (session_id uuid, role text)
LANGUAGE sql STABLE SECURITY DEFINER
SET search_path = ''
AS $$
  SELECT participant.session_id, participant.role
  FROM public.collaboration_participants AS participant
  WHERE participant.user_id = sb.current_user_id() AND participant.revoked_at IS NULL;
$$;
COMMENT ON FUNCTION sb.participating_roles() IS
  'The same sessions with the role of the user of this transaction in each, as they were before the statement.';

-- ---------------------------------------------------------------------------------------------------------------
-- Share tokens and presence.

-- pgcrypto lives in schema extensions on Supabase and may live in public elsewhere.
CREATE FUNCTION public.generate_share_token(OUT token text, OUT token_hash bytea)
LANGUAGE plpgsql VOLATILE
SET search_path = pg_catalog, extensions, public, pg_temp
AS $$
BEGIN
  token := 'sbs_' || translate(encode(gen_random_bytes(32), 'base64'), '+/=', '-_');
  token_hash := sha256(convert_to(token, 'UTF8'));
END
$$;
COMMENT ON FUNCTION public.generate_share_token() IS
  'A new share token of 256 random bits and its SHA-256. Show the token once, store the hash.';

CREATE FUNCTION public.redeem_share_token(p_token text, p_user_id uuid)
RETURNS TABLE (session_id uuid, owner_id uuid, role text, previous_role text)
LANGUAGE plpgsql VOLATILE
SET search_path = ''
AS $$
DECLARE
  invite public.collaboration_invites;
  standing public.collaboration_participants;
  gains boolean;
BEGIN
  -- Whoever joins a session waits here for whoever joins it at the same moment, by this token or another.
  SELECT found.* INTO invite
  FROM public.collaboration_sessions AS session
  JOIN public.collaboration_invites AS found ON found.session_id = session.id
  WHERE found.token_hash = sha256(convert_to(p_token, 'UTF8'))
  FOR NO KEY UPDATE;
  IF invite.user_id = p_user_id THEN
    RETURN QUERY SELECT invite.session_id, invite.user_id, 'owner', 'owner';
    RETURN;
  END IF;

  SELECT participant.* INTO standing
  FROM public.collaboration_participants AS participant
  WHERE participant.session_id = invite.session_id AND participant.user_id = p_user_id;
  gains := CASE
    WHEN standing.id IS NULL THEN true
    WHEN standing.revoked_at IS NOT NULL THEN invite.created_at > standing.revoked_at
    -- Who is less than their invite made them has been lowered by the owner: no other link undoes that.
    ELSE standing.role = 'viewer' AND invite.role = 'editor' AND NOT EXISTS (
      SELECT FROM public.collaboration_invites AS held WHERE held.id = standing.invite_id AND held.role = 'editor')
  END;

  UPDATE public.collaboration_invites AS used SET uses = used.uses + 1
  FROM public.collaboration_sessions AS session
  WHERE gains AND used.id = invite.id AND session.id = used.session_id AND session.status = 'active'
    AND used.revoked_at IS NULL AND used.expires_at > now() AND (used.max_uses IS NULL OR used.uses < used.max_uses);
  IF FOUND THEN
    INSERT INTO public.collaboration_participants AS participant (session_id, owner_id, user_id, invite_id, role)
    VALUES (invite.session_id, invite.user_id, p_user_id, invite.id, invite.role)
    ON CONFLICT ON CONSTRAINT collaboration_participants_session_user_key DO UPDATE
      SET role = excluded.role, invite_id = excluded.invite_id, revoked_at = NULL, updated_at = now(),
        joined_at = CASE WHEN participant.revoked_at IS NULL THEN participant.joined_at ELSE now() END;
    RETURN QUERY SELECT invite.session_id, invite.user_id, invite.role,
      CASE WHEN standing.revoked_at IS NULL THEN standing.role END;
  ELSIF standing.id IS NOT NULL AND standing.revoked_at IS NULL THEN
    RETURN QUERY SELECT standing.session_id, standing.owner_id, standing.role, standing.role;
  END IF;
END
$$;
COMMENT ON FUNCTION public.redeem_share_token(text, uuid) IS
  'Lets a user into the session of a share token, or makes a viewer an editor, and takes one use. Returns where and what '
  'they are now, and what they were (null: nothing); whoever gains nothing takes no use. No row, for whatever reason the '
  'token opens nothing. Neither the removed nor those whom the owner lowered come back by an invite that was there before.';

CREATE FUNCTION public.update_participant_presence(p_replica_id text, p_presence jsonb)
RETURNS TABLE (session_id uuid, user_id uuid, presence text)
LANGUAGE sql VOLATILE
SET search_path = ''
AS $$
  WITH reported AS (
    SELECT report.session_id, report.user_id, max(report.connections) AS connections,
      (array_agg(report.cursor) FILTER (WHERE report.cursor IS NOT NULL))[1] AS cursor
    FROM jsonb_to_recordset(p_presence)
      AS report (session_id uuid, user_id uuid, connections integer, cursor jsonb)
    GROUP BY report.session_id, report.user_id
  ), LOCKED AS (
    SELECT participant.id, participant.presence AS was, reported.connections, reported.cursor
    FROM reported
    JOIN public.collaboration_participants AS participant
      ON participant.session_id = reported.session_id AND participant.user_id = reported.user_id
    WHERE participant.revoked_at IS NULL
      AND (reported.connections > 0 OR participant.replica_id = p_replica_id)
    ORDER BY participant.id
    FOR UPDATE OF participant
  ), changed AS (
    UPDATE public.collaboration_participants AS participant
    SET presence = CASE WHEN LOCKED.connections > 0 THEN 'online' ELSE 'offline' END,
      connections = LOCKED.connections,
      cursor = CASE WHEN LOCKED.connections > 0 THEN coalesce(LOCKED.cursor, participant.cursor) END,
      replica_id = p_replica_id,
      last_seen_at = now(),
      updated_at = now()
    FROM LOCKED
    WHERE participant.id = LOCKED.id
    RETURNING participant.session_id, participant.user_id, participant.presence, LOCKED.was
  )
  SELECT changed.session_id, changed.user_id, changed.presence FROM changed WHERE changed.presence <> changed.was;
$$;
COMMENT ON FUNCTION public.update_participant_presence(text, jsonb) IS
  'Takes one replica''s report [{session_id, user_id, connections, cursor}] in one statement and returns whose presence '
  'changed. No connections means gone, believed only from the replica that last reported the participant here.';

CREATE FUNCTION public.mark_stale_participants_offline(p_limit integer DEFAULT 1000)
RETURNS TABLE (session_id uuid, user_id uuid, last_seen_at timestamptz)
LANGUAGE sql VOLATILE
SET search_path = ''
AS $$
  WITH stale AS MATERIALIZED (
    SELECT silent.id
    FROM public.collaboration_participants AS silent
    WHERE silent.presence = 'online' AND silent.last_seen_at < now() - interval '2 minutes'
    ORDER BY silent.last_seen_at
    LIMIT p_limit
    FOR UPDATE SKIP LOCKED
  )
  UPDATE public.collaboration_participants AS participant
  SET presence = 'offline', connections = 0, cursor = NULL, updated_at = now()
  FROM stale
  WHERE participant.id = stale.id
  RETURNING participant.session_id, participant.user_id, participant.last_seen_at;
$$;
COMMENT ON FUNCTION public.mark_stale_participants_offline(integer) IS
  'Marks participants offline that no replica has reported for two minutes, and returns them.';

-- ---------------------------------------------------------------------------------------------------------------
-- Row-level security.

ALTER TABLE public.collaboration_sessions ENABLE ROW LEVEL SECURITY;
ALTER TABLE public.collaboration_participants ENABLE ROW LEVEL SECURITY;
ALTER TABLE public.collaboration_invites ENABLE ROW LEVEL SECURITY;
ALTER TABLE public.collaboration_edits ENABLE ROW LEVEL SECURITY;

-- `= any (array(select ...))` is evaluated once per statement and can use an index; a function per row could not.
CREATE POLICY collaboration_sessions_select_own ON public.collaboration_sessions
  FOR SELECT TO authenticated, sb_collab_user
  USING (
    tableoid = 'public.collaboration_sessions'::regclass
    AND tableoid = (SELECT sb.require_user('public.collaboration_sessions'))
    AND user_id = (SELECT sb.current_user_id())
  );
CREATE POLICY collaboration_sessions_select_participant ON public.collaboration_sessions
  FOR SELECT TO authenticated, sb_collab_user
  USING (
    tableoid = 'public.collaboration_sessions'::regclass
    AND tableoid = (SELECT sb.require_user('public.collaboration_sessions'))
    AND id = ANY (ARRAY(SELECT sb.participating_sessions()))
  );
CREATE POLICY collaboration_sessions_insert ON public.collaboration_sessions
  FOR INSERT TO authenticated, sb_collab_user
  WITH CHECK (user_id = (SELECT sb.current_user_id()));
CREATE POLICY collaboration_sessions_update ON public.collaboration_sessions
  FOR UPDATE TO authenticated, sb_collab_user
  USING (user_id = (SELECT sb.current_user_id()) AND user_id = (SELECT sb.current_user_id()))
  WITH CHECK (user_id = (SELECT sb.current_user_id()));
CREATE POLICY collaboration_sessions_delete ON public.collaboration_sessions
  FOR DELETE TO authenticated, sb_collab_user
  USING (user_id = (SELECT sb.current_user_id()) AND user_id = (SELECT sb.current_user_id()));
CREATE POLICY collaboration_sessions_service ON public.collaboration_sessions
  FOR ALL TO sb_collab USING (true) WITH CHECK (true);

CREATE POLICY collaboration_participants_select ON public.collaboration_participants
  FOR SELECT TO authenticated, sb_collab_user
  USING (
    tableoid = 'public.collaboration_participants'::regclass
    AND tableoid = (SELECT sb.require_user('public.collaboration_participants'))
    AND (
      owner_id = (SELECT sb.current_user_id())
      OR session_id = ANY (ARRAY(SELECT sb.participating_sessions()))
    )
  );
-- The owner adds themselves; anyone else joins with a token that the service redeems, so nobody is put into a session
-- unasked and no one learns from an error which users exist.
CREATE POLICY collaboration_participants_insert_owner ON public.collaboration_participants
  FOR INSERT TO authenticated, sb_collab_user
  WITH CHECK (owner_id = (SELECT sb.current_user_id()) AND user_id = owner_id);
CREATE POLICY collaboration_participants_update_owner ON public.collaboration_participants
  FOR UPDATE TO authenticated, sb_collab_user
  USING (
    tableoid = 'public.collaboration_participants'::regclass
    AND tableoid = (SELECT sb.require_user('public.collaboration_participants'))
    AND owner_id = (SELECT sb.current_user_id())
  )
  WITH CHECK (owner_id = (SELECT sb.current_user_id()));
-- One may change how one appears, not which role one has: the new role must be the one held before.
CREATE POLICY collaboration_participants_update_self ON public.collaboration_participants
  FOR UPDATE TO authenticated, sb_collab_user
  USING (
    tableoid = 'public.collaboration_participants'::regclass
    AND tableoid = (SELECT sb.require_user('public.collaboration_participants'))
    AND user_id = (SELECT sb.current_user_id())
    AND revoked_at IS NULL
  )
  WITH CHECK (
    user_id = (SELECT sb.current_user_id())
    AND revoked_at IS NULL
    AND (session_id, role) IN (SELECT held.session_id, held.role FROM sb.participating_roles() AS held)
  );
CREATE POLICY collaboration_participants_delete_owner ON public.collaboration_participants
  FOR DELETE TO authenticated, sb_collab_user
  USING (
    tableoid = 'public.collaboration_participants'::regclass
    AND tableoid = (SELECT sb.require_user('public.collaboration_participants'))
    AND owner_id = (SELECT sb.current_user_id())
  );
CREATE POLICY collaboration_participants_delete_self ON public.collaboration_participants
  FOR DELETE TO authenticated, sb_collab_user
  USING (
    tableoid = 'public.collaboration_participants'::regclass
    AND tableoid = (SELECT sb.require_user('public.collaboration_participants'))
    AND user_id = (SELECT sb.current_user_id())
    AND revoked_at IS NULL
  );
CREATE POLICY collaboration_participants_service ON public.collaboration_participants
  FOR ALL TO sb_collab USING (true) WITH CHECK (true);

CREATE POLICY collaboration_invites_select ON public.collaboration_invites
  FOR SELECT TO authenticated, sb_collab_user
  USING (user_id = (SELECT sb.current_user_id()) AND user_id = (SELECT sb.current_user_id()));
CREATE POLICY collaboration_invites_insert ON public.collaboration_invites
  FOR INSERT TO authenticated, sb_collab_user
  WITH CHECK (user_id = (SELECT sb.current_user_id()));
CREATE POLICY collaboration_invites_update ON public.collaboration_invites
  FOR UPDATE TO authenticated, sb_collab_user
  USING (user_id = (SELECT sb.current_user_id()) AND user_id = (SELECT sb.current_user_id()))
  WITH CHECK (user_id = (SELECT sb.current_user_id()));
CREATE POLICY collaboration_invites_delete ON public.collaboration_invites
  FOR DELETE TO authenticated, sb_collab_user
  USING (user_id = (SELECT sb.current_user_id()) AND user_id = (SELECT sb.current_user_id()));
CREATE POLICY collaboration_invites_service ON public.collaboration_invites
  FOR ALL TO sb_collab USING (true) WITH CHECK (true);

CREATE POLICY collaboration_edits_select ON public.collaboration_edits
  FOR SELECT TO authenticated, sb_collab_user
  USING (
    tableoid = 'public.collaboration_edits'::regclass
    AND tableoid = (SELECT sb.require_user('public.collaboration_edits'))
    AND (
      user_id = (SELECT sb.current_user_id())
      OR session_id = ANY (ARRAY(SELECT sb.participating_sessions()))
    )
  );
CREATE POLICY collaboration_edits_service ON public.collaboration_edits
  FOR ALL TO sb_collab USING (true) WITH CHECK (true);

-- ---------------------------------------------------------------------------------------------------------------
-- Grants.

REVOKE ALL ON public.collaboration_sessions, public.collaboration_participants, public.collaboration_invites,
  public.collaboration_edits FROM PUBLIC, anon, authenticated, service_role;
REVOKE ALL ON FUNCTION sb.participating_sessions(), sb.participating_roles(), public.generate_share_token(),
  public.redeem_share_token(text, uuid), public.update_participant_presence(text, jsonb),
  public.mark_stale_participants_offline(integer)
  FROM PUBLIC, anon, authenticated, service_role;

GRANT SELECT ON public.collaboration_sessions, public.collaboration_participants, public.collaboration_edits
  TO authenticated, sb_collab_user;
-- Even the hash of a share token stays inside.
GRANT SELECT (id, session_id, user_id, role, email, expires_at, max_uses, uses, revoked_at, created_at)
  ON public.collaboration_invites TO authenticated, sb_collab_user;
GRANT EXECUTE ON FUNCTION sb.participating_sessions(), sb.participating_roles() TO authenticated, sb_collab_user;

GRANT INSERT (id, user_id, title, idempotency_key, run_id, source_artifact_id, event_seq)
  ON public.collaboration_sessions TO sb_collab_user;
GRANT UPDATE (title, status, closed_at, auth_epoch, event_seq, updated_at)
  ON public.collaboration_sessions TO sb_collab_user;
GRANT DELETE ON public.collaboration_sessions TO sb_collab_user;
GRANT INSERT (id, session_id, owner_id, user_id, role, display_name, color)
  ON public.collaboration_participants TO sb_collab_user;
GRANT UPDATE (role, display_name, color, revoked_at, presence, connections, updated_at)
  ON public.collaboration_participants TO sb_collab_user;
GRANT DELETE ON public.collaboration_participants TO sb_collab_user;
GRANT INSERT (id, session_id, user_id, token_hash, role, email, expires_at, max_uses)
  ON public.collaboration_invites TO sb_collab_user;
GRANT UPDATE (role, email, expires_at, max_uses, revoked_at) ON public.collaboration_invites TO sb_collab_user;
GRANT DELETE ON public.collaboration_invites TO sb_collab_user;

GRANT SELECT, INSERT, UPDATE, DELETE
  ON public.collaboration_sessions, public.collaboration_participants, public.collaboration_invites TO sb_collab;
-- Append-only: nobody rewrites the log; retention deletes what the snapshot covers.
GRANT SELECT, INSERT, DELETE ON public.collaboration_edits TO sb_collab;
GRANT EXECUTE ON FUNCTION public.generate_share_token() TO sb_collab_user, sb_collab;
GRANT EXECUTE ON FUNCTION public.redeem_share_token(text, uuid), public.update_participant_presence(text, jsonb),
  public.mark_stale_participants_offline(integer) TO sb_collab;

-- migrate:down

DROP TABLE public.collaboration_edits;
DROP TABLE public.collaboration_participants;
DROP TABLE public.collaboration_invites;
DROP TABLE public.collaboration_sessions;
DROP FUNCTION public.mark_stale_participants_offline(integer);
DROP FUNCTION public.update_participant_presence(text, jsonb);
DROP FUNCTION public.redeem_share_token(text, uuid);
DROP FUNCTION public.generate_share_token();
DROP FUNCTION sb.participating_roles();
DROP FUNCTION sb.participating_sessions();
