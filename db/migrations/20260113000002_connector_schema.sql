-- migrate:up
-- squawk-ignore-file require-lock-timeout
-- (nothing is in use yet when this runs)

-- Connectors: which outside services an agent may use, whose accounts are connected, and what was called.
-- Tokens are stored encrypted; keys never are: the connectors service passes the key with each call.

CREATE TABLE public.connector_definitions (
  id uuid PRIMARY KEY DEFAULT gen_random_uuid(),
  slug text NOT NULL CONSTRAINT connector_definitions_slug_key UNIQUE
    CONSTRAINT connector_definitions_slug_form CHECK (slug ~ '^[a-z][a-z0-9_]{1,62}$'),
  name text NOT NULL CONSTRAINT connector_definitions_name_length CHECK (length(name) BETWEEN 1 AND 100),
  description text NOT NULL,
  category text NOT NULL CONSTRAINT connector_definitions_category_known
    CHECK (category IN ('email', 'calendar', 'files', 'code', 'chat', 'notes', 'design', 'payments', 'other')),
  enabled boolean NOT NULL DEFAULT true,
  auth_methods text[] NOT NULL CONSTRAINT connector_definitions_auth_methods_known
    CHECK (auth_methods <@ ARRAY['oauth2', 'api_key'] AND cardinality(auth_methods) > 0),
  authorize_url text CONSTRAINT connector_definitions_authorize_url_https CHECK (authorize_url ~ '^https://'),
  token_url text CONSTRAINT connector_definitions_token_url_https CHECK (token_url ~ '^https://'),
  refresh_url text CONSTRAINT connector_definitions_refresh_url_https CHECK (refresh_url ~ '^https://'),
  revoke_url text CONSTRAINT connector_definitions_revoke_url_https CHECK (revoke_url ~ '^https://'),
  revoke_style text NOT NULL DEFAULT 'none' CONSTRAINT connector_definitions_revoke_style_known
    CHECK (revoke_style IN ('none', 'rfc7009', 'github', 'slack', 'notion', 'stripe')),
  client_auth text NOT NULL DEFAULT 'body' CONSTRAINT connector_definitions_client_auth_known
    CHECK (client_auth IN ('header', 'body')),
  body_format text NOT NULL DEFAULT 'form' CONSTRAINT connector_definitions_body_format_known
    CHECK (body_format IN ('form', 'json')),
  scope_separator text NOT NULL DEFAULT ' ' CONSTRAINT connector_definitions_scope_separator_known
    CHECK (scope_separator IN (' ', ',')),
  pkce boolean NOT NULL DEFAULT true,
  refresh_mode text NOT NULL DEFAULT 'reuse' CONSTRAINT connector_definitions_refresh_mode_known
    CHECK (refresh_mode IN ('none', 'reuse', 'rotate')),
  default_scopes text[] NOT NULL DEFAULT '{}',
  optional_scopes text[] NOT NULL DEFAULT '{}',
  authorize_params jsonb NOT NULL DEFAULT '{}' CONSTRAINT connector_definitions_authorize_params_object
    CHECK (jsonb_typeof(authorize_params) = 'object'),
  url_variables jsonb NOT NULL DEFAULT '{}' CONSTRAINT connector_definitions_url_variables_object
    CHECK (jsonb_typeof(url_variables) = 'object'),
  token_answer jsonb NOT NULL DEFAULT '{}' CONSTRAINT connector_definitions_token_answer_object
    CHECK (jsonb_typeof(token_answer) = 'object'),
  api_base_url text NOT NULL CONSTRAINT connector_definitions_api_base_url_https CHECK (api_base_url ~ '^https://'),
  api_hosts text[] NOT NULL CONSTRAINT connector_definitions_api_hosts_some CHECK (cardinality(api_hosts) > 0),
  api_headers jsonb NOT NULL DEFAULT '{}' CONSTRAINT connector_definitions_api_headers_object
    CHECK (jsonb_typeof(api_headers) = 'object'),
  secret_ref text NOT NULL,
  documentation_url text CONSTRAINT connector_definitions_documentation_url_https
    CHECK (documentation_url ~ '^https://'),
  version integer NOT NULL DEFAULT 1 CONSTRAINT connector_definitions_version_positive CHECK (version > 0),
  created_at timestamptz NOT NULL DEFAULT now(),
  updated_at timestamptz NOT NULL DEFAULT now(),
  CONSTRAINT connector_definitions_oauth_has_urls CHECK (
    NOT ('oauth2' = ANY (auth_methods)) OR (authorize_url IS NOT NULL AND token_url IS NOT NULL)
  )
);

