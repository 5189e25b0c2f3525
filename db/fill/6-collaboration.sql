INSERT INTO public.collaboration_sessions
  (id, user_id, title, idempotency_key, run_id, source_artifact_id, last_seq, created_at)
SELECT pg_temp.id('session', n), pg_temp.user_of('session', n), 'Document ' || n, CASE WHEN n % 4 <> 0 THEN 'key-' || n END,
       CASE WHEN n % 2 = 0 THEN pg_temp.id('run', n) END, CASE WHEN n % 5 = 0 THEN pg_temp.id('artifact', n) END, 20,
       pg_temp.time_of('session', n)
FROM generate_series(0, pg_temp.rows() - 1) AS n;

INSERT INTO public.collaboration_invites
  (id, session_id, user_id, token_hash, role, expires_at, created_at)
SELECT pg_temp.id('invite', n), pg_temp.id('session', n / 2), pg_temp.user_of('session', n / 2), sha256(n::text::bytea), 'editor',
       pg_temp.time_of('invite', n) + interval '59 days', pg_temp.time_of('invite', n)
FROM generate_series(0, pg_temp.rows() - 1) AS n;

-- The owner and two guests a session; one in two hundred is here now.
INSERT INTO public.collaboration_participants
  (id, session_id, owner_id, user_id, invite_id, role, presence, replica_id, connections, last_seen_at, revoked_at)
SELECT pg_temp.id('participant', n), pg_temp.id('session', n / 3), pg_temp.user_of('session', n / 3),
       CASE WHEN n % 3 = 0 THEN pg_temp.user_of('session', n / 3) ELSE pg_temp.id('guest', n) END,
       CASE WHEN n % 3 = 1 THEN pg_temp.id('invite', n / 3 * 2) END,
       CASE WHEN n % 3 = 0 THEN 'owner' ELSE 'editor' END, CASE WHEN here THEN 'online' ELSE 'offline' END, 'replica-1',
       here::int, now() - pg_temp.share('seen', n) * interval '150 seconds',
       CASE WHEN n % 30 = 2 AND NOT here THEN now() END
FROM generate_series(0, pg_temp.rows() - 1) AS n, LATERAL (SELECT pg_temp.share('here', n) < 0.005) AS guest (here);

-- Twenty edits a session, in the first twentieth of them; some by agents.
INSERT INTO public.collaboration_edits
  (session_id, seq, user_id, kind, actor_type, actor_id, run_id, content, created_at)
SELECT pg_temp.id('session', n / 20), n % 20 + 1, pg_temp.user_of('session', n / 20), 'edit',
       CASE WHEN n % 10 = 0 THEN 'agent' ELSE 'user' END, pg_temp.user_of('session', n / 20),
       CASE WHEN n % 10 = 0 THEN pg_temp.id('run', n / 20) END, '\x0000', pg_temp.time_of('session', n / 20) + n % 20 * interval '1 minute'
FROM generate_series(0, pg_temp.rows() - 1) AS n;
