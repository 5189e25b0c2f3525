INSERT INTO public.connector_definitions
  (id, slug, name, description, category, enabled, auth_methods, api_base_url, api_hosts, secret_ref, created_at)
SELECT pg_temp.id('definition', n), 'fill_' || n, 'Connector ' || n, 'A connector to fill the table', 'other', n % 20 <> 0,
       '{api_key}', 'https://api.example.com', '{api.example.com}', 'fill', pg_temp.time_of('definition', n)
FROM generate_series(0, pg_temp.rows() - 1) AS n;

-- The shipped connectors have nearly all the accounts. Tokens run out within two weeks, a few at this moment.
INSERT INTO public.connector_credentials
  (id, user_id, definition_id, provider_account_id, is_default, status, auth_method, key_id, access_token, refresh_token,
   access_expires_at, created_at)
SELECT pg_temp.id('credential', n), user_id, definition_id, 'account-' || n,
       row_number() OVER (PARTITION BY user_id, definition_id ORDER BY n) = 1,
       CASE WHEN n % 40 = 0 THEN 'reauth_required' ELSE 'active' END, 'oauth2',
       CASE WHEN pg_temp.share('key', n) < 0.01 THEN 'key-1' ELSE 'key-2' END, '\x00', CASE WHEN n % 5 <> 0 THEN '\x00'::bytea END,
       now() + (pg_temp.share('expiry', n) - 0.001) * interval '14 days', pg_temp.time_of('credential', n)
FROM generate_series(0, pg_temp.rows() - 1) AS n,
     LATERAL (SELECT pg_temp.user_of('credential', n),
                     CASE WHEN n % 100 = 0 THEN pg_temp.id('definition', n)
                          ELSE ('c0000000-0000-4000-8000-00000000000' || (1 + floor(9 * power(pg_temp.share('definition', n), 2))))::uuid END
             ) AS account (user_id, definition_id);

INSERT INTO public.connector_usage_log
  (id, created_at, user_id, credential_id, definition_id, run_id, step_id, action, access, outcome, upstream_status, duration_ms)
SELECT pg_temp.id('call', n), pg_temp.time_of('call', n), pg_temp.user_of('credential', n / 4), pg_temp.id('credential', n / 4),
       CASE WHEN n / 4 % 100 = 0 THEN pg_temp.id('definition', n / 4)
            ELSE ('c0000000-0000-4000-8000-00000000000' || (1 + floor(9 * power(pg_temp.share('definition', n / 4), 2))))::uuid END,
       CASE WHEN n % 3 <> 0 THEN pg_temp.id('run', n / 10) END, CASE WHEN n % 3 <> 0 THEN pg_temp.id('step', n) END,
       'search', 'read', 'ok', 200, n % 900
FROM generate_series(0, pg_temp.rows() - 1) AS n;