COMMENT ON TABLE public.connector_definitions IS
  'The catalogue of connectors: how to obtain, refresh and revoke a token, and which hosts may be called with it.';
COMMENT ON COLUMN public.connector_definitions.slug IS 'Name in URLs and in playbooks';
COMMENT ON COLUMN public.connector_definitions.enabled IS
  'Off: not listed and not connectable; accounts that are connected stay';
COMMENT ON COLUMN public.connector_definitions.auth_methods IS 'Ways to connect an account: oauth2, api_key';
COMMENT ON COLUMN public.connector_definitions.authorize_url IS 'Where the user consents';
COMMENT ON COLUMN public.connector_definitions.token_url IS 'Where a code becomes a token';
COMMENT ON COLUMN public.connector_definitions.revoke_url IS
  'Where a token is revoked when the account is disconnected';
COMMENT ON COLUMN public.connector_definitions.scope_separator IS 'Between scopes in the authorize URL';
COMMENT ON COLUMN public.connector_definitions.pkce IS 'Whether the provider takes a code challenge';
COMMENT ON COLUMN public.connector_definitions.default_scopes IS 'Asked for unless the user chooses';
COMMENT ON COLUMN public.connector_definitions.optional_scopes IS 'May be asked for as well';
COMMENT ON COLUMN public.connector_definitions.authorize_params IS 'Further parameters of the authorize URL';
COMMENT ON COLUMN public.connector_definitions.api_base_url IS 'Paths of calls are relative to it';
COMMENT ON COLUMN public.connector_definitions.api_headers IS 'Sent with every call';
COMMENT ON COLUMN public.connector_definitions.documentation_url IS 'Where the provider documents all this';
COMMENT ON COLUMN public.connector_definitions.version IS 'Raised by every change';
COMMENT ON COLUMN public.connector_definitions.refresh_url IS
  'Where to refresh when that is not token_url (Figma).';
COMMENT ON COLUMN public.connector_definitions.revoke_style IS
  'How a token is revoked: providers differ in method, authentication and body; none = cannot be revoked by call.';
COMMENT ON COLUMN public.connector_definitions.client_auth IS
  'Where client id and secret go in a token request: header (HTTP Basic) or body.';
COMMENT ON COLUMN public.connector_definitions.refresh_mode IS
  'none: access tokens do not expire. reuse: the refresh token stays and may be missing in the answer. '
  'rotate: every refresh replaces it, and a second use of the old one can end the grant.';
COMMENT ON COLUMN public.connector_definitions.url_variables IS
  'Defaults for {names} in the URLs, e.g. the Microsoft tenant.';
COMMENT ON COLUMN public.connector_definitions.token_answer IS
  'How the token answer departs from RFC 6749: error_with_status_200, user_token_path, keep (fields to retain), '
  'scope_separator of the answer, expires_in_absent.';
COMMENT ON COLUMN public.connector_definitions.api_hosts IS
  'Exact hosts a call may reach with this connector''s token; everything else is refused.';
COMMENT ON COLUMN public.connector_definitions.secret_ref IS
  'Name under which the operator provides client id and secret; the values are never in the database.';

CREATE INDEX connector_definitions_list_idx ON public.connector_definitions (created_at, id) WHERE enabled;

