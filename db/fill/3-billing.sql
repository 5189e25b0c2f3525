INSERT INTO public.subscription_tiers
  (code, name, position, monthly_credits_micro, price_cents, sandbox_cpu_millis, sandbox_memory_mb, sandbox_disk_mb,
   sandbox_seconds, overdraft_limit_micro)
SELECT 'fill-' || n, 'Tier ' || n, n + 5, 0, 0, 500, 512, 1024, 300, 0
FROM generate_series(0, least(pg_temp.rows(), 32000) - 1) AS n; -- no more fit into position

INSERT INTO public.subscription_tier_versions (tier_code, version, terms, effective_from, applied_at)
SELECT 'fill-' || n, 1, '{}', '2021-01-01Z', '2021-01-01Z' FROM generate_series(0, least(pg_temp.rows(), 32000) - 1) AS n;

-- Five versions of each price, one after the other.
INSERT INTO public.credit_pricing
  (id, operation, version, price_micro, per_quantity, unit, description, valid_from, valid_to)
SELECT pg_temp.id('price', n), 'fill.' || n / 5, n % 5 + 1, 1000, 1, 'call', 'A price to fill the table',
       '2021-01-01Z'::timestamptz + n % 5 * interval '1 year',
       CASE WHEN n % 5 < 4 THEN '2021-01-01Z'::timestamptz + (n % 5 + 1) * interval '1 year' END
FROM generate_series(0, pg_temp.rows() - 1) AS n;

-- Everybody is on a tier, mostly the free one; some have ended. The periods end evenly over the month.
INSERT INTO public.user_subscriptions
  (id, user_id, tier_code, status, anchor_at, current_period_start, current_period_end, tier_effective_from, external_ref,
   ended_at, created_at)
SELECT pg_temp.id('subscription', n), pg_temp.id('user', n),
       CASE WHEN n % 100 < 87 THEN 'free' WHEN n % 100 < 98 THEN 'pro' WHEN n % 200 < 199 THEN 'team' ELSE 'enterprise' END,
       CASE WHEN n % 20 = 0 THEN 'ended' ELSE 'active' END, ends - interval '1 month', ends - interval '1 month', ends,
       ends - interval '1 month', CASE WHEN n % 100 >= 87 THEN 'external-' || n END,
       CASE WHEN n % 20 = 0 THEN now() END, pg_temp.time_of('user', n)
FROM generate_series(0, pg_temp.rows() - 1) AS n,
     LATERAL (SELECT now() + (pg_temp.share('period', n) - 0.002) * interval '28 days') AS period (ends);

INSERT INTO public.credit_reservations
  (id, user_id, run_id, state, requested_micro, minimum_micro, held_micro, consumed_micro, released_micro, price_as_of, ttl,
   expires_at, closing_event, closing_billable_steps, closing_step_ids, closing_at, closed_at, created_at)
SELECT pg_temp.id('reservation', n), pg_temp.user_of('run', n / 5), pg_temp.id('run', n), state, 1000000, 0,
       CASE WHEN state IN ('waiting', 'denied') THEN 0 ELSE 1000000 END,
       CASE WHEN state IN ('waiting', 'denied') THEN 0 ELSE 400000 END,
       CASE WHEN state IN ('settled', 'expired') THEN 600000 ELSE 0 END, began, '2 hours',
       CASE WHEN state = 'active' THEN now() + (pg_temp.share('hold', n) - 0.05) * interval '2 hours' END,
       CASE WHEN closing THEN 'run.completed' END, CASE WHEN closing THEN 5 END,
       CASE WHEN closing THEN ARRAY[pg_temp.id('step', n)] END,
       CASE WHEN closing THEN now() - pg_temp.share('closing at', n) * interval '2 minutes' END,
       CASE WHEN state NOT IN ('active', 'waiting') THEN began END, began
FROM generate_series(0, pg_temp.rows() - 1) AS n,
     LATERAL (SELECT pg_temp.time_of('run', n), pg_temp.share('hold state', n)) AS hold (began, place),
     LATERAL (SELECT CASE WHEN place < 0.95 THEN 'settled' WHEN place < 0.97 THEN 'expired' WHEN place < 0.98 THEN 'denied'
                          WHEN place < 0.985 THEN 'waiting' ELSE 'active' END) AS of_hold (state),
     LATERAL (SELECT state = 'active' AND pg_temp.share('closing', n) < 0.2) AS of_end (closing);

INSERT INTO public.credit_balances
  (user_id, credited_micro, debited_micro, reserved_micro, overdraft_limit_micro, seq)
SELECT id, 100000000 + coalesce(held, 0), n % 90 * 1000000, coalesce(held, 0), 5000000, 10
FROM generate_series(0, pg_temp.rows() - 1) AS n, LATERAL (SELECT pg_temp.id('user', n)) AS account (id)
LEFT JOIN (SELECT user_id, sum(held_micro) FROM public.credit_reservations WHERE state = 'active' GROUP BY user_id
          ) AS active (user_id, held) ON active.user_id = id;