CREATE TABLE public.connector_credentials (
  id uuid PRIMARY KEY DEFAULT gen_random_uuid(),
  user_id uuid NOT NULL CONSTRAINT connector_credentials_user_fkey
    REFERENCES auth.users (id) ON DELETE CASCADE,
  definition_id uuid NOT NULL CONSTRAINT connector_credentials_definition_fkey
    REFERENCES public.connector_definitions (id) ON DELETE RESTRICT,
  provider_account_id text NOT NULL,
  provider_account_name text,
  label text NOT NULL DEFAULT '' CONSTRAINT connector_credentials_label_length CHECK (length(label) <= 200),
  is_default boolean NOT NULL DEFAULT false,
  status text NOT NULL DEFAULT 'active' CONSTRAINT connector_credentials_status_known
    CHECK (status IN ('active', 'reauth_required', 'disconnecting')),
  auth_method text NOT NULL CONSTRAINT connector_credentials_auth_method_known
    CHECK (auth_method IN ('oauth2', 'api_key')),
  granted_scopes text[] NOT NULL DEFAULT '{}',
  key_id text NOT NULL CONSTRAINT connector_credentials_key_id_form CHECK (key_id ~ '^[A-Za-z0-9_-]{1,64}$'),
  access_token bytea NOT NULL,
  refresh_token bytea,
  token_metadata bytea,
  access_expires_at timestamptz,
  refresh_expires_at timestamptz,
  refresh_lease_owner text,
  refresh_lease_until timestamptz,
  refresh_lease_version bigint NOT NULL DEFAULT 0,
  refresh_failures integer NOT NULL DEFAULT 0 CONSTRAINT connector_credentials_refresh_failures_natural
    CHECK (refresh_failures >= 0),
  refresh_retry_at timestamptz,
  last_refreshed_at timestamptz,
  last_ok_at timestamptz,
  last_error_code text,
  last_error_at timestamptz,
  event_seq bigint NOT NULL DEFAULT 0,
  version integer NOT NULL DEFAULT 1 CONSTRAINT connector_credentials_version_positive CHECK (version > 0),
  created_at timestamptz NOT NULL DEFAULT now(),
  updated_at timestamptz NOT NULL DEFAULT now(),
  CONSTRAINT connector_credentials_id_user_key UNIQUE (id, user_id),
  CONSTRAINT connector_credentials_account_key UNIQUE (user_id, definition_id, provider_account_id),
  CONSTRAINT connector_credentials_lease_whole
    CHECK ((refresh_lease_owner IS NULL) = (refresh_lease_until IS NULL))
);

COMMENT ON TABLE public.connector_credentials IS
  'One connected account of a user at a provider, with its tokens encrypted by encrypt_token().';
COMMENT ON COLUMN public.connector_credentials.provider_account_name IS 'How the provider calls the account, to show';
COMMENT ON COLUMN public.connector_credentials.label IS 'How the user calls the account';
COMMENT ON COLUMN public.connector_credentials.is_default IS
  'Used when a call names the connector alone; one per user and connector';
COMMENT ON COLUMN public.connector_credentials.granted_scopes IS
  'What the provider has granted, which may be less than was asked for';
COMMENT ON COLUMN public.connector_credentials.refresh_token IS 'Ciphertext; null when there is none';
COMMENT ON COLUMN public.connector_credentials.token_metadata IS 'Ciphertext of further fields of the token answer';
COMMENT ON COLUMN public.connector_credentials.refresh_expires_at IS 'Null when the provider tells none';
COMMENT ON COLUMN public.connector_credentials.refresh_lease_until IS 'Time of the database; past it another may refresh';
COMMENT ON COLUMN public.connector_credentials.refresh_lease_owner IS 'Who refreshes the token now';
COMMENT ON COLUMN public.connector_credentials.refresh_failures IS 'In a row; 0 after a success';
COMMENT ON COLUMN public.connector_credentials.last_refreshed_at IS 'Null before the first refresh';
COMMENT ON COLUMN public.connector_credentials.last_ok_at IS 'Last call that the provider accepted';
COMMENT ON COLUMN public.connector_credentials.last_error_code IS 'Of the last call or refresh that failed';
COMMENT ON COLUMN public.connector_credentials.last_error_at IS 'When that was';
COMMENT ON COLUMN public.connector_credentials.version IS 'Raised by every change a user makes';
COMMENT ON COLUMN public.connector_credentials.provider_account_id IS
  'The account''s id at the provider; reconnecting must yield the same one.';
COMMENT ON COLUMN public.connector_credentials.key_id IS
  'Which key of the service''s key ring encrypted the three token columns of this row.';
COMMENT ON COLUMN public.connector_credentials.access_token IS
  'Ciphertext bound to this row and column; copied elsewhere it does not decrypt. The same holds for refresh_token '
  'and token_metadata.';
COMMENT ON COLUMN public.connector_credentials.access_expires_at IS
  'Null when the provider tells no expiry; such a token is refreshed when a call answers 401.';
COMMENT ON COLUMN public.connector_credentials.refresh_lease_version IS
  'Fence: raised by every claim of a refresh; the write-back repeats it, so a late answer changes nothing.';
COMMENT ON COLUMN public.connector_credentials.refresh_retry_at IS
  'Not to be refreshed before this time after a failure that will pass.';
COMMENT ON COLUMN public.connector_credentials.event_seq IS
  'Order of the events about this credential (aggregate_seq), raised in the transaction that appends one.';

CREATE UNIQUE INDEX connector_credentials_default_idx
  ON public.connector_credentials (user_id, definition_id) WHERE is_default;
CREATE INDEX connector_credentials_list_idx
  ON public.connector_credentials (user_id, created_at DESC, id DESC);
CREATE INDEX connector_credentials_due_idx
  ON public.connector_credentials (access_expires_at)
  WHERE status = 'active' AND refresh_token IS NOT NULL AND access_expires_at IS NOT NULL;
CREATE INDEX connector_credentials_key_idx ON public.connector_credentials (key_id);
CREATE INDEX connector_credentials_definition_idx ON public.connector_credentials (definition_id);

CREATE TABLE public.connector_usage_log (
  id uuid NOT NULL DEFAULT gen_random_uuid(),
  created_at timestamptz NOT NULL DEFAULT now(),
  user_id uuid NOT NULL CONSTRAINT connector_usage_log_user_fkey REFERENCES auth.users (id) ON DELETE CASCADE,
  credential_id uuid,
  definition_id uuid NOT NULL CONSTRAINT connector_usage_log_definition_fkey
    REFERENCES public.connector_definitions (id) ON DELETE RESTRICT,
  run_id uuid,
  step_id uuid,
  action text NOT NULL CONSTRAINT connector_usage_log_action_length CHECK (length(action) BETWEEN 1 AND 100),
  access text NOT NULL CONSTRAINT connector_usage_log_access_known
    CHECK (access IN ('read', 'write', 'destructive')),
  outcome text NOT NULL CONSTRAINT connector_usage_log_outcome_known
    CHECK (outcome IN ('ok', 'upstream_error', 'refused', 'timeout', 'unknown')),
  upstream_status integer CONSTRAINT connector_usage_log_upstream_status_http
    CHECK (upstream_status BETWEEN 100 AND 599),
  error_code text,
  duration_ms integer NOT NULL CONSTRAINT connector_usage_log_duration_natural CHECK (duration_ms >= 0),
  request_bytes bigint NOT NULL DEFAULT 0 CONSTRAINT connector_usage_log_request_bytes_natural
    CHECK (request_bytes >= 0),
  response_bytes bigint NOT NULL DEFAULT 0 CONSTRAINT connector_usage_log_response_bytes_natural
    CHECK (response_bytes >= 0),
  retries integer NOT NULL DEFAULT 0 CONSTRAINT connector_usage_log_retries_natural CHECK (retries >= 0),
  cost_micro bigint NOT NULL DEFAULT 0 CONSTRAINT connector_usage_log_cost_natural CHECK (cost_micro >= 0),
  request_id text,
  CONSTRAINT connector_usage_log_pkey PRIMARY KEY (id, created_at),
  CONSTRAINT connector_usage_log_credential_fkey FOREIGN KEY (credential_id, user_id)
    REFERENCES public.connector_credentials (id, user_id) ON DELETE SET NULL (credential_id)
) PARTITION BY RANGE (created_at);

COMMENT ON TABLE public.connector_usage_log IS
  'One row per call through a connector: what was called and how it went, never bodies. Partitioned by month.';
COMMENT ON COLUMN public.connector_usage_log.run_id IS 'The run it was called for; null for a call by hand';
COMMENT ON COLUMN public.connector_usage_log.step_id IS 'The step it was called for';
COMMENT ON COLUMN public.connector_usage_log.action IS 'Name of the action in the connectors catalogue';
COMMENT ON COLUMN public.connector_usage_log.upstream_status IS 'HTTP status of the provider; null when none came';
COMMENT ON COLUMN public.connector_usage_log.duration_ms IS 'Until the last byte';
COMMENT ON COLUMN public.connector_usage_log.request_bytes IS 'Of the body';
COMMENT ON COLUMN public.connector_usage_log.response_bytes IS 'Of the body';
COMMENT ON COLUMN public.connector_usage_log.retries IS 'How often it was sent again';
COMMENT ON COLUMN public.connector_usage_log.request_id IS 'As the provider named it, for its support';
COMMENT ON COLUMN public.connector_usage_log.outcome IS
  'refused: turned away before anything was sent. unknown: sent, but the answer never came.';