INSERT INTO public.credit_grants
  (id, user_id, source, source_ref, amount_micro, remaining_micro, expires_at, created_at)
SELECT pg_temp.id('grant', n), pg_temp.user_of('grant', n), 'monthly', 'period ' || n, 100000000,
       CASE WHEN n % 4 = 0 THEN n % 100 * 1000000 ELSE 0 END, pg_temp.time_of('grant', n) + interval '30 days',
       pg_temp.time_of('grant', n)
FROM generate_series(0, pg_temp.rows() - 1) AS n;

INSERT INTO public.credit_idempotency
  (user_id, key, action, request_hash, outcome, reservation_id, transaction_id, amount_micro, created_at)
SELECT pg_temp.user_of('run', n / 50), 'step:' || n, 'consume', '\x00', 'recorded', pg_temp.id('reservation', n / 10),
       pg_temp.id('entry', n), 1000000, pg_temp.time_of('run', n / 10)
FROM generate_series(0, pg_temp.rows() - 1) AS n;

-- Ten entries a reservation, eight of them usage; a few refunds.
INSERT INTO public.credit_transactions
  (id, created_at, user_id, account_seq, reservation_seq, kind, amount_micro, reservation_id, run_id, step_id, operation,
   quantity, pricing_id, price_micro, per_quantity, cost_micro, idempotency_key, cause, reverses_id)
SELECT pg_temp.id('entry', n), pg_temp.time_of('run', n / 10) + n % 10 * interval '1 second',
       pg_temp.user_of('run', n / 50), CASE WHEN NOT usage THEN n END, CASE WHEN usage THEN n % 10 END,
       CASE WHEN usage THEN 'consume' WHEN n % 400 = 0 THEN 'refund' WHEN n % 10 = 0 THEN 'reserve' ELSE 'release' END,
       CASE WHEN usage THEN -1000000 WHEN n % 400 = 0 THEN 1000000 ELSE 0 END,
       pg_temp.id('reservation', n / 10), pg_temp.id('run', n / 10), CASE WHEN usage THEN pg_temp.id('step', n) END,
       CASE WHEN usage THEN (ARRAY['llm.default.input', 'llm.default.output', 'web.search', 'code.execution'])[n % 4 + 1] END,
       CASE WHEN usage THEN 1 END, CASE WHEN usage THEN pg_temp.id('price', n % 13) END, 1000000, 1,
       CASE WHEN usage THEN 1000000 END, 'step:' || n, 'step', CASE WHEN n % 400 = 0 THEN pg_temp.id('entry', n + 1) END
FROM generate_series(0, pg_temp.rows() - 1) AS n, LATERAL (SELECT n % 10 BETWEEN 1 AND 8) AS entry (usage);

INSERT INTO public.credit_audit
  (id, operator_id, action, user_id, target, after, reason, request_id, key, request_hash, created_at)
SELECT pg_temp.id('audit', n), pg_temp.id('user', n % 7), 'account.grant', pg_temp.user_of('audit', n), 'account', '{}',
       'to fill the table', 'request-' || n, 'key-' || n, '\x00', pg_temp.time_of('audit', n)
FROM generate_series(0, pg_temp.rows() - 1) AS n;

-- Nearly all has been applied.
INSERT INTO public.payment_events (id, type, subject, subject_ref, created_at, received_at, next_attempt_at, outcome, finished_at)
SELECT 'evt_' || n, 'invoice.paid', 'subscription', 'external-' || n % 99, told, told, told,
       CASE WHEN n % 200 <> 1 THEN 'applied' END, CASE WHEN n % 200 <> 1 THEN told END
FROM generate_series(0, pg_temp.rows() - 1) AS n, LATERAL (SELECT pg_temp.time_of('payment event', n)) AS at (told);

-- Nearly all have ended.
INSERT INTO public.payment_cancellations (subscription_ref, user_id, requested_at, next_attempt_at, outcome, finished_at)
SELECT 'sub_' || n, pg_temp.user_of('cancellation', n), asked, asked, CASE WHEN n % 200 <> 1 THEN 'cancelled' END,
       CASE WHEN n % 200 <> 1 THEN asked END
FROM generate_series(0, pg_temp.rows() - 1) AS n, LATERAL (SELECT pg_temp.time_of('cancellation', n)) AS at (asked);

INSERT INTO public.payment_refunds (charge_ref, user_id, paid_minor, refunded_minor, credits_micro, taken_micro)
SELECT 'ch_' || n, pg_temp.user_of('refund', n), 1900, 1900, 900000000, 900000000
FROM generate_series(0, pg_temp.rows() - 1) AS n;