COMMENT ON COLUMN public.connector_usage_log.cost_micro IS
  'Micro-credits of a call outside a run; a call with run_id is billed by the run''s step and has 0 here.';

CREATE INDEX connector_usage_log_list_idx ON public.connector_usage_log (user_id, created_at DESC, id DESC);
CREATE INDEX connector_usage_log_credential_idx
  ON public.connector_usage_log (credential_id, created_at DESC) WHERE credential_id IS NOT NULL;
CREATE INDEX connector_usage_log_run_idx ON public.connector_usage_log (run_id, created_at) WHERE run_id IS NOT NULL;
CREATE INDEX connector_usage_log_definition_idx ON public.connector_usage_log (definition_id, created_at DESC);

SELECT sb.partition_by_month('public.connector_usage_log', 3, '13 months');

-- ---------------------------------------------------------------------------------------------------------------
-- Tokens.

-- pgcrypto lives in schema extensions on Supabase and may live in public elsewhere; a schema that does not exist is
-- skipped, so one pinned path serves both.
CREATE FUNCTION public.encrypt_token(
  p_plain text, p_credential_id uuid, p_field text, p_key_id text, p_key text
) RETURNS bytea
LANGUAGE plpgsql VOLATILE
SET search_path = pg_catalog, extensions, public, pg_temp
AS $$
BEGIN
  IF p_plain IS NULL THEN
    RETURN NULL;
  END IF;
  IF p_credential_id IS NULL OR p_field IS NULL OR p_key_id IS NULL THEN
    RAISE EXCEPTION 'a token is encrypted for a credential, a field and a key id' USING ERRCODE = '22004';
  END IF;
  IF p_key IS NULL OR length(p_key) < 32 THEN
    RAISE EXCEPTION 'the token key must have at least 32 characters' USING ERRCODE = '22023';
  END IF;
  -- The key is random, so stretching it (s2k) would only cost time; the default cipher would be AES-128.
  RETURN pgp_sym_encrypt(
    format('%s/%s/%s:', p_key_id, p_credential_id, p_field) || p_plain,
    p_key,
    'cipher-algo=aes256, compress-algo=0, s2k-count=1024'
  );
END
$$;
COMMENT ON FUNCTION public.encrypt_token(text, uuid, text, text, text) IS
  'Encrypts a token for one credential row and field under the given key. Null stays null.';

CREATE FUNCTION public.decrypt_token(
  p_cipher bytea, p_credential_id uuid, p_field text, p_key_id text, p_key text
) RETURNS text
LANGUAGE plpgsql VOLATILE
SET search_path = pg_catalog, extensions, public, pg_temp
AS $$
DECLARE
  v_context text := format('%s/%s/%s:', p_key_id, p_credential_id, p_field);
  v_text text;
BEGIN
  IF p_cipher IS NULL THEN
    RETURN NULL;
  END IF;
  v_text := pgp_sym_decrypt(p_cipher, p_key);
  -- OpenPGP has no associated data: without this check a ciphertext copied from another row would decrypt.
  IF NOT starts_with(v_text, v_context) THEN
    RAISE EXCEPTION 'the ciphertext belongs to another credential, field or key' USING ERRCODE = '39000';
  END IF;
  RETURN substr(v_text, length(v_context) + 1);
END
$$;
COMMENT ON FUNCTION public.decrypt_token(bytea, uuid, text, text, text) IS
  'Decrypts what encrypt_token() made for the same credential, field and key; anything else is SQLSTATE 39000.';

CREATE FUNCTION public.refresh_expiring_tokens(
  p_owner text,
  p_margin interval DEFAULT interval '15 minutes',
  p_limit integer DEFAULT 50,
  p_lease interval DEFAULT interval '60 seconds'
) RETURNS TABLE (credential_id uuid, user_id uuid, definition_id uuid, lease_version bigint, lease_until timestamptz)
LANGUAGE sql VOLATILE
SET search_path = ''
AS $$
  WITH claimed AS MATERIALIZED (
    SELECT due.id
    FROM public.connector_credentials AS due
    WHERE due.status = 'active'
      AND due.refresh_token IS NOT NULL
      AND due.access_expires_at IS NOT NULL
      AND due.access_expires_at <= now() + p_margin
      AND (due.refresh_retry_at IS NULL OR due.refresh_retry_at <= now())
      AND (due.refresh_lease_until IS NULL OR due.refresh_lease_until <= now())
    ORDER BY due.access_expires_at
    LIMIT p_limit
    FOR UPDATE SKIP LOCKED
  )
  UPDATE public.connector_credentials AS credential
  SET refresh_lease_owner = p_owner,
    refresh_lease_until = now() + p_lease,
    refresh_lease_version = credential.refresh_lease_version + 1
  FROM claimed
  WHERE credential.id = claimed.id
  RETURNING credential.id, credential.user_id, credential.definition_id,
    credential.refresh_lease_version, credential.refresh_lease_until;
$$;
COMMENT ON FUNCTION public.refresh_expiring_tokens(text, interval, integer, interval) IS
  'Claims credentials whose access token expires within the margin, soonest first, each for one owner until the lease '
  'ends. The refresh itself is HTTP and happens in the service; its write-back repeats lease_version.';

-- ---------------------------------------------------------------------------------------------------------------
-- Row-level security.

ALTER TABLE public.connector_definitions ENABLE ROW LEVEL SECURITY;
ALTER TABLE public.connector_credentials ENABLE ROW LEVEL SECURITY;
ALTER TABLE public.connector_usage_log ENABLE ROW LEVEL SECURITY;

CREATE POLICY connector_definitions_select ON public.connector_definitions
  FOR SELECT TO authenticated, sb_connectors_user
  USING (
    tableoid = 'public.connector_definitions'::regclass AND tableoid = (SELECT sb.require_user('public.connector_definitions'))
    AND enabled
  );
CREATE POLICY connector_definitions_service ON public.connector_definitions
  FOR ALL TO sb_connectors USING (true) WITH CHECK (true);

CREATE POLICY connector_credentials_select ON public.connector_credentials
  FOR SELECT TO authenticated, sb_connectors_user
  USING (user_id = (SELECT sb.current_user_id()) AND user_id = (SELECT sb.current_user_id()));
CREATE POLICY connector_credentials_update ON public.connector_credentials
  FOR UPDATE TO authenticated, sb_connectors_user
  USING (user_id = (SELECT sb.current_user_id()) AND user_id = (SELECT sb.current_user_id()))
  WITH CHECK (user_id = (SELECT sb.current_user_id()));
CREATE POLICY connector_credentials_delete ON public.connector_credentials
  FOR DELETE TO authenticated, sb_connectors_user
  USING (user_id = (SELECT sb.current_user_id()) AND user_id = (SELECT sb.current_user_id()));
CREATE POLICY connector_credentials_service ON public.connector_credentials
  FOR ALL TO sb_connectors USING (true) WITH CHECK (true);

CREATE POLICY connector_usage_log_select ON public.connector_usage_log
  FOR SELECT TO authenticated, sb_connectors_user
  USING (user_id = (SELECT sb.current_user_id()) AND user_id = (SELECT sb.current_user_id()));
CREATE POLICY connector_usage_log_service ON public.connector_usage_log
  FOR ALL TO sb_connectors USING (true) WITH CHECK (true);

-- ---------------------------------------------------------------------------------------------------------------
-- Grants.

REVOKE ALL ON public.connector_definitions, public.connector_credentials, public.connector_usage_log
  FROM PUBLIC, anon, authenticated, service_role;
REVOKE ALL ON FUNCTION public.encrypt_token(text, uuid, text, text, text),
  public.decrypt_token(bytea, uuid, text, text, text),
  public.refresh_expiring_tokens(text, interval, integer, interval)
  FROM PUBLIC, anon, authenticated, service_role;

GRANT SELECT ON public.connector_definitions, public.connector_usage_log TO authenticated, sb_connectors_user;
-- Everything but the ciphertext: no user, however they reach the database, reads tokens.
GRANT SELECT (
  id, user_id, definition_id, provider_account_id, provider_account_name, label, is_default, status, auth_method,
  granted_scopes, access_expires_at, refresh_expires_at, last_refreshed_at, last_ok_at, last_error_code, last_error_at,
  version, created_at, updated_at
) ON public.connector_credentials TO authenticated, sb_connectors_user;
GRANT UPDATE (label, is_default, status, event_seq, version, updated_at) ON public.connector_credentials
  TO sb_connectors_user;
GRANT SELECT (event_seq) ON public.connector_credentials TO sb_connectors_user;
GRANT DELETE ON public.connector_credentials TO sb_connectors_user;

GRANT SELECT, INSERT, UPDATE, DELETE ON public.connector_definitions, public.connector_credentials
  TO sb_connectors;
GRANT SELECT, INSERT ON public.connector_usage_log TO sb_connectors;
GRANT EXECUTE ON FUNCTION public.encrypt_token(text, uuid, text, text, text) TO sb_connectors;
GRANT EXECUTE ON FUNCTION public.decrypt_token(bytea, uuid, text, text, text) TO sb_connectors;
GRANT EXECUTE ON FUNCTION public.refresh_expiring_tokens(text, interval, integer, interval) TO sb_connectors;

-- ---------------------------------------------------------------------------------------------------------------
-- The catalogue.
-- Endpoints and token behaviour as each provider documents them. Fixed ids, so that every installation has the same.

INSERT INTO public.connector_definitions (
  id, slug, name, description, category, auth_methods, authorize_url, token_url, refresh_url, revoke_url, revoke_style,
  client_auth, body_format, scope_separator, pkce, refresh_mode, default_scopes, optional_scopes, authorize_params,
  url_variables, token_answer, api_base_url, api_hosts, api_headers, secret_ref, documentation_url
) VALUES
(
  'c0000000-0000-4000-8000-000000000001', 'gmail', 'Gmail',
  'Search and read messages, write drafts, send mail.', 'email', '{oauth2}',
  'https://accounts.google.com/o/oauth2/v2/auth', 'https://oauth2.googleapis.com/token', NULL,
  'https://oauth2.googleapis.com/revoke', 'rfc7009', 'body', 'form', ' ', true, 'reuse',
  '{openid,email,https://www.googleapis.com/auth/gmail.modify}',
  '{https://www.googleapis.com/auth/gmail.readonly,https://www.googleapis.com/auth/gmail.send}',
  '{"access_type": "offline", "prompt": "consent"}', '{}', '{}',
  'https://gmail.googleapis.com', '{gmail.googleapis.com}', '{}', 'google',
  'https://developers.google.com/gmail/api/auth/scopes'
),
(
  'c0000000-0000-4000-8000-000000000002', 'google_calendar', 'Google Calendar',
  'Read calendars and free times, create and change events.', 'calendar', '{oauth2}',
  'https://accounts.google.com/o/oauth2/v2/auth', 'https://oauth2.googleapis.com/token', NULL,
  'https://oauth2.googleapis.com/revoke', 'rfc7009', 'body', 'form', ' ', true, 'reuse',
  '{openid,email,https://www.googleapis.com/auth/calendar.events,https://www.googleapis.com/auth/calendar.calendarlist.readonly}',
  '{https://www.googleapis.com/auth/calendar.freebusy}',
  '{"access_type": "offline", "prompt": "consent"}', '{}', '{}',
  'https://www.googleapis.com/calendar/v3', '{www.googleapis.com}', '{}', 'google',
  'https://developers.google.com/calendar/api/auth'
),
(
  'c0000000-0000-4000-8000-000000000003', 'google_drive', 'Google Drive',
  'Create files, and read the files the user picked.', 'files', '{oauth2}',
  'https://accounts.google.com/o/oauth2/v2/auth', 'https://oauth2.googleapis.com/token', NULL,
  'https://oauth2.googleapis.com/revoke', 'rfc7009', 'body', 'form', ' ', true, 'reuse',
  '{openid,email,https://www.googleapis.com/auth/drive.file}',
  '{https://www.googleapis.com/auth/drive.readonly}',
  '{"access_type": "offline", "prompt": "consent"}', '{}', '{}',
  'https://www.googleapis.com/drive/v3', '{www.googleapis.com}', '{}', 'google',
  'https://developers.google.com/drive/api/guides/api-specific-auth'
),
(
  'c0000000-0000-4000-8000-000000000004', 'github', 'GitHub',
  'Search issues and code, read files, open issues and comment on them.', 'code', '{oauth2}',
  'https://github.com/login/oauth/authorize', 'https://github.com/login/oauth/access_token', NULL,
  'https://api.github.com/applications/{client_id}/token', 'github', 'body', 'form', ' ', true, 'rotate',
  '{repo,read:user,user:email}', '{}', '{}', '{}',
  '{"error_with_status_200": true, "scope_separator": ",", "keep": ["refresh_token_expires_in"]}',
  'https://api.github.com', '{api.github.com}',
  '{"accept": "application/vnd.github+json", "x-github-api-version": "2022-11-28"}', 'github',
  'https://docs.github.com/apps/oauth-apps/building-oauth-apps/authorizing-oauth-apps'
),
(
  'c0000000-0000-4000-8000-000000000005', 'slack', 'Slack',
  'Read channels, look up people, post messages.', 'chat', '{oauth2}',
  'https://slack.com/oauth/v2/authorize', 'https://slack.com/api/oauth.v2.access', NULL,
  'https://slack.com/api/auth.revoke', 'slack', 'body', 'form', ',', false, 'rotate',
  '{channels:read,channels:history,chat:write,users:read}', '{search:read}', '{}', '{}',
  '{"error_with_status_200": true, "user_token_path": ["authed_user", "access_token"], "keep": ["team", "bot_user_id", "authed_user"]}',
  'https://slack.com/api', '{slack.com}', '{}', 'slack',
  'https://docs.slack.dev/authentication/installing-with-oauth'
),
(
  'c0000000-0000-4000-8000-000000000006', 'notion', 'Notion',
  'Search a workspace, read and create pages, query databases.', 'notes', '{oauth2}',
  'https://api.notion.com/v1/oauth/authorize', 'https://api.notion.com/v1/oauth/token', NULL,
  'https://api.notion.com/v1/oauth/revoke', 'notion', 'header', 'json', ' ', false, 'rotate',
  '{}', '{}', '{"owner": "user"}', '{}',
  '{"expires_in_absent": true, "keep": ["bot_id", "workspace_id", "workspace_name", "owner"]}',
  'https://api.notion.com', '{api.notion.com}', '{"notion-version": "2025-09-03"}', 'notion',
  'https://developers.notion.com/docs/authorization'
),
(
  'c0000000-0000-4000-8000-000000000007', 'onedrive', 'Microsoft OneDrive',
  'Search, list, download and upload files.', 'files', '{oauth2}',
  'https://login.microsoftonline.com/{tenant}/oauth2/v2.0/authorize',
  'https://login.microsoftonline.com/{tenant}/oauth2/v2.0/token', NULL, NULL, 'none',
  'body', 'form', ' ', true, 'rotate',
  '{offline_access,openid,profile,User.Read,Files.ReadWrite}', '{Files.Read}',
  '{"response_mode": "query", "prompt": "select_account"}', '{"tenant": "common"}', '{}',
  'https://graph.microsoft.com/v1.0', '{graph.microsoft.com}', '{}', 'microsoft',
  'https://learn.microsoft.com/onedrive/developer/rest-api/getting-started/graph-oauth'
),
(
  'c0000000-0000-4000-8000-000000000008', 'figma', 'Figma',
  'Read files, render images, list and post comments.', 'design', '{oauth2}',
  'https://www.figma.com/oauth', 'https://api.figma.com/v1/oauth/token', 'https://api.figma.com/v1/oauth/refresh',
  NULL, 'none', 'header', 'form', ',', false, 'reuse',
  '{current_user:read,file_content:read,file_metadata:read,file_comments:read,file_comments:write}',
  '{projects:read,webhooks:write}', '{}', '{}', '{"keep": ["user_id"]}',
  'https://api.figma.com', '{api.figma.com}', '{}', 'figma',
  'https://developers.figma.com/docs/rest-api/authentication'
),
(
  'c0000000-0000-4000-8000-000000000009', 'stripe', 'Stripe',
  'Read customers, balance and invoices, create payment links.', 'payments', '{oauth2,api_key}',
  'https://connect.stripe.com/oauth/authorize', 'https://connect.stripe.com/oauth/token', NULL,
  'https://connect.stripe.com/oauth/deauthorize', 'stripe', 'body', 'form', ' ', false, 'none',
  '{read_write}', '{read_only}', '{}', '{}', '{"keep": ["stripe_user_id", "livemode"]}',
  'https://api.stripe.com', '{api.stripe.com}', '{}', 'stripe',
  'https://docs.stripe.com/connect/oauth-standard-accounts'
);

-- migrate:down

SELECT sb.forget_partitions('public.connector_usage_log');
DROP FUNCTION public.refresh_expiring_tokens(text, interval, integer, interval);
DROP FUNCTION public.decrypt_token(bytea, uuid, text, text, text);
DROP FUNCTION public.encrypt_token(text, uuid, text, text, text);
DROP TABLE public.connector_usage_log;
DROP TABLE public.connector_credentials;
DROP TABLE public.connector_definitions;
