-- migrate:up
-- squawk-ignore-file require-lock-timeout
-- (nothing is in use yet when this runs)

-- Billing: tiers and subscriptions, prices, and a ledger in integer micro-credits (1 credit = 1,000,000).
--
-- How money moves. available = credited - debited - reserved on the balance row. A reservation takes its whole hold
-- out of `available` at once and is then the shard: recording usage locks the reservation alone, and `debited` learns
-- of it once, at the end. Admission is strict; work that was done is always recorded, and what neither hold nor
-- balance covers becomes debt down to the overdraft limit, then is written off.
--
-- Who may write. No role but the owner writes these tables: every change goes through the definer functions below,
-- so credit_transactions is append-only by privilege, and by trigger for its owner.
--
-- Locks, in this order, each set sorted by its key: balance rows, reservations, subscription, grants. Always
-- FOR NO KEY UPDATE: foreign key checks take KEY SHARE, and FOR UPDATE would wait for those.
--
-- Checks of the tables that every step writes are one function per table, and what a column may say is one array:
-- Postgres parses each check of a table anew for each statement, which cost more than the writes, and keeps a function's plans.
--
-- SQLSTATEs: CR404 no such account or reservation, CR409 key used for another request, CR422 no price for the
-- operation, 22023 not a valid amount, 22003 amount out of range, CR402 the account has less, CR403 only an operator
-- or the payment provider may, CR410 more than the original, CR412 not after what is scheduled already.

create extension if not exists btree_gist with schema extensions;

-- ---------------------------------------------------------------------------------------------------------------
-- Tables.

create table public.subscription_tiers (
  code text primary key constraint subscription_tiers_code_form check (code ~ '^[a-z][a-z0-9_-]{0,39}$'),
  name text not null constraint subscription_tiers_name_length check (length(name) between 1 and 100),
  position smallint not null constraint subscription_tiers_position_key unique,
  monthly_credits_micro bigint constraint subscription_tiers_monthly_natural check (monthly_credits_micro >= 0),
  price_cents integer constraint subscription_tiers_price_natural check (price_cents >= 0),
  currency text not null default 'usd' constraint subscription_tiers_currency_form check (currency ~ '^[a-z]{3}$'),
  max_concurrent_runs integer constraint subscription_tiers_runs_positive check (max_concurrent_runs > 0),
  max_parallel_items integer constraint subscription_tiers_items_positive check (max_parallel_items > 0),
  sandbox_cpu_millis integer not null constraint subscription_tiers_cpu_positive check (sandbox_cpu_millis > 0),
  sandbox_memory_mb integer not null constraint subscription_tiers_memory_positive check (sandbox_memory_mb > 0),
  sandbox_disk_mb integer not null constraint subscription_tiers_disk_positive check (sandbox_disk_mb > 0),
  sandbox_seconds integer not null constraint subscription_tiers_seconds_positive check (sandbox_seconds > 0),
  retention_days integer constraint subscription_tiers_retention_positive check (retention_days > 0),
  requests_per_minute integer constraint subscription_tiers_requests_positive check (requests_per_minute > 0),
  rollover_min_micro bigint not null default 0,
  rollover_max_micro bigint not null default 0
    constraint subscription_tiers_rollover_natural check (rollover_max_micro >= 0),
  overdraft_limit_micro bigint constraint subscription_tiers_overdraft_natural check (overdraft_limit_micro >= 0),
  low_thresholds text[] not null default '{20%,5%}' constraint subscription_tiers_low_form
    check (array_to_string(low_thresholds, ',', '') ~ '^(((100|\d{1,2})%|\d{1,12}(\.\d{1,6})?)(,|$)){0,5}$'),
  created_at timestamptz not null default now(),
  updated_at timestamptz not null default now(),
  constraint subscription_tiers_rollover_range check (rollover_min_micro between 0 and rollover_max_micro),
  constraint subscription_tiers_unlimited_whole
    check ((monthly_credits_micro is null) = (overdraft_limit_micro is null))
);
comment on table public.subscription_tiers is 'What a subscription buys: credits a month and the limits of a run';
comment on column public.subscription_tiers.code is 'Name in the API';
comment on column public.subscription_tiers.position is 'Order: a higher one is an upgrade';
comment on column public.subscription_tiers.sandbox_cpu_millis is 'Thousandths of a processor';
comment on column public.subscription_tiers.sandbox_memory_mb is 'Mebibytes';
comment on column public.subscription_tiers.sandbox_disk_mb is 'Mebibytes';
comment on column public.subscription_tiers.sandbox_seconds is 'Longest execution';
comment on column public.subscription_tiers.requests_per_minute is 'To the API; null: unlimited';
comment on column public.subscription_tiers.monthly_credits_micro is 'Null: unlimited, usage is only counted';
comment on column public.subscription_tiers.price_cents is 'Null: by agreement';
comment on column public.subscription_tiers.max_concurrent_runs is 'Null: unlimited. A run above it waits, in order';
comment on column public.subscription_tiers.max_parallel_items is 'Items of one research at a time; null: unlimited';
comment on column public.subscription_tiers.retention_days is 'How long finished runs are kept; null: for good';
comment on column public.subscription_tiers.rollover_min_micro is
  'What the next month gets at least, even of a month that was used up; nothing after months without a grant';
comment on column public.subscription_tiers.rollover_max_micro is
  'The most of a month''s unused credits that the next month gets; what was rolled over is not rolled again';
comment on column public.subscription_tiers.low_thresholds is
  'Below which credits.low is told: percent of what the period granted (20%), or credits (12.5)';
comment on column public.subscription_tiers.overdraft_limit_micro is
  'How far finished work may take the balance below zero; null: no floor. Never used to admit a run';

create table public.subscription_tier_versions (
  tier_code text not null constraint subscription_tier_versions_tier_fkey references public.subscription_tiers (code),
  version integer not null constraint subscription_tier_versions_version_positive check (version > 0),
  terms jsonb not null constraint subscription_tier_versions_terms_object check (jsonb_typeof(terms) = 'object'),
  effective_from timestamptz not null,
  applied_at timestamptz,
  created_at timestamptz not null default clock_timestamp(),
  constraint subscription_tier_versions_pkey primary key (tier_code, version),
  constraint subscription_tier_versions_time_key unique (tier_code, effective_from),
  constraint subscription_tier_versions_in_time check (applied_at >= effective_from)
);
comment on table public.subscription_tier_versions is
  'What a tier was, is and will be; subscription_tiers has the version that holds';
comment on column public.subscription_tier_versions.version is '1 for the terms the tier began with';
comment on column public.subscription_tier_versions.terms is 'Columns of subscription_tiers by name, all but code and position';
comment on column public.subscription_tier_versions.effective_from is 'First moment of the terms';
comment on column public.subscription_tier_versions.applied_at is 'Since when subscription_tiers has it; null while it is to come';
-- What is still to come.
create index subscription_tier_versions_due_idx on public.subscription_tier_versions (effective_from) where applied_at is null;

create table public.user_subscriptions (
  id uuid primary key default gen_random_uuid(),
  user_id uuid not null,
  tier_code text not null constraint user_subscriptions_tier_fkey references public.subscription_tiers (code),
  next_tier_code text constraint user_subscriptions_next_tier_fkey references public.subscription_tiers (code),
  status text not null default 'active' constraint user_subscriptions_status_known
    check (status in ('trialing', 'active', 'past_due', 'ended')),
  anchor_at timestamptz not null,
  time_zone text not null default 'UTC',
  current_period_start timestamptz not null,
  current_period_end timestamptz not null,
  tier_effective_from timestamptz not null,
  external_ref text constraint user_subscriptions_external_ref_key unique,
  external_customer_ref text constraint user_subscriptions_customer_key unique,
  seq bigint not null default 0,
  last_external_event_at timestamptz,
  ended_at timestamptz,
  created_at timestamptz not null default now(),
  updated_at timestamptz not null default now(),
  constraint user_subscriptions_period_forward check (current_period_end > current_period_start),
  constraint user_subscriptions_end_whole check ((status = 'ended') = (ended_at is not null))
);
comment on table public.user_subscriptions is
  'Which tier a user is on. No foreign key to auth.users: money outlives the user, whose id is then only an account';
comment on column public.user_subscriptions.seq is 'Order of its events';
comment on column public.user_subscriptions.time_zone is 'In which months are counted';
comment on column public.user_subscriptions.current_period_start is 'First moment of the period';
comment on column public.user_subscriptions.current_period_end is 'First moment of the next one';
comment on column public.user_subscriptions.tier_effective_from is 'Since when it is this tier';
comment on column public.user_subscriptions.next_tier_code is 'Takes effect when the current period ends';
comment on column public.user_subscriptions.anchor_at is
  'Every period is counted in months from here, in time_zone: 31 January gives 28 February and again 31 March';
comment on column public.user_subscriptions.external_ref is 'The subscription at the payment provider';
comment on column public.user_subscriptions.external_customer_ref is 'The customer there; stays when the subscription ends';
comment on column public.user_subscriptions.last_external_event_at is
  'When the provider was asked for what was applied last, by the clock here; answers to earlier questions are stale';
create unique index user_subscriptions_live_idx on public.user_subscriptions (user_id) where status <> 'ended';
-- The monthly job: whose period is over.
create index user_subscriptions_due_idx on public.user_subscriptions (current_period_end) where status <> 'ended';
-- All subscriptions of a user, ended ones too: an account is opened once.
create index user_subscriptions_user_idx on public.user_subscriptions (user_id, created_at desc);
-- Who is on a tier, when an operator changes it.
create index user_subscriptions_tier_idx on public.user_subscriptions (tier_code) where status <> 'ended';

create table public.credit_balances (
  user_id uuid primary key,
  credited_micro bigint not null default 0,
  debited_micro bigint not null default 0,
  reserved_micro bigint not null default 0,
  debt_micro bigint not null default 0,
  overdraft_limit_micro bigint,
  seq bigint not null default 0,
  period_granted_micro bigint not null default 0,
  low_thresholds text[],
  low_told text[] not null default '{}',
  created_at timestamptz not null default now(),
  updated_at timestamptz not null default now()
) with (fillfactor = 70);
create function sb.whole_balance(p_row public.credit_balances) returns boolean
language plpgsql immutable set search_path = '' as $$
begin
  return p_row.credited_micro >= 0 and p_row.debited_micro >= 0 and p_row.reserved_micro >= 0 and p_row.debt_micro >= 0
    and p_row.overdraft_limit_micro >= 0
    and p_row.credited_micro - p_row.debited_micro - p_row.reserved_micro >= -p_row.overdraft_limit_micro
    and array_to_string(p_row.low_thresholds, ',', '') ~ '^(((100|\d{1,2})%|\d{1,12}(\.\d{1,6})?)(,|$)){0,5}$';
end
$$;
comment on function sb.whole_balance(public.credit_balances) is
  'The rules of a row, null where nothing is against it: totals are natural, available is not below the floor, thresholds are '
  'percents or credits';
alter table public.credit_balances add constraint credit_balances_whole check (sb.whole_balance(credit_balances));
comment on table public.credit_balances is
  'One account per user: totals that only grow, and what reservations hold. Available is derived, never stored';
comment on column public.credit_balances.period_granted_micro is 'What the period granted: the whole of a threshold in percent';
comment on column public.credit_balances.low_thresholds is 'The user''s own in place of the tier''s; null: the tier''s';
comment on column public.credit_balances.low_told is 'Thresholds that available is below, each of which was told once';
comment on column public.credit_balances.credited_micro is 'Everything ever granted';
comment on column public.credit_balances.debited_micro is
  'Everything ever spent or expired; usage of a live hold is not in it yet';
comment on column public.credit_balances.reserved_micro is 'Sum of the holds of active reservations';
comment on column public.credit_balances.debt_micro is
  'Spent without a grant behind it; the next grant repays it first';
comment on column public.credit_balances.overdraft_limit_micro is
  'Copied from the tier so that the floor is a constraint; null: none';
comment on column public.credit_balances.seq is
  'Number of the last ledger entry of the account, and order of its events';

create table public.credit_pricing (
  id uuid primary key default gen_random_uuid(),
  operation text not null constraint credit_pricing_operation_form
    check (length(operation) between 1 and 100),
  version integer not null default 1 constraint credit_pricing_version_positive check (version > 0),
  price_micro bigint not null constraint credit_pricing_price_natural check (price_micro >= 0),
  per_quantity bigint not null constraint credit_pricing_per_positive check (per_quantity > 0),
  unit text not null,
  description text not null,
  valid_from timestamptz not null,
  valid_to timestamptz,
  created_at timestamptz not null default now(),
  constraint credit_pricing_version_key unique (operation, version),
  constraint credit_pricing_validity_forward check (valid_to > valid_from),
  constraint credit_pricing_no_overlap
    exclude using gist (operation with =, tstzrange(valid_from, valid_to) with &&)
);
comment on table public.credit_pricing is
  'What an operation costs and when: a new price is a new version; only valid_to of the old one is ever set';
comment on column public.credit_pricing.version is '1 for the first price of the operation';
comment on column public.credit_pricing.per_quantity is 'The units that price_micro buys';
comment on column public.credit_pricing.valid_from is 'First moment of the price';
comment on column public.credit_pricing.valid_to is 'First moment of the next one; null: until further notice';
comment on column public.credit_pricing.price_micro is 'Micro-credits for per_quantity units; a cost is rounded up';
comment on column public.credit_pricing.operation is
  'llm.<model>.input and .output fall back to llm.default.input and .output';

create table public.credit_reservations (
  id uuid primary key default gen_random_uuid(),
  user_id uuid not null constraint credit_reservations_account_fkey references public.credit_balances (user_id),
  run_id uuid not null constraint credit_reservations_run_key unique,
  purpose text not null default 'run' constraint credit_reservations_purpose_known check (purpose = any ('{run,research}')),
  state text not null default 'waiting' constraint credit_reservations_state_known
    check (state = any ('{waiting,active,settled,expired,denied}')),
  requested_micro bigint not null,
  minimum_micro bigint not null,
  budget_micro bigint,
  held_micro bigint not null default 0,
  consumed_micro bigint not null default 0,
  released_micro bigint not null default 0,
  late_micro bigint not null default 0,
  written_off_micro bigint not null default 0,
  price_as_of timestamptz not null,
  ttl interval not null,
  expires_at timestamptz,
  heartbeat_at timestamptz,
  seq bigint not null default 0,
  closing_event text,
  closing_billable_steps integer,
  closing_step_ids uuid[],
  closing_at timestamptz,
  closing_asked_at timestamptz,
  exhausted_at timestamptz,
  closed_at timestamptz,
  close_reason text,
  created_at timestamptz not null default clock_timestamp(),
  updated_at timestamptz not null default clock_timestamp(),
  constraint credit_reservations_id_user_key unique (id, user_id)
) with (fillfactor = 70);
create function sb.whole_reservation(p_row public.credit_reservations) returns boolean
language plpgsql immutable set search_path = '' as $$
begin
  return p_row.consumed_micro between 0 and p_row.held_micro
    and (p_row.state in ('active', 'waiting')) = (p_row.closed_at is null)
    and (p_row.closed_at is null or p_row.held_micro = p_row.consumed_micro + p_row.released_micro)
    and (p_row.state <> 'active' or p_row.expires_at is not null)
    and p_row.released_micro >= 0 and p_row.late_micro >= 0 and p_row.written_off_micro >= 0
    and p_row.requested_micro > 0 and p_row.minimum_micro >= 0 and p_row.ttl > interval '0'
    and (p_row.closing_event is null) = (p_row.closing_at is null)
    and (p_row.closing_event is null) = (p_row.closing_billable_steps is null) and p_row.closing_billable_steps >= 0;
end
$$;
comment on function sb.whole_reservation(public.credit_reservations) is
  'The rules of a row, null where nothing is against it: usage is within the hold, what has ended adds up, what lives expires';
alter table public.credit_reservations
  add constraint credit_reservations_whole check (sb.whole_reservation(credit_reservations));
comment on table public.credit_reservations is
  'The hold of one run and everything below it, and the place where its usage is counted';
comment on column public.credit_reservations.requested_micro is 'What the run asked for';
comment on column public.credit_reservations.minimum_micro is 'With less than this it is denied';
comment on column public.credit_reservations.held_micro is 'What the account cannot spend elsewhere';
comment on column public.credit_reservations.consumed_micro is 'Usage within the hold';
comment on column public.credit_reservations.released_micro is 'What the end gave back';
comment on column public.credit_reservations.ttl is 'How long a heartbeat renews it';
comment on column public.credit_reservations.heartbeat_at is 'Last renewal';
comment on column public.credit_reservations.closing_billable_steps is
  'How many steps must be recorded before it is settled';
comment on column public.credit_reservations.closing_at is 'When the end of the run was noted';
comment on column public.credit_reservations.closing_asked_at is 'When the missing steps were last asked for';
comment on column public.credit_reservations.exhausted_at is
  'Since when the account cannot pay what the run uses, as credits.exhausted told; null again with the grant that can';
comment on column public.credit_reservations.close_reason is 'Why it ended, for people';
comment on column public.credit_reservations.run_id is
  'The root run: sub-agents and research items draw on its hold. Of a research that no run has started, the research';
comment on column public.credit_reservations.purpose is
  'research: takes no slot of the tier, since its items are runs with holds of their own, and has no run to be compared with';
comment on column public.credit_reservations.state is
  'waiting: over the tier''s concurrency, holds nothing; active; settled, expired, denied: final';
comment on column public.credit_reservations.budget_micro is
  'The most the run may cost; caps the hold, every extension and every charge';
comment on column public.credit_reservations.late_micro is 'Charged to the account after the end of the hold';
comment on column public.credit_reservations.written_off_micro is
  'Recorded but not charged: beyond budget or overdraft limit';
comment on column public.credit_reservations.price_as_of is 'Every usage of the run costs what it cost at this moment';
comment on column public.credit_reservations.expires_at is
  'Database time; a hold past it counts as closed even before it is swept';
comment on column public.credit_reservations.seq is
  'Number of the last ledger entry of the hold, and order of its events';
comment on column public.credit_reservations.closing_event is
  'How the run ended, while some of its billable steps are still to be recorded';
comment on column public.credit_reservations.closing_step_ids is 'Null: too many to name, the count decides';
-- Most users have few runs and some have very many. By the average of one or two the planner takes every index that begins
-- with the user to be as good as the key, also for the foreign key of each entry, and then reads all runs of a busy user.
alter table public.credit_reservations alter column user_id set (n_distinct = -0.05);
-- The sweeper: holds whose time is over.
create index credit_reservations_overdue_idx on public.credit_reservations (expires_at) where state = 'active';
-- How many runs of a user are live.
create index credit_reservations_active_idx on public.credit_reservations (user_id) where state = 'active';
-- Who is next.
create index credit_reservations_waiting_idx on public.credit_reservations (user_id, created_at, id)
  where state = 'waiting';
-- A user's reservations, newest first.
create index credit_reservations_list_idx on public.credit_reservations (user_id, created_at desc, id desc);
-- Who was denied, newest first, for operators.
create index credit_reservations_denied_idx on public.credit_reservations (created_at desc, id desc) where state = 'denied';
-- Ended runs whose steps are not all recorded.
create index credit_reservations_closing_idx on public.credit_reservations (closing_at)
  where state = 'active' and closing_event is not null;

create table public.credit_grants (
  id uuid primary key default gen_random_uuid(),
  user_id uuid not null constraint credit_grants_account_fkey references public.credit_balances (user_id),
  source text not null constraint credit_grants_source_known
    check (source in ('monthly', 'rollover', 'upgrade', 'top_up', 'trial', 'promo', 'adjust', 'refund')),
  source_ref text not null,
  amount_micro bigint not null constraint credit_grants_amount_positive check (amount_micro > 0),
  remaining_micro bigint not null,
  priority smallint not null default 50 constraint credit_grants_priority_range check (priority between 0 and 100),
  effective_at timestamptz not null default now(),
  expires_at timestamptz,
  period_start timestamptz,
  created_at timestamptz not null default clock_timestamp(),
  constraint credit_grants_source_key unique (user_id, source, source_ref),
  constraint credit_grants_remaining_within check (remaining_micro between 0 and amount_micro)
);
comment on table public.credit_grants is
  'Where an account''s credits come from and what is left of each; burnt by priority, then soonest expiry';
comment on column public.credit_grants.amount_micro is 'As granted';
comment on column public.credit_grants.remaining_micro is 'What is not burnt yet';
comment on column public.credit_grants.priority is 'Lower is burnt first';
comment on column public.credit_grants.effective_at is 'From when it counts';
comment on column public.credit_grants.period_start is 'Of the period it belongs to; null outside periods';
comment on column public.credit_grants.source_ref is 'What the grant answers to: a second one for the same is none';
comment on column public.credit_grants.expires_at is
  'What a hold pins outlives it until the hold ends; null: does not expire';
-- The burn order.
create index credit_grants_burn_idx on public.credit_grants (user_id, priority, expires_at, created_at, id)
  where remaining_micro > 0;
-- The sweeper: what has expired.
create index credit_grants_expiry_idx on public.credit_grants (expires_at)
  where remaining_micro > 0 and expires_at is not null;

create table public.credit_idempotency (
  user_id uuid not null,
  key text not null constraint credit_idempotency_key_length check (key <> '' and length(key) <= 200),
  action text not null constraint credit_idempotency_action_known
    check (action = any ('{reserve,extend,consume,release,adjust,grant,tier}')),
  request_hash bytea not null,
  outcome text not null,
  reservation_id uuid,
  transaction_id uuid,
  amount_micro bigint not null,
  created_at timestamptz not null default clock_timestamp(),
  constraint credit_idempotency_pkey primary key (user_id, key)
);
comment on table public.credit_idempotency is
  'The keys of credit_transactions, which as a partitioned table cannot hold a key across months. Kept as long as those';
comment on column public.credit_idempotency.key is 'As the caller gave it, unique within the account';
comment on column public.credit_idempotency.reservation_id is 'The hold it was about';
comment on column public.credit_idempotency.transaction_id is 'The entry it made';
comment on column public.credit_idempotency.amount_micro is 'Answer to a repeat';
comment on column public.credit_idempotency.request_hash is 'The same key with another request is an error, CR409';
comment on column public.credit_idempotency.outcome is
  'Denials are kept too: a late repeat of a refused run stays refused. Only a refused extension is not: a run may ask again';

create function sb.whole_entry(p_kind text, p_amount bigint, p_settled bigint, p_account_seq bigint, p_reservation_seq bigint,
                               p_reservation uuid, p_operation text, p_quantity bigint, p_pricing uuid, p_cost bigint)
returns boolean
language plpgsql immutable set search_path = '' as $$
begin
  if p_account_seq is null and p_reservation_seq is null then
    return false;
  end if;
  if p_kind = 'consume' then
    return p_reservation is not null and p_operation is not null and p_pricing is not null and p_settled >= 0
      and coalesce(p_quantity >= 0 and -p_amount between 0 and p_cost, false);
  end if;
  return p_settled >= 0 and p_quantity >= 0 and p_cost >= 0;
end
$$;
comment on function sb.whole_entry is
  'The rules of a row of credit_transactions, null where nothing is against it: it has a place in an order, and usage says of '
  'what, how much and at which price. By column, since partitions cannot take over a rule of the whole row';

create table public.credit_transactions (
  id uuid not null default gen_random_uuid(),
  created_at timestamptz not null default clock_timestamp(),
  user_id uuid not null,
  account_seq bigint,
  reservation_seq bigint,
  kind text not null constraint credit_transactions_kind_known check (kind = any (
    '{grant,rollover,refund,adjust,expire_grant,reserve,denied,extend,debt,consume,late,release,expire_hold}')),
  amount_micro bigint not null,
  settled_micro bigint not null default 0,
  hold_micro bigint not null default 0,
  available_after_micro bigint,
  hold_left_micro bigint,
  reservation_id uuid,
  run_id uuid,
  step_id uuid,
  operation text,
  quantity bigint,
  pricing_id uuid,
  price_micro bigint,
  per_quantity bigint,
  cost_micro bigint,
  idempotency_key text,
  cause text not null,
  reverses_id uuid,
  grant_id uuid,
  occurred_at timestamptz not null default clock_timestamp(),
  constraint credit_transactions_pkey primary key (id, created_at),
  constraint credit_transactions_reservation_fkey
    foreign key (reservation_id, user_id) references public.credit_reservations (id, user_id),
  constraint credit_transactions_whole check (sb.whole_entry(
    kind, amount_micro, settled_micro, account_seq, reservation_seq, reservation_id, operation, quantity, pricing_id, cost_micro))
) partition by range (created_at);
comment on table public.credit_transactions is
  'The ledger: append-only, since no role may update or delete and a trigger refuses it even to the owner. '
  'credited - debited - consumed of live holds = sum(amount)';
comment on column public.credit_transactions.run_id is 'The run whose step used it, or the root run of the hold';
comment on column public.credit_transactions.step_id is 'The step that used it';
comment on column public.credit_transactions.operation is 'As in credit_pricing';
comment on column public.credit_transactions.quantity is 'Units used';
comment on column public.credit_transactions.pricing_id is 'The price it was charged at';
comment on column public.credit_transactions.per_quantity is 'See price_micro';
comment on column public.credit_transactions.idempotency_key is 'Key of the request, which credit_idempotency holds';
comment on column public.credit_transactions.cause is 'Why, for people: period, run, step, usage, …';
comment on column public.credit_transactions.reverses_id is 'The entry that a refund takes back';
comment on column public.credit_transactions.grant_id is 'The grant that came or expired with this entry';
comment on column public.credit_transactions.settled_micro is
  'Usage that this entry debits the account with; the entries of the usage carry the amount. Of an entry of the account, '
  'available_after = that of the entry before + amount - settled - hold';
comment on column public.credit_transactions.account_seq is
  'Order within the account, without gaps; null for usage, which locks its hold alone';
comment on column public.credit_transactions.user_id is
  'No foreign key to the balance, nor of pricing_id to the price: the checks would lock, with every usage, the rows '
  'that all usage shares. The reservation binds the user, and only functions write here';
comment on column public.credit_transactions.price_micro is
  'Copied from the price, with per_quantity: rows explain themselves';
comment on column public.credit_transactions.reservation_seq is 'Order within the reservation';
comment on column public.credit_transactions.amount_micro is
  'Effect on the money: grants positive, usage negative, holds zero';
comment on column public.credit_transactions.hold_micro is 'Effect on reserved';
comment on column public.credit_transactions.available_after_micro is
  'Available after this entry; entries of the account only';
comment on column public.credit_transactions.hold_left_micro is 'What the hold has left after this entry; usage only';
comment on column public.credit_transactions.cost_micro is 'Full cost; more than -amount where a part was written off';
comment on column public.credit_transactions.occurred_at is 'When the work happened, by the clock of who did it';
-- A user's ledger, newest first; its sum when the account is verified.
create index credit_transactions_user_idx on public.credit_transactions (user_id, created_at desc, id desc);
-- Which steps of a run are recorded.
create index credit_transactions_step_idx on public.credit_transactions (reservation_id, step_id)
  where kind = 'consume';
-- What has been refunded of an entry.
create index credit_transactions_reverses_idx on public.credit_transactions (reverses_id) where reverses_id is not null;
-- Usage by operation over time.
create index credit_transactions_usage_idx on public.credit_transactions (user_id, operation, created_at)
  where kind = 'consume';

create function sb.refuse_ledger_change() returns trigger
language plpgsql set search_path = '' as $$
begin
  raise exception 'the ledger is append-only: % of % refused', lower(tg_op), tg_table_name
    using errcode = '42501', hint = 'Write a correcting entry with adjust_credits.';
end
$$;
comment on function sb.refuse_ledger_change() is
  'Refuses whatever is no insertion. Before the partitions are made, which take their triggers from the parent';
create trigger credit_transactions_append_only before update or delete on public.credit_transactions
  for each row execute function sb.refuse_ledger_change();
create trigger credit_transactions_not_emptied before truncate on public.credit_transactions
  for each statement execute function sb.refuse_ledger_change();
-- Kept for good, as are its keys in credit_idempotency: the sum of the entries is the account.
select sb.partition_by_month('credit_transactions', 3);

create table public.credit_audit (
  id uuid primary key default gen_random_uuid(),
  operator_id uuid not null,
  action text not null constraint credit_audit_action_form check (action ~ '^[a-z]+\.[a-z_]{1,40}$'),
  user_id uuid,
  target text not null constraint credit_audit_target_length check (length(target) between 1 and 200),
  before jsonb,
  after jsonb,
  reason text constraint credit_audit_reason_length check (length(reason) between 1 and 500),
  request_id text not null constraint credit_audit_request_length check (length(request_id) between 1 and 100),
  key text constraint credit_audit_key_length check (length(key) between 1 and 200),
  request_hash bytea,
  created_at timestamptz not null default clock_timestamp(),
  constraint credit_audit_request_key unique (operator_id, key),
  constraint credit_audit_change_whole
    check ((key is null) = (request_hash is null) and (key is null or (reason is not null and after is not null)))
);
comment on table public.credit_audit is
  'Everything operators did, written in the transaction that did it; append-only, since no role may write it';
comment on column public.credit_audit.operator_id is 'Who did it';
comment on column public.credit_audit.action is 'What: account.grant, price.version, …';
comment on column public.credit_audit.user_id is 'Whose account; null for prices, tiers and lists';
comment on column public.credit_audit.target is 'What it was done to: an account, an operation, a tier, a list';
comment on column public.credit_audit.before is 'What it was; null where there was nothing and for what only reads';
comment on column public.credit_audit.after is 'What it became; null for what only reads';
comment on column public.credit_audit.reason is 'Why, in the operator''s words';
comment on column public.credit_audit.request_id is 'Of the HTTP request';
comment on column public.credit_audit.key is 'Idempotency-Key of a change; null for what only reads';
comment on column public.credit_audit.request_hash is 'The same key with another request is an error, CR409';
-- The list, newest first, and that of one account.
create index credit_audit_list_idx on public.credit_audit (created_at desc, id desc);
create index credit_audit_user_idx on public.credit_audit (user_id, created_at desc, id desc) where user_id is not null;

create table public.payment_events (
  id text constraint payment_events_id_length check (length(id) between 1 and 200),
  type text not null constraint payment_events_type_length check (length(type) between 1 and 100),
  subject text not null constraint payment_events_subject_known check (subject in ('subscription', 'charge')),
  subject_ref text not null constraint payment_events_subject_ref_length check (length(subject_ref) between 1 and 100),
  created_at timestamptz not null,
  received_at timestamptz not null default clock_timestamp(),
  attempts int not null default 0 constraint payment_events_attempts_positive check (attempts >= 0),
  next_attempt_at timestamptz not null default clock_timestamp(),
  error text,
  outcome text constraint payment_events_outcome_known
    check (outcome in ('applied', 'unchanged', 'ignored', 'unknown_user', 'exceeds_original', 'given_up')),
  finished_at timestamptz,
  constraint payment_events_pkey primary key (id),
  constraint payment_events_end_whole check ((outcome is null) = (finished_at is null))
);
comment on table public.payment_events is
  'What the payment provider told, once per event: stored before it is applied, so that a crash in between loses nothing. '
  'Only what it is about is kept; how that stands is asked for when it is applied';
comment on column public.payment_events.id is 'The provider''s; a second delivery finds it here';
comment on column public.payment_events.type is 'The provider''s, such as customer.subscription.updated';
comment on column public.payment_events.subject_ref is 'The provider''s id of the subscription or charge that it is about';
comment on column public.payment_events.received_at is 'When its first delivery came';
comment on column public.payment_events.attempts is 'How often it was tried to apply it';
comment on column public.payment_events.created_at is 'By the provider''s clock';
comment on column public.payment_events.next_attempt_at is 'Until then it is with whoever has claimed it, or rests after a failure';
comment on column public.payment_events.error is 'Why the last attempt failed';
-- The sweeper: what is still to be applied.
create index payment_events_due_idx on public.payment_events (next_attempt_at) where finished_at is null;

create table public.payment_refunds (
  charge_ref text constraint payment_refunds_charge_length check (length(charge_ref) between 1 and 100),
  user_id uuid not null,
  paid_minor bigint not null constraint payment_refunds_paid_positive check (paid_minor > 0),
  refunded_minor bigint not null default 0,
  credits_micro bigint not null constraint payment_refunds_credits_positive check (credits_micro >= 0),
  taken_micro bigint not null default 0,
  created_at timestamptz not null default clock_timestamp(),
  updated_at timestamptz not null default clock_timestamp(),
  constraint payment_refunds_pkey primary key (charge_ref),
  constraint payment_refunds_refunded_within check (refunded_minor between 0 and paid_minor),
  constraint payment_refunds_taken_within check (taken_micro between 0 and credits_micro)
);
comment on table public.payment_refunds is 'Payments that were given back, in whole or part, and the credits taken back for it';
comment on column public.payment_refunds.charge_ref is 'The provider''s id of the payment';
comment on column public.payment_refunds.paid_minor is 'What was paid, in the smallest unit of its currency';
comment on column public.payment_refunds.refunded_minor is 'What of it was given back in all; only grows';
comment on column public.payment_refunds.credits_micro is 'What the payment bought, as it stood at the first refund';
comment on column public.payment_refunds.taken_micro is 'What of that was still there and is taken back';

create table public.payment_cancellations (
  subscription_ref text constraint payment_cancellations_subscription_length
    check (length(subscription_ref) between 1 and 100),
  user_id uuid not null,
  requested_at timestamptz not null default clock_timestamp(),
  attempts int not null default 0 constraint payment_cancellations_attempts_natural check (attempts >= 0),
  next_attempt_at timestamptz not null default clock_timestamp(),
  error text,
  outcome text constraint payment_cancellations_outcome_known check (outcome in ('cancelled', 'missing')),
  finished_at timestamptz,
  constraint payment_cancellations_pkey primary key (subscription_ref),
  constraint payment_cancellations_end_whole check ((outcome is null) = (finished_at is null))
);
comment on table public.payment_cancellations is
  'Subscriptions of deleted users that the payment provider is to end: tried until it says that they have ended';
comment on column public.payment_cancellations.subscription_ref is 'The subscription at the payment provider';
comment on column public.payment_cancellations.user_id is 'Whose it was; only an account by now';
comment on column public.payment_cancellations.requested_at is 'When the user was deleted, or the purchase told';
comment on column public.payment_cancellations.attempts is 'How often the provider was asked';
comment on column public.payment_cancellations.next_attempt_at is 'Until then it is with whoever has claimed it, or rests after a failure';
comment on column public.payment_cancellations.error is 'Why the last attempt failed';
comment on column public.payment_cancellations.outcome is
  'cancelled: the provider says that it has ended; missing: it knows no such subscription; null: still to be ended';
-- The sweeper: what is still to be ended.
create index payment_cancellations_due_idx on public.payment_cancellations (next_attempt_at) where finished_at is null;

create table public.payment_comparisons (
  side text constraint payment_comparisons_side_form check (side ~ '^[a-z]{1,20}$'),
  cursor text constraint payment_comparisons_cursor_length check (length(cursor) between 1 and 100),
  next_at timestamptz not null,
  error text,
  completed_at timestamptz,
  constraint payment_comparisons_pkey primary key (side)
);
comment on table public.payment_comparisons is
  'How far the subscriptions have been compared with the payment provider, so that what was never told is noticed';
comment on column public.payment_comparisons.side is
  'provider: what is kept there is looked for here; account: the other way round';
comment on column public.payment_comparisons.cursor is 'The subscription behind which the next page begins; null: at the beginning';
comment on column public.payment_comparisons.next_at is 'When the next page is due; until then it is with whoever has claimed it';
comment on column public.payment_comparisons.error is 'Why the last page could not be compared';
comment on column public.payment_comparisons.completed_at is 'When the last page was last compared';
insert into public.payment_comparisons (side, next_at)
values ('provider', now() + interval '1 hour'), ('account', now() + interval '1 hour');

-- ---------------------------------------------------------------------------------------------------------------
-- Seeds.

insert into public.subscription_tiers
  (code, name, position, monthly_credits_micro, price_cents, max_concurrent_runs, max_parallel_items,
   sandbox_cpu_millis, sandbox_memory_mb, sandbox_disk_mb, sandbox_seconds, retention_days, requests_per_minute,
   rollover_max_micro, overdraft_limit_micro)
values
  ('free', 'Free', 1, 100000000, 0, 1, 5, 500, 512, 1024, 300, 7, 60, 0, 5000000),
  ('pro', 'Pro', 2, 1000000000, 1900, 3, 20, 1000, 2048, 5120, 1800, 30, 300, 500000000, 25000000),
  ('team', 'Team', 3, 5000000000, 4900, 10, 50, 2000, 4096, 20480, 3600, 90, 1000, 2500000000, 100000000),
  ('enterprise', 'Enterprise', 4, null, null, null, null, 4000, 8192, 51200, 14400, null, null, 0, null);

insert into public.subscription_tier_versions (tier_code, version, terms, effective_from, applied_at)
select code, 1, to_jsonb(t) - '{code,position,created_at,updated_at}'::text[], created_at, created_at
from public.subscription_tiers t;

insert into public.credit_pricing (operation, price_micro, per_quantity, unit, description, valid_from)
values
  ('llm.gpt-4-turbo.input', 300000, 1000, 'token', 'GPT-4 Turbo, input', '2020-01-01T00:00:00Z'),
  ('llm.gpt-4-turbo.output', 600000, 1000, 'token', 'GPT-4 Turbo, output', '2020-01-01T00:00:00Z'),
  ('llm.claude-3-opus.input', 450000, 1000, 'token', 'Claude 3 Opus, input', '2020-01-01T00:00:00Z'),
  ('llm.claude-3-opus.output', 900000, 1000, 'token', 'Claude 3 Opus, output', '2020-01-01T00:00:00Z'),
  ('llm.default.input', 300000, 1000, 'token', 'Any other model, input', '2020-01-01T00:00:00Z'),
  ('llm.default.output', 600000, 1000, 'token', 'Any other model, output', '2020-01-01T00:00:00Z'),
  ('code.execution', 100000, 1000, 'millisecond', 'Code execution', '2020-01-01T00:00:00Z'),
  ('wide_research.item', 5000000, 1, 'item', 'Wide research', '2020-01-01T00:00:00Z'),
  ('image.generation', 10000000, 1, 'image', 'Image', '2020-01-01T00:00:00Z'),
  ('browser.action', 2000000, 1, 'action', 'Browser action', '2020-01-01T00:00:00Z'),
  ('connector.call', 1000000, 1, 'call', 'Connector call', '2020-01-01T00:00:00Z'),
  ('web.search', 1000000, 1, 'search', 'Web search', '2020-01-01T00:00:00Z'),
  ('file.operation', 0, 1, 'operation', 'File operation', '2020-01-01T00:00:00Z');

-- ---------------------------------------------------------------------------------------------------------------
-- Building blocks, for the functions below alone. They expect the caller to hold the locks they name.

create function sb.credit_hash(variadic p_parts text[]) returns bytea
language plpgsql stable parallel safe set search_path = '' as $$
begin
  return sha256(convert_to(to_json(p_parts)::text, 'UTF8'));
end
$$;
comment on function sb.credit_hash(text[]) is 'What a key stands for: the parts of a request that change its effect';

create function sb.iso_time(p_at timestamptz) returns text
language plpgsql immutable parallel safe set search_path = '' as $$
begin
  return to_char(p_at at time zone 'UTC', 'YYYY-MM-DD"T"HH24:MI:SS.US"Z"');
end
$$;
comment on function sb.iso_time(timestamptz) is 'A time as events carry it, independent of the session''s settings';

create function sb.billing_period(p_anchor timestamptz, p_zone text, p_at timestamptz,
                                  out number int, out period_start timestamptz, out period_end timestamptz)
language sql stable set search_path = '' as $$
  with here as (
    select p_anchor at time zone p_zone as anchor, p_at at time zone p_zone as moment
  ), guess as (
    select anchor, ((extract(year from moment) - extract(year from anchor)) * 12
                    + extract(month from moment) - extract(month from anchor))::int as months
    from here
  ), candidate as (
    select n, (anchor + n * interval '1 month') at time zone p_zone as starts,
           (anchor + (n + 1) * interval '1 month') at time zone p_zone as ends
    from guess, generate_series(months - 1, months + 1) as n
  )
  select n, starts, ends from candidate where starts <= p_at and p_at < ends order by starts desc limit 1;
$$;
comment on function sb.billing_period(timestamptz, text, timestamptz) is
  'The period that contains a moment. Always counted from the anchor, so periods tile time and 31 January comes back';

create function sb.period_after(p_anchor timestamptz, p_zone text, p_end timestamptz, p_at timestamptz,
                                out skipped int, out period_start timestamptz, out period_end timestamptz)
language plpgsql stable set search_path = '' as $$
declare
  v_local timestamp := p_anchor at time zone p_zone;
  -- Ends counted in another zone lie days apart at most: the nearest month is the one that was meant.
  v_number int := round(extract(epoch from p_end - p_anchor) / 2629746);
  v_next record;
begin
  skipped := 0;
  period_start := p_end;
  period_end := (v_local + (v_number + 1) * interval '1 month') at time zone p_zone;
  if period_end <= p_at then
    v_next := sb.billing_period(p_anchor, p_zone, p_at);
    skipped := v_next.number - v_number;
    period_start := v_next.period_start;
    period_end := v_next.period_end;
  end if;
end
$$;
comment on function sb.period_after is
  'The period at a moment after the one that ended: begins where that ended, whatever zone that was counted in, and ends as '
  'counted from the anchor in the zone. Months that passed without a grant are skipped';

create function sb.append_credit_event(p_aggregate text, p_aggregate_id uuid, p_seq bigint, p_type text,
                                       p_user uuid, p_root uuid, p_data jsonb) returns void
language plpgsql set search_path = '' as $$
begin
  insert into public.event_outbox (source, aggregate_type, aggregate_id, aggregate_seq, type, user_id, root_id, data)
  values ('credits', p_aggregate, p_aggregate_id, p_seq, p_type, p_user, p_root, p_data);
end
$$;

create function sb.seen_credit_request(p_user uuid, p_key text, p_hash bytea) returns public.credit_idempotency
language plpgsql set search_path = '' as $$
declare
  v_seen public.credit_idempotency;
begin
  if p_key is null or length(p_key) not between 1 and 200 then
    raise exception 'a key has 1 to 200 characters' using errcode = '22023';
  end if;
  select * into v_seen from public.credit_idempotency where user_id = p_user and key = p_key;
  if found and v_seen.request_hash <> p_hash then
    raise exception 'key % was used for another request', p_key using errcode = 'CR409';
  end if;
  return v_seen;
end
$$;
comment on function sb.seen_credit_request(uuid, text, bytea) is
  'The stored request of a key, null when it is new. To be called after the lock and before any test of state';

create function sb.lock_account(p_user uuid) returns public.credit_balances
language plpgsql set search_path = '' as $$
declare
  v_balance public.credit_balances;
begin
  select * into v_balance from public.credit_balances where user_id = p_user for no key update;
  if not found then
    raise exception 'no account %', p_user using errcode = 'CR404';
  end if;
  return v_balance;
end
$$;

create function sb.lock_reservation(p_reservation uuid) returns public.credit_reservations
language plpgsql set search_path = '' as $$
declare
  v_reservation public.credit_reservations;
begin
  perform from public.credit_balances
  where user_id = (select user_id from public.credit_reservations where id = p_reservation) for no key update;
  select * into v_reservation from public.credit_reservations where id = p_reservation for no key update;
  if not found then
    raise exception 'no reservation %', p_reservation using errcode = 'CR404';
  end if;
  return v_reservation;
end
$$;
comment on function sb.lock_reservation(uuid) is 'Locks a reservation in the global order: its account first';

create function sb.available(p_balance public.credit_balances) returns bigint
language plpgsql immutable set search_path = '' as $$
begin
  return p_balance.credited_micro - p_balance.debited_micro - p_balance.reserved_micro;
end
$$;

create function sb.tell_low(p_user uuid) returns void
language plpgsql set search_path = '' as $$
declare
  v_balance public.credit_balances;
  v_low text[] := '{}';
begin
  select * into strict v_balance from public.credit_balances where user_id = p_user;
  if v_balance.overdraft_limit_micro is not null then
    select coalesce(array_agg(t.threshold), '{}') into v_low
    from unnest(coalesce(v_balance.low_thresholds, (
           select r.low_thresholds from public.user_subscriptions s join public.subscription_tiers r on r.code = s.tier_code
           where s.user_id = p_user and s.status <> 'ended'), '{}')) as t(threshold)
    where sb.available(v_balance) < sb.low_threshold(t.threshold, v_balance.period_granted_micro);
  end if;
  if v_low = v_balance.low_told then
    return;
  end if;
  update public.credit_balances set low_told = v_low where user_id = p_user;
  insert into public.event_outbox (source, aggregate_type, aggregate_id, aggregate_seq, type, user_id, root_id, data)
  select 'credits', 'alert', gen_random_uuid(), 1, 'credits.low', p_user, p_user,
         jsonb_build_object('threshold', t.threshold, 'account_seq', v_balance.seq,
           'threshold_micro', sb.low_threshold(t.threshold, v_balance.period_granted_micro)::text,
           'available_micro', sb.available(v_balance)::text)
  from unnest(v_low) as t(threshold) where t.threshold <> all (v_balance.low_told);
end
$$;
comment on function sb.tell_low(uuid) is
  'Appends credits.low for each threshold that available has fallen below, once until it has risen again. Called where '
  'a change of the account is whole, so that what falls and rises in one transaction is not told. Needs the account''s lock';

create function sb.has_thresholds(p_balance public.credit_balances) returns boolean
language plpgsql immutable set search_path = '' as $$
begin
  return p_balance.overdraft_limit_micro is not null or p_balance.low_told <> '{}';
end
$$;
comment on function sb.has_thresholds(public.credit_balances) is
  'Whether there is anything for sb.tell_low() to do: not for an account without a limit, once it was told so';

create function sb.low_threshold(p_threshold text, p_period_granted bigint) returns bigint
language sql immutable set search_path = '' as $$
  select case when right(p_threshold, 1) = '%' then rtrim(p_threshold, '%')::bigint * p_period_granted / 100
              else (p_threshold::numeric * 1000000)::bigint end;
$$;
comment on function sb.low_threshold(text, bigint) is 'A threshold in micro-credits';

create function sb.move_account(
  p_user uuid, p_kind text, p_cause text, p_amount bigint default 0, p_settled bigint default 0,
  p_hold bigint default 0, p_debt bigint default 0, p_reservation uuid default null, p_run uuid default null,
  p_key text default null, p_reverses uuid default null, p_id uuid default null, p_grant uuid default null
) returns public.credit_balances
language plpgsql set search_path = '' as $$
declare
  v_balance public.credit_balances;
begin
  update public.credit_balances
  set credited_micro = credited_micro + greatest(p_amount, 0),
      debited_micro = debited_micro + greatest(-p_amount, 0) + p_settled,
      reserved_micro = reserved_micro + p_hold, debt_micro = debt_micro + p_debt,
      seq = seq + 1, updated_at = clock_timestamp()
  where user_id = p_user
  returning * into strict v_balance;
  insert into public.credit_transactions (id, user_id, account_seq, kind, amount_micro, settled_micro, hold_micro,
    available_after_micro, reservation_id, run_id, idempotency_key, cause, reverses_id, grant_id)
  values (coalesce(p_id, gen_random_uuid()), p_user, v_balance.seq, p_kind, p_amount, p_settled, p_hold,
    v_balance.credited_micro - v_balance.debited_micro - v_balance.reserved_micro,
    p_reservation, p_run, p_key, p_cause, p_reverses, p_grant);
  -- What expires may be granted again at once; who lets it expire tells.
  if p_amount - p_settled - p_hold < 0 and p_kind <> 'expire_grant' and sb.has_thresholds(v_balance) then
    perform sb.tell_low(p_user);
  end if;
  return v_balance;
end
$$;
comment on function sb.move_account is
  'The only change of a balance row: moves its totals and writes the ledger entry that tells of it. p_amount is credited '
  'where it is positive and debited where it is negative; p_settled is usage that is debited beside it';

create function sb.burn_grants(p_user uuid, p_amount bigint) returns bigint
language sql set search_path = '' as $$
  with ordered as (
    select id, remaining_micro,
           sum(remaining_micro) over (order by priority, expires_at nulls last, created_at, id) - remaining_micro as before
    from public.credit_grants
    where user_id = p_user and remaining_micro > 0
  ), burnt as (
    update public.credit_grants g
    set remaining_micro = g.remaining_micro - least(o.remaining_micro, p_amount - o.before)
    from ordered o
    where g.id = o.id and o.before < p_amount
    returning least(o.remaining_micro, p_amount - o.before) as amount
  )
  select (p_amount - coalesce(sum(amount), 0))::bigint from burnt;
$$;
comment on function sb.burn_grants(uuid, bigint) is
  'Spends grants in burn order; what no grant covers is returned and is debt';

create function sb.resumable_runs(p_balance public.credit_balances) returns jsonb
language sql stable set search_path = '' as $$
  select coalesce(jsonb_agg(jsonb_build_object('run_id', run_id, 'reservation_id', id) order by exhausted_at, id), '[]')
  from public.credit_reservations
  where user_id = p_balance.user_id and state = 'active' and exhausted_at is not null
    and (p_balance.overdraft_limit_micro is null
         or p_balance.credited_micro - p_balance.debited_micro - p_balance.reserved_micro > 0);
$$;
comment on function sb.resumable_runs(public.credit_balances) is
  'The live runs that were told credits.exhausted, while there is something to spend again. Changes nothing: a lock of '
  'theirs could come out of order here';

create function sb.add_grant(
  p_user uuid, p_source text, p_source_ref text, p_amount bigint, p_cause text, p_priority int default 50,
  p_expires_at timestamptz default null, p_period_start timestamptz default null, p_key text default null,
  p_reverses uuid default null, p_transaction uuid default null
) returns uuid
language plpgsql set search_path = '' as $$
declare
  v_balance public.credit_balances;
  v_repaid bigint;
  v_grant uuid;
begin
  v_balance := sb.lock_account(p_user);
  v_repaid := least(p_amount, v_balance.debt_micro);
  insert into public.credit_grants
    (user_id, source, source_ref, amount_micro, remaining_micro, priority, expires_at, period_start)
  values (p_user, p_source, p_source_ref, p_amount, p_amount - v_repaid, p_priority, p_expires_at, p_period_start)
  on conflict (user_id, source, source_ref) do nothing
  returning id into v_grant;
  if v_grant is null then
    return null;
  end if;
  if p_source in ('monthly', 'upgrade') then
    update public.credit_balances
    set period_granted_micro = p_amount + case p_source when 'upgrade' then period_granted_micro else 0 end
    where user_id = p_user;
  end if;
  v_balance := sb.move_account(
    p_user, case when p_source in ('rollover', 'refund', 'adjust') then p_source else 'grant' end, p_cause,
    p_amount => p_amount, p_debt => -v_repaid, p_key => p_key, p_reverses => p_reverses,
    p_id => p_transaction, p_grant => v_grant);
  perform sb.append_credit_event('account', p_user, v_balance.seq, 'credits.granted', p_user, p_user,
    jsonb_build_object('user_id', p_user, 'grant_id', v_grant, 'grant_source', p_source, 'amount_micro', p_amount::text,
                       'repaid_micro', v_repaid::text, 'available_micro', sb.shown_available(v_balance)::text,
                       'resumable', sb.resumable_runs(v_balance)));
  return v_grant;
end
$$;
comment on function sb.add_grant is
  'Credits an account, debt first; null when this source_ref was granted before. Needs the lock of the account';

create function sb.shown_available(p_balance public.credit_balances) returns bigint
language plpgsql immutable set search_path = '' as $$
begin
  return case when p_balance.overdraft_limit_micro is not null
              then p_balance.credited_micro - p_balance.debited_micro - p_balance.reserved_micro end;
end
$$;
comment on function sb.shown_available(public.credit_balances) is
  'Available as callers see it: null where there is no limit';

create function sb.expire_grants(p_user uuid, p_at timestamptz) returns bigint
language plpgsql set search_path = '' as $$
declare
  v_grant record;
  v_balance public.credit_balances;
  v_gone bigint;
  v_total bigint := 0;
begin
  for v_grant in
    select id, source, source_ref, remaining_micro from public.credit_grants
    where user_id = p_user and remaining_micro > 0 and expires_at <= p_at
    order by priority, expires_at, created_at, id
  loop
    select * into strict v_balance from public.credit_balances where user_id = p_user;
    v_gone := least(v_grant.remaining_micro, sb.available(v_balance));
    exit when v_gone <= 0;
    update public.credit_grants set remaining_micro = remaining_micro - v_gone where id = v_grant.id;
    perform sb.move_account(p_user, 'expire_grant', v_grant.source || ':' || v_grant.source_ref,
                            p_amount => -v_gone, p_grant => v_grant.id);
    v_total := v_total + v_gone;
  end loop;
  return v_total;
end
$$;
comment on function sb.expire_grants(uuid, timestamptz) is
  'Takes back what is left of expired grants, except what holds pin. Needs the lock of the account';

create function sb.tell_subscription(p_user uuid, p_change text, p_previous text) returns void
language plpgsql set search_path = '' as $$
declare
  v_sub public.user_subscriptions;
begin
  update public.user_subscriptions set seq = seq + 1, updated_at = clock_timestamp()
  where id = (select id from public.user_subscriptions where user_id = p_user order by created_at desc limit 1)
  returning * into strict v_sub;
  perform sb.append_credit_event('subscription', v_sub.id, v_sub.seq, 'subscription.changed', p_user, p_user,
    jsonb_build_object('subscription_id', v_sub.id, 'change', p_change, 'status', v_sub.status, 'tier', v_sub.tier_code,
                       'previous_tier', p_previous, 'next_tier', v_sub.next_tier_code,
                       'period_start', sb.iso_time(v_sub.current_period_start),
                       'period_end', sb.iso_time(v_sub.current_period_end)));
end
$$;
comment on function sb.tell_subscription is 'Appends subscription.changed with what a user''s newest subscription is now';

create function sb.apply_tier(p_user uuid, p_tier text, p_at timestamptz, p_key text) returns void
language plpgsql set search_path = '' as $$
declare
  v_balance public.credit_balances := sb.lock_account(p_user);
  v_tier public.subscription_tiers;
begin
  select * into strict v_tier from public.subscription_tiers where code = p_tier;
  -- Who leaves an unlimited tier starts from zero, not in debt.
  if v_tier.overdraft_limit_micro is not null and v_balance.overdraft_limit_micro is null and sb.available(v_balance) < 0 then
    perform sb.add_grant(p_user, 'adjust', 'tier:' || p_key, -sb.available(v_balance), 'tier:' || p_tier);
  end if;
  -- Debt that is deeper than the new floor stays; the floor cannot be drawn through it.
  update public.credit_balances b
  set overdraft_limit_micro = case when v_tier.overdraft_limit_micro is not null
                                   then greatest(v_tier.overdraft_limit_micro, -sb.available(b)) end,
      updated_at = clock_timestamp()
  where user_id = p_user;
  update public.user_subscriptions
  set tier_effective_from = case when tier_code = p_tier then tier_effective_from else p_at end,
      tier_code = p_tier, next_tier_code = null, updated_at = clock_timestamp()
  where user_id = p_user and status <> 'ended';
end
$$;
comment on function sb.apply_tier is
  'Moves a live subscription to a tier, with the account''s floor. Needs the lock of the account';

create function sb.renew_account(p_user uuid, p_at timestamptz,
                                 out renewed boolean, out period_start timestamptz, out granted bigint,
                                 out rolled bigint, out expired bigint, out skipped int)
language plpgsql set search_path = '' as $$
declare
  v_sub public.user_subscriptions;
  v_tier public.subscription_tiers;
  v_balance public.credit_balances;
  v_next record;
  v_left bigint;
begin
  renewed := false; granted := 0; rolled := 0; skipped := 0;
  select * into v_sub from public.user_subscriptions s where s.user_id = p_user and s.status <> 'ended';
  if not found or v_sub.current_period_end > p_at then
    expired := sb.expire_grants(p_user, p_at);
    if expired > 0 then
      perform sb.tell_low(p_user);
    end if;
    return;
  end if;

  v_next := sb.period_after(v_sub.anchor_at, v_sub.time_zone, v_sub.current_period_end, p_at);
  renewed := true;
  period_start := v_next.period_start;
  skipped := v_next.skipped;
  select * into strict v_tier from public.subscription_tiers where code = v_sub.tier_code;
  select * into strict v_balance from public.credit_balances b where b.user_id = p_user;
  select least(coalesce(sum(g.remaining_micro), 0), greatest(sb.available(v_balance), 0)) into v_left
  from public.credit_grants g
  where g.user_id = p_user and g.source in ('monthly', 'upgrade') and g.remaining_micro > 0 and g.expires_at <= p_at;
  -- What would have rolled into a period that was missed has expired with it.
  if skipped = 0 then
    rolled := least(v_tier.rollover_max_micro, greatest(v_tier.rollover_min_micro, v_left));
  end if;
  expired := sb.expire_grants(p_user, p_at);

  -- Also without a change: the tier's own numbers may have, and a floor that debt had lowered rises again.
  perform sb.apply_tier(p_user, coalesce(v_sub.next_tier_code, v_sub.tier_code), v_next.period_start,
                        sb.iso_time(v_next.period_start));
  select * into strict v_tier from public.subscription_tiers
  where code = coalesce(v_sub.next_tier_code, v_sub.tier_code);
  if rolled > 0 then
    perform sb.add_grant(p_user, 'rollover', sb.iso_time(v_next.period_start), rolled, 'period', 40,
                         v_next.period_end, v_next.period_start);
  end if;
  if v_tier.monthly_credits_micro > 0 then
    granted := v_tier.monthly_credits_micro;
    perform sb.add_grant(p_user, 'monthly', sb.iso_time(v_next.period_start), granted, 'period', 50,
                         v_next.period_end, v_next.period_start);
  end if;
  update public.user_subscriptions s
  set current_period_start = v_next.period_start, current_period_end = v_next.period_end, updated_at = clock_timestamp()
  where s.id = v_sub.id;
  perform sb.tell_subscription(
    p_user, case when v_sub.next_tier_code is null then 'renewed'
                 when v_tier.code = 'free' then 'cancelled' else 'downgraded' end, v_sub.tier_code);
  perform sb.tell_low(p_user);
end
$$;
comment on function sb.renew_account(uuid, timestamptz) is
  'Brings an account to a moment: expired grants, and where its period is over the new one with its grant and rollover. '
  'Also called before a reservation, so that nobody is refused because the monthly job is late. Needs the account''s lock';

create function sb.frozen_prices(p_as_of timestamptz) returns jsonb
language plpgsql stable set search_path = '' as $$
begin
  return (
    select coalesce(jsonb_agg(jsonb_object(array['pricing_id', id::text, 'operation', operation, 'price_micro', price_micro::text,
                                                 'per_quantity', per_quantity::text, 'unit', unit]) order by operation), '[]')
    from public.credit_pricing
    where valid_from <= p_as_of and (valid_to is null or valid_to > p_as_of));
end
$$;

create function sb.tier_limits(p_tier public.subscription_tiers) returns jsonb
language plpgsql immutable set search_path = '' as $$
begin
  return jsonb_build_object(
    'tier', p_tier.code, 'max_concurrent_runs', p_tier.max_concurrent_runs,
    'max_parallel_items', p_tier.max_parallel_items, 'sandbox_cpu_millis', p_tier.sandbox_cpu_millis,
    'sandbox_memory_mb', p_tier.sandbox_memory_mb, 'sandbox_disk_mb', p_tier.sandbox_disk_mb,
    'sandbox_seconds', p_tier.sandbox_seconds, 'retention_days', p_tier.retention_days,
    'requests_per_minute', p_tier.requests_per_minute);
end
$$;
comment on function sb.tier_limits(public.subscription_tiers) is
  'The limits that credits.reserved carries to the runner';

create function sb.decide(p_row public.credit_reservations, p_tier public.subscription_tiers, p_balance public.credit_balances)
returns public.credit_reservations
language plpgsql set search_path = '' as $$
declare
  v_room bigint := case when p_balance.overdraft_limit_micro is null then p_row.requested_micro
                        else greatest(sb.available(p_balance), 0) end;
  v_hold bigint := least(p_row.requested_micro, p_row.budget_micro, v_room);
begin
  p_row.seq := p_row.seq + 1;
  p_row.updated_at := clock_timestamp();
  if p_tier.code is null or v_hold <= 0 or v_hold < p_row.minimum_micro then
    p_row.state := 'denied';
    p_row.close_reason := 'insufficient';
    p_row.closed_at := p_row.updated_at;
  else
    p_row.state := 'active';
    p_row.held_micro := v_hold;
    p_row.expires_at := p_row.updated_at + p_row.ttl;
    p_row.heartbeat_at := p_row.updated_at;
  end if;
  return p_row;
end
$$;
comment on function sb.decide is
  'What becomes of a reservation: holds what it asked for or what there is, if that is its minimum, else it is denied. Writes '
  'nothing';

create function sb.enter_decision(p_row public.credit_reservations, p_tier public.subscription_tiers,
                                  p_balance public.credit_balances, p_prices jsonb) returns public.credit_balances
language plpgsql set search_path = '' as $$
declare
  v_data jsonb := jsonb_build_object('reservation_id', p_row.id, 'run_id', p_row.run_id);
  v_balance public.credit_balances;
begin
  if p_row.state = 'denied' then
    v_balance := sb.move_account(p_row.user_id, 'denied', 'insufficient', p_reservation => p_row.id, p_run => p_row.run_id);
    v_data := v_data || jsonb_build_object('reason', 'insufficient', 'required_micro', p_row.minimum_micro::text,
                                           'available_micro', sb.available(p_balance)::text);
  else
    v_balance := sb.move_account(p_row.user_id, 'reserve', 'run', p_hold => p_row.held_micro,
                                 p_reservation => p_row.id, p_run => p_row.run_id);
    v_data := v_data || jsonb_build_object('held_micro', p_row.held_micro::text,
      'available_micro', sb.shown_available(v_balance)::text, 'price_as_of', sb.iso_time(p_row.price_as_of),
      'expires_at', sb.iso_time(p_row.expires_at), 'ttl_seconds', greatest(1, extract(epoch from p_row.ttl)::int),
      'prices', p_prices, 'limits', sb.tier_limits(p_tier));
  end if;
  perform sb.append_credit_event('reservation', p_row.id, p_row.seq,
    case p_row.state when 'denied' then 'credits.denied' else 'credits.reserved' end, p_row.user_id, p_row.run_id, v_data);
  return v_balance;
end
$$;
comment on function sb.enter_decision is
  'Takes a decision over a reservation into the account and the ledger, and tells of it. Needs the lock of the account';

create function sb.promote_waiting(p_user uuid) returns void
language plpgsql set search_path = '' as $$
declare
  v_next public.credit_reservations;
  v_tier public.subscription_tiers;
  v_balance public.credit_balances;
  v_active int;
begin
  if not exists (select from public.credit_reservations where user_id = p_user and state = 'waiting') then
    return;
  end if;
  -- Whoever is next is admitted under the tier, and with the grants, of this moment.
  perform sb.renew_account(p_user, clock_timestamp());
  select t.* into v_tier
  from public.user_subscriptions s join public.subscription_tiers t on t.code = s.tier_code
  where s.user_id = p_user and s.status <> 'ended';
  loop
    select * into v_next from public.credit_reservations
    where user_id = p_user and state = 'waiting' order by purpose, created_at, id limit 1 for no key update;
    exit when not found;
    select count(*) into v_active from public.credit_reservations
    where user_id = p_user and state = 'active' and purpose = 'run' and expires_at > clock_timestamp();
    exit when v_next.purpose = 'run' and v_active >= v_tier.max_concurrent_runs;
    select * into strict v_balance from public.credit_balances where user_id = p_user;
    v_next := sb.decide(v_next, v_tier, v_balance);
    update public.credit_reservations
    set state = v_next.state, held_micro = v_next.held_micro, expires_at = v_next.expires_at, heartbeat_at = v_next.heartbeat_at,
        close_reason = v_next.close_reason, closed_at = v_next.closed_at, seq = v_next.seq, updated_at = v_next.updated_at
    where id = v_next.id;
    perform sb.enter_decision(v_next, v_tier, v_balance, sb.frozen_prices(v_next.price_as_of));
  end loop;
end
$$;
comment on function sb.promote_waiting(uuid) is
  'Admits waiting reservations in order while the tier has a slot. Needs the lock of the account';

create function sb.close_reservation(p_reservation public.credit_reservations, p_state text, p_reason text, p_key text)
returns public.credit_reservations
language plpgsql set search_path = '' as $$
declare
  v_row public.credit_reservations;
  v_balance public.credit_balances;
  v_unfunded bigint := 0;
  v_data jsonb;
begin
  if p_reservation.consumed_micro > 0 then
    v_unfunded := sb.burn_grants(p_reservation.user_id, p_reservation.consumed_micro);
  end if;
  v_balance := sb.move_account(
    p_reservation.user_id, case p_state when 'expired' then 'expire_hold' else 'release' end, p_reason,
    p_settled => p_reservation.consumed_micro, p_hold => -p_reservation.held_micro, p_debt => v_unfunded,
    p_reservation => p_reservation.id, p_run => p_reservation.run_id, p_key => p_key);
  update public.credit_reservations
  set state = p_state, released_micro = held_micro - consumed_micro, closed_at = clock_timestamp(), close_reason = p_reason,
      seq = seq + 1, updated_at = clock_timestamp()
  where id = p_reservation.id returning * into strict v_row;
  v_data := jsonb_build_object('reservation_id', v_row.id, 'run_id', v_row.run_id, 'consumed_micro', v_row.consumed_micro::text,
                               'released_micro', v_row.released_micro::text);
  if p_state <> 'expired' then
    v_data := v_data || jsonb_build_object('available_micro', sb.shown_available(v_balance)::text);
  end if;
  perform sb.append_credit_event('reservation', v_row.id, v_row.seq,
    case p_state when 'expired' then 'credits.expired' else 'credits.released' end, v_row.user_id, v_row.run_id, v_data);
  -- What the hold had pinned, and who waits for its place.
  if exists (select from public.credit_grants
             where user_id = v_row.user_id and remaining_micro > 0 and expires_at <= clock_timestamp())
     or exists (select from public.credit_reservations where user_id = v_row.user_id and state = 'waiting') then
    perform sb.expire_grants(v_row.user_id, clock_timestamp());
    perform sb.promote_waiting(v_row.user_id);
  end if;
  if sb.has_thresholds(v_balance) then
    perform sb.tell_low(v_row.user_id);
  end if;
  return v_row;
end
$$;
comment on function sb.close_reservation is
  'The one end of a reservation, which it returns: usage becomes debit and burns grants, the rest is free again, the next one is promoted. '
  'Needs the locks of account and reservation';

create function sb.expire_overdue(p_user uuid, p_overdue uuid[]) returns setof public.credit_reservations
language plpgsql set search_path = '' as $$
declare
  v_row public.credit_reservations;
begin
  for v_row in
    select * from public.credit_reservations where id = any (p_overdue) and user_id = p_user order by id
  loop
    perform sb.close_reservation(v_row, 'expired', 'expired', null);
    return next v_row;
  end loop;
end
$$;
comment on function sb.expire_overdue(uuid, uuid[]) is
  'Ends overdue holds of an account. Needs the locks of the account and of all of these holds: one that becomes overdue '
  'meanwhile is left for later, since to lock it now could be out of order';

-- ---------------------------------------------------------------------------------------------------------------
-- Usage. Lines are priced first, which needs no lock: the account, the reservation and its prices never change.

create type sb.usage_line as (
  ord bigint, reservation_id uuid, user_id uuid, run_id uuid, step_id uuid, key text, operation text, quantity bigint,
  pricing_id uuid, price_micro bigint, per_quantity bigint, cost bigint, request_hash bytea, transaction_id uuid,
  occurred_at timestamptz
);
create type sb.usage_room as (reservation_id uuid, room bigint, status text, debt bigint);
comment on type sb.usage_room is 'How much usage a reservation may be charged now, and where that comes from';

create function sb.price_at(p_operation text, p_as_of timestamptz) returns public.credit_pricing
language plpgsql stable set search_path = '' as $$
declare
  v_price public.credit_pricing;
begin
  select * into v_price from public.credit_pricing
  where operation in (p_operation, 'llm.default.' || substring(p_operation from '^llm\..+\.(input|output)$'))
    and valid_from <= p_as_of and (valid_to is null or valid_to > p_as_of)
  order by operation = p_operation desc limit 1;
  if not found then
    raise exception 'no price for operation %', p_operation using errcode = 'CR422';
  end if;
  return v_price;
end
$$;
comment on function sb.price_at(text, timestamptz) is
  'The price of an operation at a moment: from valid_from on, until just before valid_to';

create function sb.cost_of(p_quantity numeric, p_price_micro bigint, p_per_quantity bigint) returns bigint
language plpgsql immutable set search_path = '' as $$
begin
  if p_quantity is null or p_quantity in ('NaN', 'Infinity') or p_quantity < 0 or p_quantity <> trunc(p_quantity) then
    raise exception 'a quantity is a whole number, not %', p_quantity using errcode = '22023';
  end if;
  return ceil(p_quantity * p_price_micro / p_per_quantity);
end
$$;
comment on function sb.cost_of(numeric, bigint, bigint) is
  'Micro-credits, rounded up; 22003 where they do not fit 64 bits';

create function sb.priced_usage(p_items jsonb) returns sb.usage_line[]
language plpgsql set search_path = '' as $$
declare
  v_lines sb.usage_line[];
  v_missing uuid;
begin
  with item as (
    select i.*, r.id as reservation_id, r.user_id, r.price_as_of
    from rows from (jsonb_to_recordset(p_items) as (root_run_id uuid, run_id uuid, step_id uuid, key text,
                    operation text, quantity numeric, occurred_at timestamptz)) with ordinality
         as i (root_run_id, run_id, step_id, key, operation, quantity, occurred_at, ord)
    left join public.credit_reservations r on r.run_id = i.root_run_id
  ), price as materialized (
    select o.operation, o.price_as_of, p.id, p.price_micro, p.per_quantity
    from (select distinct operation, price_as_of from item where reservation_id is not null) o,
         lateral sb.price_at(o.operation, o.price_as_of) p
  )
  select array_agg(row(
           i.ord, i.reservation_id, i.user_id, i.run_id, i.step_id, i.key, i.operation, i.quantity, p.id, p.price_micro,
           p.per_quantity, sb.cost_of(i.quantity, p.price_micro, p.per_quantity),
           sb.credit_hash('consume', i.reservation_id::text, i.step_id::text, i.operation, trim_scale(i.quantity)::text),
           gen_random_uuid(), coalesce(i.occurred_at, clock_timestamp()))::sb.usage_line order by i.ord),
         (array_agg(i.root_run_id) filter (where i.reservation_id is null))[1]
  into v_lines, v_missing
  from item i left join price p on p.operation = i.operation and p.price_as_of = i.price_as_of;
  if v_missing is not null then
    raise exception 'no reservation of run %', v_missing using errcode = 'CR404';
  end if;
  return v_lines;
end
$$;
comment on function sb.priced_usage(jsonb) is
  'Usage at the prices of its reservations. The hash leaves occurred_at out: an event and the answer to a question '
  'about the same step may differ in it';

create function sb.account_bound(p_lines sb.usage_line[]) returns uuid[]
language plpgsql set search_path = '' as $$
begin
  return array(
    select r.id
    from (select l.reservation_id, sum(l.cost) as cost from unnest(p_lines) l group by l.reservation_id) u
    join public.credit_reservations r on r.id = u.reservation_id
    where r.state <> 'active' or r.expires_at <= clock_timestamp() or r.closing_event is not null
       or r.consumed_micro + u.cost > r.held_micro
    order by r.id);
end
$$;
comment on function sb.account_bound(sb.usage_line[]) is
  'Which reservations cannot take this usage alone, because the hold is short, over or about to be settled. In plpgsql, '
  'whose plans are kept: this is on the hot path';

create function sb.fund_usage(p_reservation uuid, p_lines sb.usage_line[]) returns sb.usage_room
language plpgsql set search_path = '' as $$
declare
  v_row public.credit_reservations;
  v_balance public.credit_balances;
  v_need bigint;
begin
  select * into strict v_row from public.credit_reservations where id = p_reservation;
  if v_row.state = 'active' and v_row.expires_at <= clock_timestamp() then
    perform sb.close_reservation(v_row, 'expired', 'expired', null);
    select * into strict v_row from public.credit_reservations where id = p_reservation;
  end if;
  select coalesce(sum(fresh.cost), 0) into v_need
  from (select distinct on (l.key) l.cost from unnest(p_lines) l
        where l.reservation_id = p_reservation
          and not exists (select from public.credit_idempotency i where i.user_id = l.user_id and i.key = l.key)
        order by l.key) fresh;
  select * into strict v_balance from public.credit_balances where user_id = v_row.user_id;
  if v_row.state = 'active' then
    return sb.extend_for_usage(v_row, v_balance, v_need - (v_row.held_micro - v_row.consumed_micro));
  end if;
  return sb.charge_late(v_row, v_balance, v_need);
end
$$;
comment on function sb.fund_usage is
  'Makes room for usage that a hold cannot take alone. Needs the locks of account and reservation';

create function sb.extend_for_usage(p_row public.credit_reservations, p_balance public.credit_balances, p_short bigint)
returns sb.usage_room
language plpgsql set search_path = '' as $$
declare
  v_left bigint := p_row.held_micro - p_row.consumed_micro;
  v_want bigint := greatest(0, least(p_short, p_row.budget_micro - p_row.held_micro));
  v_available bigint := sb.available(p_balance);
  v_extend bigint;
  v_debt bigint := 0;
  v_seq bigint;
begin
  if p_short <= 0 then
    return row(p_row.id, v_left, 'consumed', 0)::sb.usage_room;
  end if;
  v_extend := case when p_balance.overdraft_limit_micro is null then v_want else least(v_want, greatest(v_available, 0)) end;
  if p_balance.overdraft_limit_micro is not null then
    v_debt := least(v_want - v_extend, greatest(v_available - v_extend + p_balance.overdraft_limit_micro, 0));
  end if;
  if v_extend > 0 then
    p_balance := sb.move_account(p_row.user_id, 'extend', 'usage', p_hold => v_extend,
                                 p_reservation => p_row.id, p_run => p_row.run_id);
  end if;
  if v_debt > 0 then
    p_balance := sb.move_account(p_row.user_id, 'debt', 'usage', p_hold => v_debt,
                                 p_reservation => p_row.id, p_run => p_row.run_id);
  end if;
  update public.credit_reservations
  set held_micro = held_micro + v_extend + v_debt, seq = seq + 1, updated_at = clock_timestamp(),
      exhausted_at = case when v_extend < v_want then coalesce(exhausted_at, clock_timestamp()) end
  where id = p_row.id returning seq into strict v_seq;
  if v_extend < p_short then
    perform sb.append_credit_event('reservation', p_row.id, v_seq, 'credits.exhausted', p_row.user_id, p_row.run_id,
      jsonb_build_object('reservation_id', p_row.id, 'run_id', p_row.run_id,
                         'reason', case when v_extend < v_want then 'balance' else 'budget' end,
                         'debt_micro', greatest(0, -sb.available(p_balance))::text));
  end if;
  return row(p_row.id, v_left + v_extend + v_debt,
             case when v_extend < p_short then 'debt' else 'extended' end, v_debt)::sb.usage_room;
end
$$;
comment on function sb.extend_for_usage is
  'Extends a hold from what is available, else into debt down to the floor, never beyond the run''s budget';

create function sb.charge_late(p_row public.credit_reservations, p_balance public.credit_balances, p_need bigint)
returns sb.usage_room
language plpgsql set search_path = '' as $$
declare
  v_charge bigint := greatest(0, least(p_need, p_row.budget_micro - p_row.consumed_micro - p_row.late_micro,
                                       sb.available(p_balance) + p_balance.overdraft_limit_micro));
  v_unfunded bigint;
begin
  if v_charge > 0 then
    v_unfunded := sb.burn_grants(p_row.user_id, v_charge);
    perform sb.move_account(p_row.user_id, 'late', 'usage', p_settled => v_charge, p_debt => v_unfunded,
                            p_reservation => p_row.id, p_run => p_row.run_id);
  end if;
  return row(p_row.id, v_charge, 'late', case
    when p_balance.overdraft_limit_micro is null then 0
    else v_charge - least(v_charge, greatest(sb.available(p_balance), 0)) end)::sb.usage_room;
end
$$;
comment on function sb.charge_late is
  'Charges usage whose hold has ended to the account; the entries of the usage carry the amount';

create function sb.record_usage(p_lines sb.usage_line[], p_rooms sb.usage_room[]) returns bigint
language plpgsql set search_path = '' as $$
declare
  v_fresh bigint;
begin
  with fresh as (
    insert into public.credit_idempotency
      (user_id, key, action, request_hash, outcome, reservation_id, transaction_id, amount_micro)
    select l.user_id, l.key, 'consume', l.request_hash, 'recorded', l.reservation_id, l.transaction_id, l.cost
    from unnest(p_lines) l order by l.user_id, l.key
    on conflict (user_id, key) do nothing
    returning transaction_id
  ), line as (
    select l.*, w.room, w.status = 'late' as late,
           row_number() over (partition by l.reservation_id order by l.ord) as nth,
           sum(l.cost) over (partition by l.reservation_id order by l.ord) - l.cost as before
    from unnest(p_lines) l
    join fresh f on f.transaction_id = l.transaction_id
    join unnest(p_rooms) w on w.reservation_id = l.reservation_id
  ), charged as (
    select *, least(cost, greatest(room - before, 0))::bigint as charge from line
  ), total as (
    select reservation_id, late, count(*) as lines, sum(charge)::bigint as charge, sum(cost)::bigint as cost
    from charged group by reservation_id, late
  ), moved as (
    update public.credit_reservations r
    set consumed_micro = r.consumed_micro + case when t.late then 0 else t.charge end,
        late_micro = r.late_micro + case when t.late then t.charge else 0 end,
        written_off_micro = r.written_off_micro + t.cost - t.charge,
        seq = r.seq + t.lines, updated_at = clock_timestamp()
    from total t where r.id = t.reservation_id
    returning r.id, r.user_id, r.run_id, r.seq - t.lines as seq_before, r.held_micro,
              r.consumed_micro + r.late_micro as consumed
  ), entry as (
    insert into public.credit_transactions (id, user_id, reservation_seq, kind, amount_micro, hold_left_micro,
      reservation_id, run_id, step_id, operation, quantity, pricing_id, price_micro, per_quantity, cost_micro,
      idempotency_key, cause, occurred_at)
    select c.transaction_id, c.user_id, m.seq_before + c.nth, 'consume', -c.charge,
           case when not c.late then (greatest(c.room - c.before, 0) - c.charge)::bigint end, c.reservation_id, c.run_id, c.step_id,
           c.operation, c.quantity, c.pricing_id, c.price_micro, c.per_quantity, c.cost, c.key,
           case when c.late then 'late' else 'step' end, c.occurred_at
    from charged c join moved m on m.id = c.reservation_id order by c.ord
  ), event as (
    insert into public.event_outbox (source, aggregate_type, aggregate_id, aggregate_seq, type, user_id, root_id, data)
    select 'credits', 'reservation', m.id, m.seq_before + max(c.nth), 'credits.consumed', m.user_id, m.run_id,
           jsonb_build_object('reservation_id', m.id, 'run_id', m.run_id, 'consumed_micro', m.consumed::text,
             'held_micro', m.held_micro::text, 'lines', jsonb_agg(jsonb_build_object(
               'step_id', c.step_id, 'operation', c.operation, 'quantity', c.quantity::text, 'cost_micro', c.cost::text)
               order by c.nth))
    from charged c join moved m on m.id = c.reservation_id
    -- An event carries at most 64 KiB: 200 lines stay below that with the longest names.
    group by m.id, m.user_id, m.run_id, m.consumed, m.held_micro, m.seq_before, (c.nth - 1) / 200
  )
  select count(*) into v_fresh from fresh;
  return v_fresh;
end
$$;
comment on function sb.record_usage is
  'The hot path: keys, entries, one update and one event per reservation, in one statement. What a room does not cover '
  'is recorded as cost and not charged';

create function sb.settle_if_complete(p_reservation uuid) returns boolean
language plpgsql set search_path = '' as $$
declare
  v_row public.credit_reservations;
  v_complete boolean;
begin
  select * into strict v_row from public.credit_reservations where id = p_reservation;
  if v_row.state <> 'active' or v_row.closing_event is null then
    return false;
  end if;
  if v_row.closing_step_ids is not null then
    v_complete := not exists (
      select from unnest(v_row.closing_step_ids) as named(id)
      where not exists (select from public.credit_transactions t
                        where t.reservation_id = v_row.id and t.step_id = named.id and t.kind = 'consume'
                          and t.created_at >= v_row.created_at));
  else
    v_complete := v_row.closing_billable_steps <= (
      select count(distinct t.step_id) from public.credit_transactions t
      where t.reservation_id = v_row.id and t.kind = 'consume' and t.run_id = v_row.run_id
        and t.created_at >= v_row.created_at);
  end if;
  if v_complete then
    perform sb.close_reservation(v_row, 'settled', v_row.closing_event, null);
  end if;
  return v_complete;
end
$$;
comment on function sb.settle_if_complete(uuid) is
  'Settles a run that has ended once all the steps it named are recorded. Needs the locks of account and reservation';

create function sb.settle_lines(p_lines sb.usage_line[], p_bound uuid[]) returns sb.usage_room[]
language plpgsql set search_path = '' as $$
declare
  v_rooms sb.usage_room[];
  v_reservation uuid;
  v_key text;
begin
  if cardinality(p_bound) > 0 then
    perform from public.credit_balances
    where user_id in (select l.user_id from unnest(p_lines) l where l.reservation_id = any (p_bound))
    order by user_id for no key update;
  end if;
  perform from public.credit_reservations
  where id in (select l.reservation_id from unnest(p_lines) l) order by id for no key update;
  if exists (select from unnest(sb.account_bound(p_lines)) as bound(id) where bound.id <> all (p_bound)) then
    raise exception 'a reservation needs its account after all' using errcode = 'CR001';
  end if;

  select array_agg(row(r.id, r.held_micro - r.consumed_micro, 'consumed', 0)::sb.usage_room) into v_rooms
  from public.credit_reservations r
  where r.id in (select l.reservation_id from unnest(p_lines) l) and r.id <> all (p_bound);
  foreach v_reservation in array p_bound loop
    v_rooms := v_rooms || sb.fund_usage(v_reservation, p_lines);
  end loop;

  if sb.record_usage(p_lines, v_rooms) < cardinality(p_lines) then
    select l.key into v_key
    from unnest(p_lines) l join public.credit_idempotency i on i.user_id = l.user_id and i.key = l.key
    where i.request_hash <> l.request_hash limit 1;
    if found then
      raise exception 'key % was used for another request', v_key using errcode = 'CR409';
    end if;
  end if;
  foreach v_reservation in array p_bound loop
    perform sb.settle_if_complete(v_reservation);
  end loop;
  return v_rooms;
end
$$;
comment on function sb.settle_lines is
  'Records usage with the accounts of the bound reservations locked; CR001 when another one turns out to need its account';

create function sb.consume_alone(
  p_reservation uuid, p_run uuid, p_step uuid, p_key text, p_operation text, p_quantity numeric, p_hash bytea,
  p_transaction uuid, p_occurred_at timestamptz, out cost bigint, out held_left bigint
)
language plpgsql set search_path = '' as $$
#variable_conflict use_column
declare
  v_user uuid;
  v_root uuid;
  v_seq bigint;
  v_held bigint;
  v_used bigint;
  v_pricing uuid;
  v_price bigint;
  v_per bigint;
begin
  -- Whoever waits here for another looks again, at the clock too, at what the other has left.
  update public.credit_reservations r
  set consumed_micro = consumed_micro + sb.cost_of(p_quantity, p.price_micro, p.per_quantity),
      seq = seq + 1, updated_at = clock_timestamp()
  from public.credit_pricing p
  where r.id = p_reservation and state = 'active' and expires_at > clock_timestamp() and closing_event is null
    and p.operation = p_operation and p.valid_from <= r.price_as_of and (p.valid_to is null or p.valid_to > r.price_as_of)
    and consumed_micro + sb.cost_of(p_quantity, p.price_micro, p.per_quantity) <= held_micro
  returning r.user_id, run_id, seq, held_micro, consumed_micro + late_micro, held_micro - consumed_micro,
            p.id, p.price_micro, p.per_quantity, sb.cost_of(p_quantity, p.price_micro, p.per_quantity)
  into v_user, v_root, v_seq, v_held, v_used, held_left, v_pricing, v_price, v_per, cost;
  if not found then
    raise exception 'the hold cannot take it alone' using errcode = 'CR001';
  end if;
  -- After the hold, as record_usage does: the other way round two deliveries of a line could wait for each other.
  insert into public.credit_idempotency
    (user_id, key, action, request_hash, outcome, reservation_id, transaction_id, amount_micro)
  values (v_user, p_key, 'consume', p_hash, 'recorded', p_reservation, p_transaction, cost)
  on conflict (user_id, key) do nothing;
  if not found then
    raise exception 'the key is not new' using errcode = 'CR001';
  end if;
  insert into public.credit_transactions (id, user_id, reservation_seq, kind, amount_micro, hold_left_micro,
    reservation_id, run_id, step_id, operation, quantity, pricing_id, price_micro, per_quantity, cost_micro,
    idempotency_key, cause, occurred_at)
  values (p_transaction, v_user, v_seq, 'consume', -cost, held_left, p_reservation, coalesce(p_run, v_root), p_step, p_operation,
    p_quantity, v_pricing, v_price, v_per, cost, p_key, 'step', coalesce(p_occurred_at, clock_timestamp()));
  insert into public.event_outbox (source, aggregate_type, aggregate_id, aggregate_seq, type, user_id, root_id, data)
  values ('credits', 'reservation', p_reservation, v_seq, 'credits.consumed', v_user, v_root,
    jsonb_build_object('reservation_id', p_reservation, 'run_id', v_root, 'consumed_micro', v_used::text,
      'held_micro', v_held::text, 'lines', jsonb_build_array(jsonb_build_object('step_id', p_step, 'operation', p_operation,
        'quantity', p_quantity::bigint::text, 'cost_micro', cost::text))));
exception when sqlstate 'CR001' then
  -- The rollback of this block has freed the reservation and the key.
  cost := null;
end
$$;
comment on function sb.consume_alone is
  'One new line within its hold, as record_usage does it, in plain statements: a quarter of the work. Null where it takes more '
  'than that or the operation has no price of its own, and nothing has happened. Without p_run it is of the root run';

create function sb.consume_lines(p_lines sb.usage_line[]) returns sb.usage_room[]
language plpgsql set search_path = '' as $$
declare
  v_line sb.usage_line := p_lines[1];
  v_alone record;
  v_bound uuid[];
begin
  if cardinality(p_lines) = 1 then
    v_alone := sb.consume_alone(v_line.reservation_id, v_line.run_id, v_line.step_id, v_line.key, v_line.operation, v_line.quantity,
                                v_line.request_hash, v_line.transaction_id, v_line.occurred_at);
    if v_alone.cost is not null then
      return array[row(v_line.reservation_id, v_alone.held_left, 'consumed', 0)::sb.usage_room];
    end if;
  end if;
  v_bound := sb.account_bound(p_lines);
  begin
    return sb.settle_lines(p_lines, v_bound);
  exception when sqlstate 'CR001' then
    -- The rollback of this block has freed the reservations, so the accounts can be locked first.
    select array_agg(distinct l.reservation_id order by l.reservation_id) into v_bound from unnest(p_lines) l;
  end;
  return sb.settle_lines(p_lines, v_bound);
end
$$;
comment on function sb.consume_lines is
  'Chooses the path without locks and starts again with all of them when the locked rows disagree';

-- ---------------------------------------------------------------------------------------------------------------
-- What the credits service calls.

create function public.check_credits(p_user uuid, p_operation text, p_quantity numeric)
returns table (allowed boolean, reason text, cost bigint, available bigint, unlimited boolean,
               active_runs int, max_runs int, pricing_id uuid)
language plpgsql security definer set search_path = '' as $$
#variable_conflict use_column
declare
  v_now timestamptz := clock_timestamp();
  v_price public.credit_pricing := sb.price_at(p_operation, v_now);
  v_balance public.credit_balances;
  v_tier public.subscription_tiers;
  v_cost bigint := sb.cost_of(p_quantity, v_price.price_micro, v_price.per_quantity);
  v_available bigint;
  v_active int;
  v_reason text;
begin
  select * into v_balance from public.credit_balances where user_id = p_user;
  if not found then
    raise exception 'no account %', p_user using errcode = 'CR404';
  end if;
  select t.* into v_tier from public.user_subscriptions s join public.subscription_tiers t on t.code = s.tier_code
  where s.user_id = p_user and s.status <> 'ended';
  -- What the sweepers have not tidied yet counts as tidied.
  select sb.available(v_balance) + coalesce(sum(r.held_micro - r.consumed_micro) filter (where r.expires_at <= v_now), 0),
         count(*) filter (where r.expires_at > v_now and r.purpose = 'run') into v_available, v_active
  from public.credit_reservations r where r.user_id = p_user and r.state = 'active';
  v_available := v_available - least(greatest(v_available, 0), (
    select coalesce(sum(g.remaining_micro), 0) from public.credit_grants g
    where g.user_id = p_user and g.remaining_micro > 0 and g.expires_at <= v_now));
  v_reason := case
    when v_tier.code is null or (v_balance.overdraft_limit_micro is not null and v_available < v_cost) then 'insufficient'
    when v_active >= v_tier.max_concurrent_runs then 'concurrency_limit' else 'ok' end;
  return query select v_reason = 'ok', v_reason, v_cost,
    case when v_balance.overdraft_limit_micro is not null then v_available end,
    v_balance.overdraft_limit_micro is null, v_active, v_tier.max_concurrent_runs, v_price.id;
end
$$;
comment on function public.check_credits is
  'Whether an account could pay for an operation now. Advice without a lock: only a reservation holds';

create function sb.scene_of(p_user uuid, p_run uuid, out reserved boolean, out tidy boolean, out has_slot boolean,
                            out tier public.subscription_tiers)
language plpgsql set search_path = '' as $$
declare
  v_now timestamptz := clock_timestamp();
  v_tier text;
  v_end timestamptz;
begin
  reserved := exists (select from public.credit_reservations where run_id = p_run);
  select tier_code, current_period_end into v_tier, v_end
  from public.user_subscriptions where user_id = p_user and status <> 'ended';
  tidy := coalesce(v_end > v_now, false)
    and not exists (select from public.credit_reservations where user_id = p_user and state = 'waiting')
    and not exists (select from public.credit_reservations where user_id = p_user and state = 'active' and expires_at <= v_now)
    and not exists (select from public.credit_grants where user_id = p_user and remaining_micro > 0 and expires_at <= v_now);
  has_slot := true;
  if tidy then
    select * into strict tier from public.subscription_tiers where code = v_tier;
    if tier.max_concurrent_runs is not null then
      has_slot := tier.max_concurrent_runs > (
        select count(*) from public.credit_reservations where user_id = p_user and state = 'active' and purpose = 'run');
    end if;
  end if;
end
$$;
comment on function sb.scene_of is
  'What a reservation meets. Tidy: the period runs, nobody waits, and neither a hold nor a grant has expired unswept, so that it '
  'can be decided over at once, as sb.promote_waiting() would. Needs the lock of the account';

create function public.reserve_credits(p_user uuid, p_run uuid, p_amount bigint, p_key text, p_ttl interval,
                                       p_minimum bigint default null, p_budget bigint default null,
                                       p_purpose text default 'run')
returns table (status text, reservation_id uuid, held bigint, available bigint, expires_at timestamptz, price_as_of timestamptz)
language plpgsql security definer set search_path = '' as $$
#variable_conflict use_column
declare
  v_hash bytea := sb.credit_hash('reserve', p_run::text, p_amount::text, p_minimum::text, p_budget::text, p_purpose);
  v_row public.credit_reservations;
  v_prices jsonb;
  v_balance public.credit_balances;
  v_seen public.credit_idempotency;
  v_scene record;
begin
  if p_run is null or p_amount is null or p_amount <= 0 or p_minimum < 0 or p_ttl is null or p_ttl <= interval '0' then
    raise exception 'a reservation needs a run, a positive amount and a time to live' using errcode = '22023';
  end if;
  -- What can be known without the lock is not found out under it.
  v_row.price_as_of := clock_timestamp();
  v_prices := sb.frozen_prices(v_row.price_as_of);
  v_balance := sb.lock_account(p_user);
  v_seen := sb.seen_credit_request(p_user, p_key, v_hash);
  if v_seen.key is not null then
    select * into strict v_row from public.credit_reservations where id = v_seen.reservation_id;
  else
    v_scene := sb.scene_of(p_user, p_run);
    if v_scene.reserved then
      raise exception 'run % was reserved under another key', p_run using errcode = 'CR409';
    end if;
    v_row.id := gen_random_uuid();
    v_row.user_id := p_user;
    v_row.run_id := p_run;
    v_row.purpose := p_purpose;
    v_row.state := 'waiting';
    v_row.requested_micro := p_amount;
    v_row.minimum_micro := greatest(0, least(p_amount, coalesce(p_minimum, p_amount), p_budget));
    v_row.budget_micro := p_budget;
    v_row.held_micro := 0;
    v_row.ttl := p_ttl;
    v_row.seq := 0;
    if v_scene.tidy and (p_purpose <> 'run' or v_scene.has_slot) then
      v_row := sb.decide(v_row, v_scene.tier, v_balance);
    elsif not v_scene.tidy then
      perform sb.expire_overdue(p_user, array(select r.id from public.credit_reservations r
        where r.user_id = p_user and r.state = 'active' and r.expires_at <= clock_timestamp()
        order by r.id for no key update));
    end if;
    insert into public.credit_reservations
      (id, user_id, run_id, purpose, state, requested_micro, minimum_micro, budget_micro, held_micro, price_as_of, ttl, expires_at,
       heartbeat_at, seq, closed_at, close_reason)
    values (v_row.id, v_row.user_id, v_row.run_id, v_row.purpose, v_row.state, v_row.requested_micro, v_row.minimum_micro,
            v_row.budget_micro, v_row.held_micro, v_row.price_as_of, v_row.ttl, v_row.expires_at, v_row.heartbeat_at, v_row.seq,
            v_row.closed_at, v_row.close_reason);
    if v_row.state <> 'waiting' then
      v_balance := sb.enter_decision(v_row, v_scene.tier, v_balance, v_prices);
    elsif not v_scene.tidy then
      perform sb.promote_waiting(p_user);
      select * into strict v_row from public.credit_reservations where id = v_row.id;
      select * into strict v_balance from public.credit_balances where user_id = p_user;
    end if;
    insert into public.credit_idempotency (user_id, key, action, request_hash, outcome, reservation_id, amount_micro)
    values (p_user, p_key, 'reserve', v_hash, v_row.state, v_row.id, v_row.held_micro);
  end if;
  status := case when v_row.state = 'denied' then 'insufficient' when v_row.state = 'waiting' then 'concurrency_limit'
                 when v_seen.key is not null then 'replayed' else 'reserved' end;
  reservation_id := v_row.id;
  held := v_row.held_micro;
  available := sb.shown_available(v_balance);
  expires_at := v_row.expires_at;
  price_as_of := v_row.price_as_of;
  return next;
end
$$;
comment on function public.reserve_credits is
  'Holds credits for a run and everything below it: p_amount, less where there is less, but never less than p_minimum '
  '(default: all of p_amount) nor more than p_budget. status: reserved, replayed, insufficient (stored: stays so for this '
  'key), concurrency_limit (waits in order, holds nothing)';

create function public.extend_reservation(p_reservation uuid, p_amount bigint, p_key text)
returns table (status text, held bigint, available bigint)
language plpgsql security definer set search_path = '' as $$
#variable_conflict use_column
declare
  v_row public.credit_reservations;
  v_balance public.credit_balances;
  v_hash bytea := sb.credit_hash('extend', p_reservation::text, p_amount::text);
  v_seen public.credit_idempotency;
  v_status text;
begin
  if p_amount is null or p_amount <= 0 then
    raise exception 'an extension is a positive amount' using errcode = '22023';
  end if;
  v_row := sb.lock_reservation(p_reservation);
  v_seen := sb.seen_credit_request(v_row.user_id, p_key, v_hash);
  if v_seen.key is not null then
    v_status := case v_seen.outcome when 'extended' then 'replayed' else v_seen.outcome end;
  else
    perform sb.renew_account(v_row.user_id, clock_timestamp());
    select * into strict v_balance from public.credit_balances where user_id = v_row.user_id;
    v_status := case
      when v_row.state <> 'active' or v_row.expires_at <= clock_timestamp() then 'closed'
      when v_row.budget_micro - v_row.held_micro < p_amount then 'insufficient'
      when v_balance.overdraft_limit_micro is not null and sb.available(v_balance) < p_amount then 'insufficient'
      else 'extended' end;
    if v_status = 'extended' then
      perform sb.move_account(v_row.user_id, 'extend', 'request', p_hold => p_amount, p_reservation => v_row.id,
                              p_run => v_row.run_id, p_key => p_key);
      update public.credit_reservations
      set held_micro = held_micro + p_amount, exhausted_at = null, seq = seq + 1, updated_at = clock_timestamp()
      where id = v_row.id;
      insert into public.credit_idempotency (user_id, key, action, request_hash, outcome, reservation_id, amount_micro)
      values (v_row.user_id, p_key, 'extend', v_hash, v_status, v_row.id, p_amount);
    elsif v_status = 'insufficient' then
      perform sb.move_account(v_row.user_id, 'denied', 'extend', p_reservation => v_row.id, p_run => v_row.run_id,
                              p_key => p_key);
    end if;
  end if;
  return query select v_status, r.held_micro, sb.shown_available(b)
  from public.credit_reservations r join public.credit_balances b on b.user_id = r.user_id where r.id = p_reservation;
end
$$;
comment on function public.extend_reservation is
  'Raises a hold by the whole amount or not at all. status: extended, replayed, insufficient, closed. A refusal is an entry '
  'of the ledger but does not take the key: nothing was held, and the same question after a top-up may be answered otherwise';

create function public.heartbeat_reservations(p_reservations uuid[]) returns table (reservation_id uuid, alive boolean)
language sql security definer set search_path = '' as $$
  with locked as (
    select id from public.credit_reservations
    where id = any (p_reservations) and state = 'active' order by id for no key update
  ), renewed as (
    update public.credit_reservations r
    set expires_at = clock_timestamp() + r.ttl, heartbeat_at = clock_timestamp(), updated_at = clock_timestamp()
    from locked
    where r.id = locked.id and r.state = 'active' and r.expires_at > clock_timestamp()
    returning r.id
  )
  select asked.id, renewed.id is not null or coalesce(r.state = 'waiting', false)
  from (select distinct id from unnest(p_reservations) as given(id)) asked
  left join renewed on renewed.id = asked.id
  left join public.credit_reservations r on r.id = asked.id;
$$;
comment on function public.heartbeat_reservations is
  'Renews live holds by their time to live; one that is over stays over, also before the sweep. A waiting one is alive';

create function public.consume_credits(p_reservation uuid, p_key text, p_operation text, p_quantity numeric, p_step uuid,
                                       p_occurred_at timestamptz)
returns table (status text, transaction_id uuid, cost bigint, held_left bigint, debt bigint)
language plpgsql security definer set search_path = '' as $$
#variable_conflict use_column
declare
  v_id uuid := gen_random_uuid();
  v_hash bytea;
  v_alone record;
  v_row public.credit_reservations;
  v_price public.credit_pricing;
  v_room sb.usage_room;
  v_seen public.credit_idempotency;
begin
  -- What else is no quantity cost_of refuses.
  if p_quantity <= 0 or p_step is null or p_key is null or length(p_key) not between 1 and 200 then
    raise exception 'usage has a key, a step and a positive quantity' using errcode = '22023';
  end if;
  -- As priced_usage makes it.
  v_hash := sb.credit_hash('consume', p_reservation::text, p_step::text, p_operation, trim_scale(p_quantity)::text);
  v_alone := sb.consume_alone(p_reservation, null, p_step, p_key, p_operation, p_quantity, v_hash, v_id, p_occurred_at);
  if v_alone.cost is not null then
    status := 'consumed';
    transaction_id := v_id;
    cost := v_alone.cost;
    held_left := v_alone.held_left;
    debt := 0;
    return next;
    return;
  end if;

  select * into v_row from public.credit_reservations where id = p_reservation;
  if not found then
    raise exception 'no reservation %', p_reservation using errcode = 'CR404';
  end if;
  v_price := sb.price_at(p_operation, v_row.price_as_of);
  v_room := (sb.consume_lines(array[row(1, v_row.id, v_row.user_id, v_row.run_id, p_step, p_key, p_operation, p_quantity,
    v_price.id, v_price.price_micro, v_price.per_quantity, sb.cost_of(p_quantity, v_price.price_micro, v_price.per_quantity),
    v_hash, v_id, coalesce(p_occurred_at, clock_timestamp()))::sb.usage_line]))[1];
  select * into strict v_seen from public.credit_idempotency where user_id = v_row.user_id and key = p_key;
  return query select
    case when v_seen.transaction_id <> v_id then 'replayed' else v_room.status end,
    v_seen.transaction_id, v_seen.amount_micro, r.held_micro - r.consumed_micro - r.released_micro,
    case when v_seen.transaction_id <> v_id then 0 else v_room.debt end
  from public.credit_reservations r where r.id = p_reservation;
end
$$;
comment on function public.consume_credits is
  'Records usage of one operation, always: from the hold, else from what is available (extended), else as debt. status: '
  'consumed, replayed, extended, debt (the run must stop spending), late (the hold had ended; charged to the account)';

create function public.consume_usage(p_items jsonb) returns table (reservation_id uuid, status text, debt bigint)
language plpgsql security definer set search_path = '' as $$
declare
  v_lines sb.usage_line[] := sb.priced_usage(p_items);
begin
  if v_lines is not null then
    return query select r.reservation_id, r.status, r.debt from unnest(sb.consume_lines(v_lines)) r;
  end if;
end
$$;
comment on function public.consume_usage is
  'consume_credits for many lines of many runs in few statements. Items: root_run_id, run_id, step_id, key, operation, '
  'quantity (zero is recorded), occurred_at. All or nothing';

create function public.record_closing(p_run uuid, p_event text, p_billable_steps int, p_step_ids uuid[])
returns table (status text, reservation_id uuid)
language plpgsql security definer set search_path = '' as $$
declare
  v_id uuid;
  v_row public.credit_reservations;
begin
  select id into v_id from public.credit_reservations where run_id = p_run;
  if not found then
    raise exception 'no reservation of run %', p_run using errcode = 'CR404';
  end if;
  v_row := sb.lock_reservation(v_id);
  if v_row.state = 'waiting' then
    perform sb.close_reservation(v_row, 'settled', p_event, null);
    return query select 'settled', v_id;
    return;
  end if;
  if v_row.state = 'active' and v_row.expires_at <= clock_timestamp() then
    perform sb.close_reservation(v_row, 'expired', 'expired', null);
    return query select 'closed', v_id;
    return;
  end if;
  if v_row.state <> 'active' then
    return query select 'closed', v_id;
    return;
  end if;
  update public.credit_reservations
  set closing_event = coalesce(closing_event, p_event),
      closing_billable_steps = coalesce(closing_billable_steps, p_billable_steps),
      closing_step_ids = case when closing_event is null then p_step_ids else closing_step_ids end,
      closing_at = coalesce(closing_at, clock_timestamp()), updated_at = clock_timestamp()
  where id = v_id;
  return query select case when sb.settle_if_complete(v_id) then 'settled' else 'incomplete' end, v_id;
end
$$;
comment on function public.record_closing is
  'Takes note that a run has ended and settles it when its billable steps are recorded; else the last of them settles it. '
  'status: settled, incomplete, closed (there was no live hold)';

create function public.claim_incomplete_closings(p_older interval, p_limit int)
returns table (reservation_id uuid, run_id uuid, user_id uuid)
language sql security definer set search_path = '' as $$
  update public.credit_reservations r set closing_asked_at = clock_timestamp()
  from (
    select id from public.credit_reservations
    where state = 'active' and purpose = 'run' and closing_event is not null and closing_at <= clock_timestamp() - p_older
      and (closing_asked_at is null or closing_asked_at <= clock_timestamp() - p_older)
    order by closing_at limit p_limit for no key update skip locked
  ) due
  where r.id = due.id
  returning r.id, r.run_id, r.user_id;
$$;
comment on function public.claim_incomplete_closings is
  'Ended runs whose steps are not all recorded after this while, each to one asker at a time';

create function public.release_credits(p_reservation uuid, p_key text, p_reason text)
returns table (status text, consumed bigint, released bigint, available bigint)
language plpgsql security definer set search_path = '' as $$
#variable_conflict use_column
declare
  v_hash bytea := sb.credit_hash('release', p_reservation::text);
  v_row public.credit_reservations := sb.lock_reservation(p_reservation);
  v_balance public.credit_balances;
  v_seen public.credit_idempotency;
begin
  v_seen := sb.seen_credit_request(v_row.user_id, p_key, v_hash);
  status := case
    when v_seen.outcome = 'settled' then 'replayed'
    when v_seen.key is not null then v_seen.outcome
    when v_row.state = 'active' and v_row.expires_at <= clock_timestamp() or v_row.state = 'expired' then 'already_expired'
    when v_row.state in ('active', 'waiting') then 'settled'
    when v_row.state = 'settled' then 'replayed'
    else 'denied' end;
  -- A key that was seen has ended it.
  if v_row.state in ('active', 'waiting') then
    v_row := sb.close_reservation(v_row, case status when 'settled' then 'settled' else 'expired' end,
                                  case status when 'settled' then coalesce(p_reason, 'released') else 'expired' end, p_key);
  end if;
  if v_seen.key is null then
    insert into public.credit_idempotency (user_id, key, action, request_hash, outcome, reservation_id, amount_micro)
    values (v_row.user_id, p_key, 'release', v_hash, status, v_row.id, v_row.released_micro);
  end if;
  select * into strict v_balance from public.credit_balances where user_id = v_row.user_id;
  consumed := v_row.consumed_micro;
  released := v_row.released_micro;
  available := sb.shown_available(v_balance);
  return next;
end
$$;
comment on function public.release_credits is
  'Ends a hold: what was used is debited, the rest is free, and the next waiting run is admitted. '
  'status: settled, replayed, already_expired, denied';

create function public.expire_reservations(p_limit int) returns table (reservation_id uuid, user_id uuid)
language plpgsql security definer set search_path = '' as $$
#variable_conflict use_column
declare
  v_users uuid[];
  v_user uuid;
  v_overdue uuid[];
begin
  v_users := array(
    select b.user_id from public.credit_balances b
    where b.user_id in (select o.user_id from (
      select r.user_id from public.credit_reservations r
      where r.state = 'active' and r.expires_at <= clock_timestamp() order by r.expires_at limit p_limit) o)
    order by b.user_id for no key update skip locked);
  v_overdue := array(
    select r.id from public.credit_reservations r
    where r.user_id = any (v_users) and r.state = 'active' and r.expires_at <= clock_timestamp()
    order by r.id for no key update);
  foreach v_user in array v_users loop
    return query select e.id, e.user_id from sb.expire_overdue(v_user, v_overdue) e;
  end loop;
end
$$;
comment on function public.expire_reservations is 'Sweeps overdue holds; several sweepers do not wait for each other';

create function public.grant_monthly_credits(p_as_of timestamptz, p_limit int)
returns table (user_id uuid, period_start timestamptz, granted bigint, rolled bigint, expired bigint, skipped int)
language plpgsql security definer set search_path = '' as $$
#variable_conflict use_column
declare
  v_user uuid;
begin
  perform public.apply_tier_versions();
  for v_user in
    select b.user_id from public.credit_balances b
    where b.user_id in (select s.user_id from public.user_subscriptions s
                        where s.status <> 'ended' and s.current_period_end <= p_as_of
                        order by s.current_period_end limit p_limit)
    order by b.user_id for no key update skip locked
  loop
    return query select v_user, r.period_start, r.granted, r.rolled, r.expired, r.skipped
                 from sb.renew_account(v_user, p_as_of) r where r.renewed;
  end loop;
end
$$;
comment on function public.grant_monthly_credits is
  'Begins the new period of accounts whose old one is over: expiry, rollover, grant. Missed periods are skipped, and '
  'counted; a repeat finds nothing to do. Returns fewer than p_limit rows when another worker is at it';

create function public.adjust_credits(p_user uuid, p_kind text, p_amount bigint, p_key text, p_reason text,
                                      p_reverses uuid default null)
returns table (status text, transaction_id uuid, available bigint)
language plpgsql security definer set search_path = '' as $$
#variable_conflict use_column
declare
  v_balance public.credit_balances;
  v_hash bytea := sb.credit_hash('adjust', p_kind, p_amount::text, p_reverses::text);
  v_seen public.credit_idempotency;
  v_left bigint;
  v_id uuid := gen_random_uuid();
  v_status text := 'adjusted';
begin
  if p_amount is null or p_amount = 0 or p_kind is null or p_kind not in ('adjust', 'refund') or p_reason is null
     or (p_kind = 'refund') <> (p_reverses is not null) or (p_kind = 'refund' and p_amount < 0) then
    raise exception 'an adjustment is not zero; a refund is positive and names what it reverses' using errcode = '22023';
  end if;
  v_balance := sb.lock_account(p_user);
  v_seen := sb.seen_credit_request(p_user, p_key, v_hash);
  if v_seen.key is not null then
    return query select case v_seen.outcome when 'adjusted' then 'replayed' else v_seen.outcome end,
                        v_seen.transaction_id, sb.shown_available(v_balance);
    return;
  end if;
  if p_kind = 'refund' then
    select -t.amount_micro - coalesce((select sum(x.amount_micro) from public.credit_transactions x
                                       where x.reverses_id = t.id), 0) into v_left
    from public.credit_transactions t where t.id = p_reverses and t.user_id = p_user and t.kind = 'consume';
    if not found then
      raise exception 'no usage % of this account', p_reverses using errcode = 'CR404';
    end if;
  end if;
  if p_amount > v_left then
    v_status := 'exceeds_original';
  elsif p_amount < 0 and v_balance.overdraft_limit_micro is not null and sb.available(v_balance) < -p_amount then
    v_status := 'insufficient';
  end if;
  if v_status <> 'adjusted' then
    perform sb.move_account(p_user, 'denied', v_status, p_key => p_key, p_reverses => p_reverses);
  elsif p_amount > 0 then
    perform sb.add_grant(p_user, p_kind, p_key, p_amount, p_reason,
                         p_key => p_key, p_reverses => p_reverses, p_transaction => v_id);
    perform sb.tell_low(p_user);
  else
    perform sb.move_account(p_user, 'adjust', p_reason, p_amount => p_amount, p_debt => sb.burn_grants(p_user, -p_amount), p_key => p_key, p_id => v_id);
  end if;
  insert into public.credit_idempotency (user_id, key, action, request_hash, outcome, transaction_id, amount_micro)
  values (p_user, p_key, 'adjust', v_hash, v_status, case v_status when 'adjusted' then v_id end, p_amount);
  return query select v_status, case v_status when 'adjusted' then v_id end, sb.shown_available(b)
               from public.credit_balances b where b.user_id = p_user;
end
$$;
comment on function public.adjust_credits is
  'A correction by an operator (kind adjust, either sign) or a refund of usage, never above what it cost. '
  'status: adjusted, replayed, insufficient, exceeds_original';

create function public.grant_credits(p_user uuid, p_source text, p_amount bigint, p_key text, p_reason text,
                                     p_expires_at timestamptz default null, p_priority int default null)
returns table (status text, grant_id uuid, available bigint)
language plpgsql security definer set search_path = '' as $$
#variable_conflict use_column
declare
  v_hash bytea := sb.credit_hash('grant', p_source, p_amount::text, sb.iso_time(p_expires_at), p_priority::text);
  v_seen public.credit_idempotency;
  v_id uuid;
begin
  if p_amount is null or p_amount <= 0 or p_source is null or p_source not in ('top_up', 'trial', 'promo')
     or p_reason is null or p_priority not between 0 and 100 then
    raise exception 'a grant is a positive amount of top_up, trial or promo with a reason' using errcode = '22023';
  end if;
  perform sb.lock_account(p_user);
  v_seen := sb.seen_credit_request(p_user, p_key, v_hash);
  if v_seen.key is null then
    if p_expires_at <= clock_timestamp() then
      raise exception 'a grant expires in the future' using errcode = '22023';
    end if;
    -- What was given away is spent before what was paid for.
    v_id := sb.add_grant(p_user, p_source, p_key, p_amount, p_reason,
                         coalesce(p_priority, case p_source when 'top_up' then 60 else 30 end), p_expires_at, p_key => p_key);
    insert into public.credit_idempotency (user_id, key, action, request_hash, outcome, amount_micro)
    values (p_user, p_key, 'grant', v_hash, 'granted', p_amount);
  end if;
  return query select case when v_seen.key is null then 'granted' else 'replayed' end, g.id, sb.shown_available(b)
  from public.credit_balances b join public.credit_grants g on g.user_id = b.user_id
  where b.user_id = p_user and g.source = p_source and g.source_ref = p_key;
end
$$;
comment on function public.grant_credits is
  'Credits beside the subscription: bought (top_up), for trying out (trial) or as a present (promo), debt first. Burnt by '
  'p_priority: by default presents before the month''s credits and bought ones last. status: granted, replayed';

create function public.expire_grants_due(p_limit int) returns table (user_id uuid, expired bigint)
language plpgsql security definer set search_path = '' as $$
#variable_conflict use_column
declare
  v_now timestamptz := clock_timestamp();
  v_user uuid;
begin
  for v_user in
    select b.user_id from public.credit_balances b
    where b.credited_micro - b.debited_micro - b.reserved_micro > 0
      and b.user_id in (select g.user_id from public.credit_grants g
                        where g.remaining_micro > 0 and g.expires_at <= v_now order by g.expires_at limit p_limit)
    order by b.user_id for no key update skip locked
  loop
    return query select v_user, r.expired from sb.renew_account(v_user, v_now) r;
  end loop;
end
$$;
comment on function public.expire_grants_due is
  'Takes back what is left of grants that expire within a period. Tidies only: whoever spends looks for itself, and what '
  'holds pin waits for their end';

create function public.open_account(p_user uuid, p_time_zone text default 'UTC') returns boolean
language plpgsql security definer set search_path = '' as $$
declare
  v_tier public.subscription_tiers;
  v_now timestamptz := clock_timestamp();
  v_period record;
begin
  select * into strict v_tier from public.subscription_tiers where code = 'free';
  insert into public.credit_balances (user_id, overdraft_limit_micro) values (p_user, v_tier.overdraft_limit_micro)
  on conflict (user_id) do nothing;
  perform sb.lock_account(p_user);
  if exists (select from public.user_subscriptions where user_id = p_user) then
    return false;
  end if;
  v_period := sb.billing_period(v_now, p_time_zone, v_now);
  insert into public.user_subscriptions (user_id, tier_code, anchor_at, time_zone, current_period_start, current_period_end,
                                         tier_effective_from)
  values (p_user, v_tier.code, v_now, p_time_zone, v_period.period_start, v_period.period_end, v_now);
  perform sb.add_grant(p_user, 'monthly', sb.iso_time(v_period.period_start), v_tier.monthly_credits_micro, 'period',
                       50, v_period.period_end, v_period.period_start);
  return true;
end
$$;
comment on function public.open_account is
  'The start of every user: account, Free subscription and first grant. False when there was one before, ended or not';

create function public.close_account(p_user uuid) returns boolean
language plpgsql security definer set search_path = '' as $$
declare
  v_now timestamptz := clock_timestamp();
  v_ended int;
begin
  insert into public.credit_balances (user_id, overdraft_limit_micro) values (p_user, 0) on conflict (user_id) do nothing;
  perform sb.lock_account(p_user);
  insert into public.payment_cancellations (subscription_ref, user_id)
  select s.external_ref, p_user from public.user_subscriptions s
  where s.user_id = p_user and s.status <> 'ended' and s.external_ref is not null
  on conflict (subscription_ref) do nothing;
  update public.user_subscriptions set status = 'ended', ended_at = v_now, updated_at = v_now
  where user_id = p_user and status <> 'ended';
  get diagnostics v_ended = row_count;
  if v_ended > 0 then
    perform sb.tell_subscription(p_user, 'ended', null);
  end if;
  if not exists (select from public.user_subscriptions where user_id = p_user) then
    -- The deletion overtook the creation: this row keeps a late user.created from opening the account.
    insert into public.user_subscriptions (user_id, tier_code, status, anchor_at, current_period_start, current_period_end,
                                           tier_effective_from, ended_at)
    values (p_user, 'free', 'ended', v_now, v_now, v_now + interval '1 month', v_now, v_now);
  end if;
  perform sb.promote_waiting(p_user);
  return v_ended > 0;
end
$$;
comment on function public.close_account is
  'Ends the subscription of a deleted user, also at the payment provider: nothing is admitted any more, what waits is '
  'denied. Balance and ledger stay';

create function sb.move_tier(p_user uuid, p_tier text, p_key text, p_at_once boolean) returns text
language plpgsql set search_path = '' as $$
declare
  v_now timestamptz := clock_timestamp();
  v_sub public.user_subscriptions;
  v_from public.subscription_tiers;
  v_to public.subscription_tiers;
  v_status text;
begin
  perform sb.renew_account(p_user, v_now);
  select * into v_sub from public.user_subscriptions s
  where s.user_id = p_user and s.status <> 'ended' for no key update;
  if not found then
    raise exception 'account % has no live subscription', p_user using errcode = 'CR404';
  end if;
  select * into v_to from public.subscription_tiers where code = p_tier;
  if not found then
    raise exception 'no tier %', p_tier using errcode = 'CR404';
  end if;
  select * into strict v_from from public.subscription_tiers where code = v_sub.tier_code;
  v_status := case when v_to.position > v_from.position then 'upgraded'
                   when v_to.position < v_from.position then case when p_at_once then 'downgraded' else 'scheduled' end
                   else 'unchanged' end;
  if v_status in ('upgraded', 'downgraded') then
    perform sb.apply_tier(p_user, p_tier, v_now, p_key);
    if v_to.monthly_credits_micro > v_from.monthly_credits_micro then
      perform sb.add_grant(p_user, 'upgrade', p_key, v_to.monthly_credits_micro - v_from.monthly_credits_micro, 'upgrade',
                           50, v_sub.current_period_end, v_sub.current_period_start);
    end if;
    perform sb.promote_waiting(p_user);
    perform sb.tell_low(p_user);
  else
    update public.user_subscriptions s set next_tier_code = nullif(p_tier, s.tier_code), updated_at = v_now where s.id = v_sub.id;
  end if;
  if v_status <> 'unchanged' or v_sub.next_tier_code is not null then
    perform sb.tell_subscription(p_user, case
      when v_status = 'upgraded' then 'upgraded'
      when v_status = 'unchanged' then 'change_withdrawn'
      when v_status = 'scheduled' then case v_to.code when 'free' then 'cancel_scheduled' else 'downgrade_scheduled' end
      else case v_to.code when 'free' then 'cancelled' else 'downgraded' end end, v_sub.tier_code);
  end if;
  return v_status;
end
$$;
comment on function sb.move_tier is
  'A higher tier holds at once and grants the difference; a lower one follows when the period ends, or at once, then '
  'with the credits of the period. Needs the lock of the account';

create function public.change_tier(p_user uuid, p_tier text, p_key text) returns table (status text, tier text)
language plpgsql security definer set search_path = '' as $$
declare
  v_hash bytea := sb.credit_hash('tier', p_tier);
  v_seen public.credit_idempotency;
  v_status text;
begin
  perform sb.lock_account(p_user);
  v_seen := sb.seen_credit_request(p_user, p_key, v_hash);
  if v_seen.key is not null then
    return query select 'replayed', p_tier;
    return;
  end if;
  v_status := sb.move_tier(p_user, p_tier, p_key, false);
  insert into public.credit_idempotency (user_id, key, action, request_hash, outcome, amount_micro)
  values (p_user, p_key, 'tier', v_hash, v_status, 0);
  return query select v_status, p_tier;
end
$$;
comment on function public.change_tier is
  'A higher tier holds at once and grants the difference; a lower one follows when the period ends. '
  'status: upgraded, scheduled, unchanged (takes a scheduled change back), replayed';

create function public.choose_tier(p_user uuid, p_tier text, p_key text) returns table (status text, tier text)
language plpgsql security definer set search_path = '' as $$
declare
  v_sub public.user_subscriptions;
begin
  perform sb.lock_account(p_user);
  select * into v_sub from public.user_subscriptions s where s.user_id = p_user and s.status <> 'ended';
  if not exists (select from public.credit_idempotency i where i.user_id = p_user and i.key = p_key) then
    if v_sub.external_ref is not null then
      raise exception 'the subscription is kept by the payment provider' using errcode = 'CR403';
    end if;
    if exists (select from public.subscription_tiers f, public.subscription_tiers t
               where f.code = v_sub.tier_code and t.code = p_tier and t.position > f.position) then
      raise exception 'tier % is above %', p_tier, v_sub.tier_code using errcode = 'CR403';
    end if;
  end if;
  return query select * from public.change_tier(p_user, p_tier, p_key);
end
$$;
comment on function public.choose_tier is
  'change_tier as far as users may by themselves: down, away, or a scheduled change back; CR403 otherwise';

create function public.set_time_zone(p_user uuid, p_zone text) returns boolean
language plpgsql security definer set search_path = '' as $$
begin
  if not exists (select from pg_catalog.pg_timezone_names where name = p_zone) then
    raise exception 'no time zone %', p_zone using errcode = 'CR404';
  end if;
  perform sb.lock_account(p_user);
  -- A period that is over ends in the zone in which it was counted.
  perform sb.renew_account(p_user, clock_timestamp());
  update public.user_subscriptions s set time_zone = p_zone, updated_at = clock_timestamp()
  where s.user_id = p_user and s.status <> 'ended' and s.time_zone <> p_zone;
  if found then
    perform sb.tell_subscription(p_user, 'time_zone_changed', null);
    return true;
  end if;
  if not exists (select from public.user_subscriptions s where s.user_id = p_user and s.status <> 'ended') then
    raise exception 'account % has no live subscription', p_user using errcode = 'CR404';
  end if;
  return false;
end
$$;
comment on function public.set_time_zone is
  'In which zone months are counted from now on: the present period ends when it was to end, the next ones where the zone says. '
  'False when it was this zone already';

create function public.sync_subscription(p_user uuid, p_subscription text, p_customer text, p_as_of timestamptz,
                                         p_status text, p_tier text, p_ends boolean) returns text
language plpgsql security definer set search_path = '' as $$
declare
  v_sub public.user_subscriptions;
  v_key text;
begin
  if p_status is null or p_status not in ('trialing', 'active', 'past_due', 'ended') or p_as_of is null
     or p_subscription is null or p_ends is null then
    raise exception 'a state of a subscription is whole' using errcode = '22023';
  end if;
  perform sb.lock_account(p_user);
  perform sb.renew_account(p_user, clock_timestamp());
  select * into v_sub from public.user_subscriptions s where s.user_id = p_user and s.status <> 'ended' for no key update;
  if not found then
    -- Bought before the user was deleted, and told after: nobody would ever cancel it.
    if p_status <> 'ended' and exists (select from public.user_subscriptions s where s.user_id = p_user) then
      insert into public.payment_cancellations (subscription_ref, user_id) values (p_subscription, p_user)
      on conflict (subscription_ref) do nothing;
    end if;
    return 'ignored';
  end if;
  if v_sub.external_ref <> p_subscription then
    return case p_status when 'ended' then 'ignored' else 'occupied' end;
  end if;
  update public.user_subscriptions s
  set external_ref = case when p_status <> 'ended' then p_subscription end,
      external_customer_ref = coalesce(p_customer, s.external_customer_ref),
      status = case p_status when 'ended' then 'active' else p_status end,
      last_external_event_at = p_as_of, updated_at = clock_timestamp()
  where s.id = v_sub.id and (s.last_external_event_at is null or s.last_external_event_at < p_as_of);
  if not found then
    return 'stale';
  end if;
  if p_status = 'ended' then
    -- One that was never taken up leaves what the account has from elsewhere.
    if v_sub.external_ref is null then
      return 'ignored';
    end if;
    perform sb.move_tier(p_user, 'free', 'stripe:' || p_subscription, true);
    return 'applied';
  end if;
  if (v_sub.status = 'past_due') <> (p_status = 'past_due') then
    perform sb.tell_subscription(p_user, case p_status when 'past_due' then 'payment_failed' else 'payment_recovered' end,
                                 v_sub.tier_code);
  end if;
  -- One subscription grants the difference to a tier once a period, however often it comes and goes.
  v_key := 'stripe:' || p_subscription || ':' || p_tier || ':' || sb.iso_time(v_sub.current_period_start);
  if not p_ends then
    if v_sub.next_tier_code is distinct from p_tier then
      perform sb.move_tier(p_user, p_tier, v_key, false);
    end if;
    return 'applied';
  end if;
  if exists (select from public.subscription_tiers f, public.subscription_tiers t
             where f.code = v_sub.tier_code and t.code = p_tier and t.position > f.position) then
    perform sb.move_tier(p_user, p_tier, v_key, false);
    v_sub.next_tier_code := null;
  end if;
  if v_sub.next_tier_code is distinct from 'free' then
    perform sb.move_tier(p_user, 'free', v_key, false);
  end if;
  return 'applied';
end
$$;
comment on function public.sync_subscription is
  'Makes an account what its subscription at the payment provider was at p_as_of; p_ends: it ends with its period. '
  'applied, ignored, stale (a later state is applied already), occupied (another subscription keeps the account)';

create function public.refund_payment(p_user uuid, p_charge text, p_tier text, p_paid bigint, p_refunded bigint) returns text
language plpgsql security definer set search_path = '' as $$
declare
  v_row public.payment_refunds;
  v_grant uuid;
  v_left bigint;
begin
  if p_paid is null or p_refunded is null or p_paid <= 0 or p_refunded <= 0 then
    raise exception 'a refund is of something that was paid' using errcode = '22023';
  end if;
  perform sb.lock_account(p_user);
  insert into public.payment_refunds (charge_ref, user_id, paid_minor, credits_micro)
  select p_charge, p_user, p_paid, greatest(0, coalesce(t.monthly_credits_micro - f.monthly_credits_micro, 0))
  from public.subscription_tiers t, public.subscription_tiers f where t.code = p_tier and f.code = 'free'
  on conflict (charge_ref) do nothing;
  select * into v_row from public.payment_refunds r where r.charge_ref = p_charge and r.user_id = p_user;
  if not found then
    raise exception 'no tier % that charge % could have paid for', p_tier, p_charge using errcode = 'CR404';
  end if;
  if p_refunded > v_row.paid_minor then
    return 'exceeds_original';
  end if;
  update public.payment_refunds r set refunded_minor = p_refunded, updated_at = clock_timestamp()
  where r.charge_ref = p_charge and r.refunded_minor < p_refunded;
  if not found then
    return 'unchanged';
  end if;
  v_left := trunc(v_row.credits_micro::numeric * p_refunded / v_row.paid_minor)::bigint - v_row.taken_micro;
  for v_grant in
    select g.id from public.credit_grants g
    where g.user_id = p_user and g.source in ('monthly', 'upgrade') and g.remaining_micro > 0
    order by g.created_at desc, g.id for no key update
  loop
    v_left := v_left - sb.take_back(p_user, v_grant, v_left, 'refund:' || p_charge);
  end loop;
  update public.payment_refunds r
  set taken_micro = trunc(r.credits_micro::numeric * p_refunded / r.paid_minor)::bigint - v_left
  where r.charge_ref = p_charge;
  perform sb.tell_low(p_user);
  return 'applied';
end
$$;
comment on function public.refund_payment is
  'Takes back the share of the credits of p_tier beyond Free that was refunded of a payment, as far as they are there and no '
  'hold pins them. p_refunded is all of it so far: a repeat is unchanged, more than was paid exceeds_original';

create function public.set_low_thresholds(p_user uuid, p_thresholds text[]) returns text[]
language plpgsql security definer set search_path = '' as $$
declare
  v_told text[];
begin
  perform sb.lock_account(p_user);
  update public.credit_balances set low_thresholds = p_thresholds where user_id = p_user;
  perform sb.tell_low(p_user);
  select low_told into strict v_told from public.credit_balances where user_id = p_user;
  return v_told;
end
$$;
comment on function public.set_low_thresholds is
  'A user''s own thresholds for credits.low; null: those of the tier. Returns which are crossed now';

create function public.price_estimate(p_lines jsonb) returns bigint
language plpgsql security definer set search_path = '' as $$
declare
  v_total numeric;
begin
  select sum(ceil(l.quantity * p.price_micro / p.per_quantity)) into v_total
  from jsonb_to_recordset(p_lines) as l(operation text, quantity numeric),
       lateral sb.price_at(l.operation, clock_timestamp()) p;
  return least(coalesce(v_total, 0), 9223372036854775807);
end
$$;
comment on function public.price_estimate is
  'What usage would cost now, at most the largest amount there is: an estimate may be absurdly high, a hold is not';

-- Verification: everything again from the entries, of many accounts in one pass. One function per kind of answer. Plans are
-- made for the accounts that are asked about; what joins entries with one another does so by hash or merge, since statistics
-- know nothing of the one account that has very many.

create function sb.wrong_entries(p_users uuid[])
returns table (user_id uuid, wrong_at timestamptz, claim text, due numeric, present numeric, entry_id uuid)
language plpgsql stable set search_path = '' set plan_cache_mode = 'force_custom_plan' set enable_nestloop = off as $$
#variable_conflict use_column
begin
  return query with entry as materialized (
    select * from public.credit_transactions where user_id = any (p_users)
  ), movement as (
    select *, lag(account_seq, 1, 0) over w as seq_before, lag(available_after_micro, 1, 0) over w as available_before
    from entry where account_seq is not null window w as (partition by user_id order by account_seq, created_at)
  ), raised as (
    select user_id, reservation_id, sum(hold_micro) over (partition by user_id, reservation_id order by account_seq) as hold
    from entry where kind in ('reserve', 'extend', 'debt')
  ), usage as (
    select *, lag(reservation_seq, 1, 0) over w as seq_before,
           sum(case when cause <> 'late' then -amount_micro else 0 end) over w as used
    from entry where kind = 'consume' window w as (partition by user_id, reservation_id order by reservation_seq, id)
  )
  select user_id, created_at, 'entries of the account are numbered without a gap', (seq_before + 1)::numeric, account_seq::numeric, id
  from movement where account_seq <> seq_before + 1
  union all
  select user_id, created_at, 'available after an entry follows from the one before',
         available_before + amount_micro - settled_micro - hold_micro, available_after_micro, id
  from movement where available_after_micro is distinct from available_before + amount_micro - settled_micro - hold_micro
  union all
  select user_id, created_at, kind || ' moves what its kind moves', 1, 0, id
  from movement where not case
    when kind in ('grant', 'rollover', 'refund') then amount_micro > 0 and settled_micro = 0 and hold_micro = 0
    when kind = 'adjust' then amount_micro <> 0 and settled_micro = 0 and hold_micro = 0
    when kind = 'expire_grant' then amount_micro < 0 and settled_micro = 0 and hold_micro = 0
    when kind in ('reserve', 'extend', 'debt') then amount_micro = 0 and settled_micro = 0 and hold_micro > 0
    when kind in ('release', 'expire_hold') then amount_micro = 0 and hold_micro <= 0
    when kind = 'late' then amount_micro = 0 and settled_micro > 0 and hold_micro = 0
    when kind = 'denied' then amount_micro = 0 and settled_micro = 0 and hold_micro = 0
    else false end
  union all
  select user_id, created_at, 'usage of a hold is numbered upwards', seq_before + 1, reservation_seq, id
  from usage where reservation_seq is null or reservation_seq <= seq_before
  union all
  select u.user_id, u.created_at, 'usage costs its quantity at its price', ceil(u.quantity::numeric * p.price_micro / p.per_quantity),
         u.cost_micro, u.id
  from usage u left join public.credit_pricing p on p.id = u.pricing_id
  where u.cost_micro is distinct from ceil(u.quantity::numeric * p.price_micro / p.per_quantity)
     or u.price_micro is distinct from p.price_micro or u.per_quantity is distinct from p.per_quantity
  union all
  select u.user_id, u.created_at, 'usage leaves of its hold what was held less what was used',
         (select min(x.hold) from raised x where x.reservation_id = u.reservation_id and x.hold >= u.used) - u.used, u.hold_left_micro, u.id
  from usage u left join raised r on r.reservation_id = u.reservation_id and r.hold = u.used + u.hold_left_micro
  where case when u.cause = 'late' then u.hold_left_micro is not null else r.hold is null end
  union all
  select e.user_id, e.created_at, 'a refund is at most what was charged', -o.amount_micro, e.refunded, e.id
  from (select *, sum(amount_micro) over (partition by user_id, reverses_id order by account_seq) as refunded
        from entry where kind = 'refund') e
  left join entry o on o.id = e.reverses_id and o.user_id = e.user_id and o.kind = 'consume'
  where e.refunded > coalesce(-o.amount_micro, 0)
  union all
  select k.user_id, coalesce(e.created_at, k.created_at), 'the entry of a key is there and as the key remembers it', k.amount_micro,
         coalesce(e.cost_micro, e.amount_micro), k.transaction_id
  from public.credit_idempotency k
  left join entry e on e.id = k.transaction_id and e.idempotency_key = k.key and e.user_id = k.user_id
  where k.user_id = any (p_users) and k.transaction_id is not null
    and k.amount_micro is distinct from coalesce(e.cost_micro, e.amount_micro)
  union all
  select e.user_id, e.created_at, 'an entry of a request has its key', 1, 0, e.id
  from entry e
  left join public.credit_idempotency k on k.user_id = any (p_users) and k.user_id = e.user_id and k.key = e.idempotency_key
  where e.idempotency_key is not null and e.kind <> 'denied' and k.key is null
     or e.kind = 'consume' and k.transaction_id is distinct from e.id;
end
$$;
comment on function sb.wrong_entries(uuid[]) is
  'Entries of these accounts that do not follow from the ones before, or do not add up in themselves';

create function sb.wrong_grants(p_user uuid)
returns table (wrong_at timestamptz, claim text, due numeric, present numeric, entry_id uuid)
language plpgsql stable set search_path = '' as $$
declare
  v_ids uuid[] := array(select g.id from public.credit_grants g where g.user_id = p_user
                        order by g.priority, g.expires_at nulls last, g.created_at, g.id);
  v_left bigint[] := array_fill(0::bigint, array[cardinality(v_ids)]);
  v_debt bigint := 0;
  v_place int;
  v_need bigint;
  v_part bigint;
  v_entry record;
begin
  for v_entry in
    select t.id, t.created_at, t.kind, t.amount_micro, t.settled_micro, t.grant_id from public.credit_transactions t
    where t.user_id = p_user and t.account_seq is not null and (t.amount_micro <> 0 or t.settled_micro <> 0) order by t.account_seq
  loop
    v_place := array_position(v_ids, v_entry.grant_id);
    if (v_entry.amount_micro > 0 or v_entry.kind = 'expire_grant') and v_place is null then
      return query select v_entry.created_at::timestamptz, 'the grant of an entry is there', 1::numeric, 0::numeric, v_entry.id::uuid;
      continue;
    end if;
    if v_entry.amount_micro > 0 then
      v_part := least(v_entry.amount_micro, v_debt);
      v_debt := v_debt - v_part;
      v_left[v_place] := v_entry.amount_micro - v_part;
    elsif v_entry.kind = 'expire_grant' then
      v_left[v_place] := v_left[v_place] + v_entry.amount_micro;
    else
      v_need := v_entry.settled_micro - v_entry.amount_micro;
      for v_place in 1 .. cardinality(v_ids) loop
        exit when v_need = 0;
        v_part := least(v_left[v_place], v_need);
        v_left[v_place] := v_left[v_place] - v_part;
        v_need := v_need - v_part;
      end loop;
      v_debt := v_debt + v_need;
    end if;
  end loop;
  return query
    select g.created_at, 'grant ' || g.id || ' has left what the entries leave of it', l.remaining::numeric, g.remaining_micro::numeric, null::uuid
    from unnest(v_ids, v_left) as l(id, remaining) join public.credit_grants g on g.id = l.id
    where g.remaining_micro <> l.remaining
    union all
    select b.created_at, 'debt is what no grant covered', v_debt::numeric, b.debt_micro::numeric, null::uuid
    from public.credit_balances b where b.user_id = p_user and b.debt_micro <> v_debt;
end
$$;
comment on function sb.wrong_grants(uuid) is
  'Burns the grants again, entry by entry in burn order, and compares what is left of each, and the debt';

create function sb.wrong_totals(p_users uuid[]) returns table (user_id uuid, claim text, due numeric, present numeric)
language plpgsql stable set search_path = '' set plan_cache_mode = 'force_custom_plan' set enable_nestloop = off as $$
#variable_conflict use_column
begin
  return query with hold as (
    select user_id, sum(held_micro) filter (where state = 'active') as held,
           sum(consumed_micro) filter (where state = 'active') as consuming, sum(consumed_micro) as consumed,
           sum(late_micro) as late, sum(written_off_micro) as written_off
    from public.credit_reservations where user_id = any (p_users) group by user_id
  ), entry as (
    select user_id, sum(amount_micro) as amount, sum(hold_micro) as hold,
           sum(amount_micro) filter (where kind <> 'consume' and amount_micro > 0) as credited,
           sum(settled_micro - least(amount_micro, 0)) filter (where kind <> 'consume') as debited,
           -sum(amount_micro) filter (where kind = 'consume') as used,
           sum(cost_micro) filter (where kind = 'consume') as cost, count(account_seq) as entries
    from public.credit_transactions where user_id = any (p_users) group by user_id
  ), left_over as (
    select user_id, sum(remaining_micro) as remaining from public.credit_grants where user_id = any (p_users) group by user_id
  ), ended as (
    select user_id, count(*) as twice
    from (select user_id from public.credit_transactions
          where user_id = any (p_users) and kind in ('release', 'expire_hold') group by user_id, reservation_id having count(*) > 1) more
    group by user_id
  ), live as (
    select s.user_id, min(tier.max_concurrent_runs) as most,
           count(*) filter (where t.created_at >= greatest(s.tier_effective_from, tier.updated_at)) as admitted
    from public.user_subscriptions s join public.subscription_tiers tier on tier.code = s.tier_code
    join public.credit_reservations r on r.user_id = s.user_id and r.user_id = any (p_users) and r.state = 'active'
      and r.purpose = 'run' and r.expires_at > clock_timestamp()
    join public.credit_transactions t on t.reservation_id = r.id and t.user_id = any (p_users) and t.kind = 'reserve'
    where s.user_id = any (p_users) and s.status <> 'ended'
    group by s.user_id
  ), account as (
    select a.user_id, b.user_id is not null as is_there, coalesce(e.amount, 0) as amount, coalesce(e.hold, 0) as hold,
           coalesce(e.credited, 0) as credited, coalesce(e.debited, 0) as debited, coalesce(e.used, 0) as used,
           coalesce(e.cost, 0) as cost, coalesce(e.entries, 0) as entries, coalesce(h.held, 0) as held,
           coalesce(h.consuming, 0) as consuming, coalesce(h.consumed + h.late, 0) as charged,
           coalesce(h.written_off, 0) as written_off, coalesce(l.remaining, 0) as remaining, coalesce(d.twice, 0) as twice,
           coalesce(v.admitted, 0) as admitted, v.most, b.reserved_micro as reserved, b.credited_micro as came,
           b.debited_micro as went, b.debt_micro as debt, b.seq, b.overdraft_limit_micro as overdraft
    from (select distinct unnest(p_users) as user_id) a
    left join public.credit_balances b on b.user_id = a.user_id and b.user_id = any (p_users)
    left join entry e on e.user_id = a.user_id left join hold h on h.user_id = a.user_id
    left join left_over l on l.user_id = a.user_id left join ended d on d.user_id = a.user_id
    left join live v on v.user_id = a.user_id
  ), of_hold as (
    select r.user_id, r.id, r.consumed_micro + r.late_micro as charged, case r.state when 'active' then r.held_micro else 0 end as held,
           coalesce(sum(t.hold_micro), 0) as hold, coalesce(-sum(t.amount_micro) filter (where t.kind = 'consume'), 0) as used
    from public.credit_reservations r
    left join public.credit_transactions t on t.reservation_id = r.id and t.user_id = any (p_users)
    where r.user_id = any (p_users) group by r.id
  )
  select a.user_id, w.name, w.wanted::numeric, w.had::numeric from account a, lateral (values
    ('reserved is the sum of live holds', a.held, a.reserved),
    ('reserved is the sum of hold entries', a.hold, a.reserved),
    ('credited is the sum of what came', a.credited, a.came),
    ('debited is the sum of what went', a.debited, a.went),
    ('money is the sum of entries', a.amount, a.came - a.went - a.consuming),
    ('grants left less debt is money', a.remaining - a.debt, a.came - a.went),
    ('every change of the account has its entry', a.entries, a.seq),
    ('the balance is not below its floor', -a.overdraft,
     case when a.overdraft is not null then least(-a.overdraft, a.came - a.went - a.reserved) end)) as w (name, wanted, had)
  where a.is_there and w.wanted is distinct from w.had
  union all
  select a.user_id, w.name, w.wanted::numeric, w.had::numeric from account a, lateral (values
    ('usage of reservations is usage of entries', a.used, a.charged),
    ('cost is charge and write-off', a.cost, a.used + a.written_off),
    ('live runs are within the tier they were admitted under', least(a.admitted, a.most), a.admitted),
    ('there is an account', 1, a.is_there::int),
    ('every reservation has ended at most once', 0, a.twice)) as w (name, wanted, had)
  where w.wanted is distinct from w.had
  union all
  select user_id, 'hold of ' || id || ' is the sum of its entries', held, hold from of_hold where hold <> held
  union all
  select user_id, 'usage of ' || id || ' is the sum of its entries', used, charged from of_hold where used <> charged
  union all
  select user_id, 'grant ' || id || ' is within its amount', amount_micro, remaining_micro
  from public.credit_grants where user_id = any (p_users) and remaining_micro not between 0 and amount_micro;
end
$$;
comment on function sb.wrong_totals(uuid[]) is 'Totals of these accounts that are not the sum of their rows';

-- To compile its plans (jit), where a server can, takes a hundred times as long as they do for an account.
create function public.verify_accounts(p_users uuid[])
returns table (user_id uuid, invariant text, expected numeric, found numeric, transaction_id uuid)
language sql security definer set search_path = '' set jit = off as $$
  select w.user_id, w.invariant, w.expected, w.found, w.transaction_id from (
    select 1 as part, e.* from sb.wrong_entries(p_users) e
    union all
    select 2, a.user_id, g.* from (select distinct unnest(p_users) as user_id) a, lateral sb.wrong_grants(a.user_id) g
    union all
    select 3, t.user_id, null, t.claim, t.due, t.present, null from sb.wrong_totals(p_users) t
  ) w (part, user_id, at, invariant, expected, found, transaction_id)
  order by w.user_id, w.part, w.at, w.transaction_id, w.invariant;
$$;
comment on function public.verify_accounts is
  'Recomputes accounts from their ledger; every row is something that does not hold, none means no drift. The first row of an '
  'account names its first wrong entry where it is an entry';

create function public.verify_credits(p_user uuid)
returns table (invariant text, expected numeric, found numeric, transaction_id uuid)
language sql security definer set search_path = '' as $$
  select invariant, expected, found, transaction_id from public.verify_accounts(array[p_user]);
$$;
comment on function public.verify_credits is 'verify_accounts of one';

-- ---------------------------------------------------------------------------------------------------------------
-- What operators do. Each of these functions writes its audit row itself, and there is no other way to do it. p_by says
-- who asks: operator_id, key, reason, request_id. They answer with the audit row, and whether it is from a repeat.

create function sb.account_state(p_user uuid) returns jsonb
language sql stable set search_path = '' as $$
  select jsonb_build_object(
    'tier', s.tier_code, 'next_tier', s.next_tier_code, 'status', s.status,
    'credited_micro', b.credited_micro::text, 'debited_micro', b.debited_micro::text,
    'reserved_micro', b.reserved_micro::text, 'debt_micro', b.debt_micro::text,
    'available_micro', sb.shown_available(b)::text, 'overdraft_limit_micro', b.overdraft_limit_micro::text)
  from public.credit_balances b left join public.user_subscriptions s on s.user_id = b.user_id and s.status <> 'ended'
  where b.user_id = p_user;
$$;
comment on function sb.account_state(uuid) is 'An account as an audit row keeps it';

create function sb.begin_operation(p_by jsonb, p_action text, variadic p_parts text[]) returns public.credit_audit
language plpgsql set search_path = '' as $$
declare
  v_row public.credit_audit;
  v_seen public.credit_audit;
begin
  v_row.operator_id := (p_by ->> 'operator_id')::uuid;
  v_row.action := p_action;
  v_row.reason := p_by ->> 'reason';
  v_row.request_id := p_by ->> 'request_id';
  v_row.key := p_by ->> 'key';
  if v_row.operator_id is null or v_row.key is null or v_row.reason is null then
    raise exception 'an operator gives a key and a reason' using errcode = '22023';
  end if;
  v_row.request_hash := sb.credit_hash(variadic array[p_action, v_row.reason] || p_parts);
  perform pg_advisory_xact_lock(hashtextextended('credit_audit:' || v_row.operator_id || ':' || v_row.key, 0));
  select * into v_seen from public.credit_audit where operator_id = v_row.operator_id and key = v_row.key;
  if not found then
    return v_row;
  end if;
  if v_seen.request_hash <> v_row.request_hash then
    raise exception 'key % was used for another request', v_row.key using errcode = 'CR409';
  end if;
  return v_seen;
end
$$;
comment on function sb.begin_operation is
  'The audit row of an action: without id when it is new, the stored one of a repeat. Repeats that race wait here';

create function sb.end_operation(p_row public.credit_audit, p_user uuid, p_target text, p_before jsonb, p_after jsonb)
returns jsonb
language plpgsql set search_path = '' as $$
declare
  v_row public.credit_audit;
begin
  if p_row.id is not null then
    return to_jsonb(p_row) - '{request_hash,key}'::text[] || '{"replayed": true}';
  end if;
  insert into public.credit_audit
    (operator_id, action, user_id, target, before, after, reason, request_id, key, request_hash)
  values (p_row.operator_id, p_row.action, p_user, p_target, p_before, p_after, p_row.reason, p_row.request_id, p_row.key,
          p_row.request_hash)
  returning * into strict v_row;
  return to_jsonb(v_row) - '{request_hash,key}'::text[] || '{"replayed": false}';
end
$$;
comment on function sb.end_operation is 'Writes the audit row of what was done, or gives that of a repeat';

create function public.operator_grant(p_by jsonb, p_user uuid, p_kind text, p_amount bigint, p_expires_at timestamptz)
returns jsonb
language plpgsql security definer set search_path = '' as $$
declare
  v_row public.credit_audit := sb.begin_operation(
    p_by, 'account.grant', p_user::text, p_kind, p_amount::text, sb.iso_time(p_expires_at));
  v_source text := case p_kind when 'promotional' then 'promo' when 'trial' then 'trial' when 'purchase' then 'top_up'
                               when 'correction' then 'adjust' end;
  v_before jsonb;
  v_grant uuid;
begin
  if v_row.id is not null then
    return sb.end_operation(v_row, null, null, null, null);
  end if;
  if v_source is null or p_amount is null or p_amount <= 0 or p_expires_at <= clock_timestamp() then
    raise exception 'a grant is a positive amount of a known kind that has not expired' using errcode = '22023';
  end if;
  perform sb.lock_account(p_user);
  perform sb.renew_account(p_user, clock_timestamp());
  v_before := sb.account_state(p_user);
  -- What was given away is burnt first, what was paid for last.
  v_grant := sb.add_grant(p_user, v_source, 'operator:' || v_row.operator_id || ':' || v_row.key, p_amount, v_row.reason,
                          case v_source when 'top_up' then 60 when 'adjust' then 50 else 30 end, p_expires_at);
  perform sb.tell_low(p_user);
  return sb.end_operation(v_row, p_user, p_user::text, v_before, sb.account_state(p_user) || jsonb_build_object(
    'grant_id', v_grant, 'kind', p_kind, 'amount_micro', p_amount::text, 'expires_at', sb.iso_time(p_expires_at)));
end
$$;
comment on function public.operator_grant is 'Gives credits: promotional, trial, purchase or correction; null p_expires_at: for good';

create function public.operator_adjust(p_by jsonb, p_user uuid, p_amount bigint) returns jsonb
language plpgsql security definer set search_path = '' as $$
declare
  v_row public.credit_audit := sb.begin_operation(p_by, 'account.adjust', p_user::text, p_amount::text);
  v_before jsonb;
  v_done record;
begin
  if v_row.id is not null then
    return sb.end_operation(v_row, null, null, null, null);
  end if;
  perform sb.lock_account(p_user);
  v_before := sb.account_state(p_user);
  select * into v_done from public.adjust_credits(
    p_user, 'adjust', p_amount, 'operator:' || encode(sb.credit_hash(v_row.operator_id::text, v_row.key), 'hex'), v_row.reason);
  if v_done.status = 'insufficient' then
    raise exception 'account % has less than that available', p_user using errcode = 'CR402';
  end if;
  return sb.end_operation(v_row, p_user, p_user::text, v_before, sb.account_state(p_user) || jsonb_build_object(
    'transaction_id', v_done.transaction_id, 'amount_micro', p_amount::text));
end
$$;
comment on function public.operator_adjust is 'Corrects an account, up or down; CR402 where it has less than is taken';

create function public.operator_refund(p_by jsonb, p_user uuid, p_transaction uuid, p_amount bigint) returns jsonb
language plpgsql security definer set search_path = '' as $$
declare
  v_row public.credit_audit := sb.begin_operation(
    p_by, 'account.refund', p_user::text, p_transaction::text, p_amount::text);
  v_before jsonb;
  v_amount bigint := p_amount;
  v_done record;
begin
  if v_row.id is not null then
    return sb.end_operation(v_row, null, null, null, null);
  end if;
  perform sb.lock_account(p_user);
  v_before := sb.account_state(p_user);
  if v_amount is null then
    select -t.amount_micro - coalesce((select sum(x.amount_micro) from public.credit_transactions x
                                       where x.reverses_id = t.id), 0) into v_amount
    from public.credit_transactions t where t.id = p_transaction and t.user_id = p_user and t.kind = 'consume';
    if not found then
      raise exception 'no usage % of this account', p_transaction using errcode = 'CR404';
    end if;
    if v_amount <= 0 then
      raise exception 'entry % is refunded already', p_transaction using errcode = 'CR410';
    end if;
  end if;
  select * into v_done from public.adjust_credits(
    p_user, 'refund', v_amount, 'operator:' || encode(sb.credit_hash(v_row.operator_id::text, v_row.key), 'hex'), v_row.reason,
    p_transaction);
  if v_done.status = 'exceeds_original' then
    raise exception 'a refund of entry % is at most what is left of it', p_transaction using errcode = 'CR410';
  end if;
  return sb.end_operation(v_row, p_user, p_user::text, v_before, sb.account_state(p_user) || jsonb_build_object(
    'transaction_id', v_done.transaction_id, 'reverses_id', p_transaction, 'amount_micro', v_amount::text));
end
$$;
comment on function public.operator_refund is
  'Gives usage back, wholly where p_amount is null; CR410 above what it cost and is not refunded yet';

create function sb.take_back(p_user uuid, p_grant uuid, p_most bigint, p_cause text) returns bigint
language plpgsql set search_path = '' as $$
declare
  v_balance public.credit_balances;
  v_gone bigint;
begin
  select * into strict v_balance from public.credit_balances where user_id = p_user;
  select greatest(0, least(remaining_micro, p_most, sb.available(v_balance))) into strict v_gone
  from public.credit_grants where id = p_grant;
  if v_gone > 0 then
    update public.credit_grants set remaining_micro = remaining_micro - v_gone where id = p_grant;
    perform sb.move_account(p_user, 'expire_grant', p_cause, p_amount => -v_gone, p_grant => p_grant);
  end if;
  return v_gone;
end
$$;
comment on function sb.take_back is
  'Takes what is left of a grant, at most p_most and nothing that holds pin; returns how much. Needs the lock of the account';

create function public.operator_revoke_grant(p_by jsonb, p_user uuid, p_grant uuid) returns jsonb
language plpgsql security definer set search_path = '' as $$
declare
  v_row public.credit_audit := sb.begin_operation(p_by, 'account.revoke_grant', p_user::text, p_grant::text);
  v_before jsonb;
  v_left bigint;
  v_gone bigint;
begin
  if v_row.id is not null then
    return sb.end_operation(v_row, null, null, null, null);
  end if;
  perform sb.lock_account(p_user);
  v_before := sb.account_state(p_user);
  select remaining_micro into v_left from public.credit_grants where id = p_grant and user_id = p_user for no key update;
  if not found then
    raise exception 'no grant % of this account', p_grant using errcode = 'CR404';
  end if;
  v_gone := sb.take_back(p_user, p_grant, null, v_row.reason);
  perform sb.tell_low(p_user);
  return sb.end_operation(v_row, p_user, p_user::text,
    v_before || jsonb_build_object('grant_id', p_grant, 'remaining_micro', v_left::text),
    sb.account_state(p_user) || jsonb_build_object('grant_id', p_grant, 'remaining_micro', (v_left - v_gone)::text));
end
$$;
comment on function public.operator_revoke_grant is
  'Takes back what is left of a grant; what holds pin of it stays, and can be taken when they have ended';

create function public.operator_change_tier(p_by jsonb, p_user uuid, p_tier text, p_at_once boolean) returns jsonb
language plpgsql security definer set search_path = '' as $$
declare
  v_row public.credit_audit := sb.begin_operation(
    p_by, 'account.change_tier', p_user::text, p_tier, p_at_once::text);
  v_before jsonb;
  v_status text;
begin
  if v_row.id is not null then
    return sb.end_operation(v_row, null, null, null, null);
  end if;
  perform sb.lock_account(p_user);
  v_before := sb.account_state(p_user);
  v_status := sb.move_tier(p_user, p_tier, 'operator:' || v_row.operator_id || ':' || v_row.key, p_at_once);
  return sb.end_operation(v_row, p_user, p_user::text, v_before,
                          sb.account_state(p_user) || jsonb_build_object('change', v_status));
end
$$;
comment on function public.operator_change_tier is
  'Up at once, with the difference; down when the period ends, or at once, with the credits of the period';

create function public.operator_version_price(p_by jsonb, p_operation text, p_price bigint, p_per_quantity bigint,
                                              p_unit text, p_description text, p_from timestamptz) returns jsonb
language plpgsql security definer set search_path = '' as $$
declare
  v_row public.credit_audit := sb.begin_operation(p_by, 'price.version', p_operation, p_price::text, p_per_quantity::text,
                                                  p_unit, p_description, sb.iso_time(p_from));
  v_last public.credit_pricing;
  v_new public.credit_pricing;
begin
  if v_row.id is not null then
    return sb.end_operation(v_row, null, null, null, null);
  end if;
  perform pg_advisory_xact_lock(hashtextextended('credit_pricing:' || p_operation, 0));
  if p_from is null or p_from <= clock_timestamp() then
    raise exception 'a price begins in the future' using errcode = '22023';
  end if;
  select * into v_last from public.credit_pricing where operation = p_operation order by version desc limit 1;
  if v_last.valid_from >= p_from then
    raise exception 'version % of % begins later than that', v_last.version, p_operation using errcode = 'CR412';
  end if;
  if v_last.id is null and (p_unit is null or p_description is null) then
    raise exception 'the first price of an operation has a unit and a description' using errcode = '22023';
  end if;
  update public.credit_pricing set valid_to = p_from where id = v_last.id and (valid_to is null or valid_to > p_from);
  insert into public.credit_pricing (operation, version, price_micro, per_quantity, unit, description, valid_from)
  values (p_operation, coalesce(v_last.version, 0) + 1, p_price, p_per_quantity, coalesce(p_unit, v_last.unit),
          coalesce(p_description, v_last.description), p_from)
  returning * into strict v_new;
  return sb.end_operation(v_row, null, p_operation, case when v_last.id is not null then jsonb_build_object(
      'id', v_last.id, 'version', v_last.version, 'price_micro', v_last.price_micro::text,
      'per_quantity', v_last.per_quantity::text, 'valid_to', sb.iso_time(v_last.valid_to)) end,
    jsonb_build_object('id', v_new.id, 'version', v_new.version, 'price_micro', v_new.price_micro::text,
      'per_quantity', v_new.per_quantity::text, 'valid_from', sb.iso_time(v_new.valid_from)));
end
$$;
comment on function public.operator_version_price is
  'A new price from a moment in the future on, after all others of the operation; reservations keep theirs';

create function sb.apply_terms(p_tier text, p_terms jsonb) returns void
language sql set search_path = '' as $$
  update public.subscription_tiers t
  set name = n.name, monthly_credits_micro = n.monthly_credits_micro, price_cents = n.price_cents, currency = n.currency,
      max_concurrent_runs = n.max_concurrent_runs, max_parallel_items = n.max_parallel_items,
      sandbox_cpu_millis = n.sandbox_cpu_millis, sandbox_memory_mb = n.sandbox_memory_mb,
      sandbox_disk_mb = n.sandbox_disk_mb, sandbox_seconds = n.sandbox_seconds, retention_days = n.retention_days,
      requests_per_minute = n.requests_per_minute, rollover_min_micro = n.rollover_min_micro,
      rollover_max_micro = n.rollover_max_micro, overdraft_limit_micro = n.overdraft_limit_micro, low_thresholds = n.low_thresholds, updated_at = clock_timestamp()
  from jsonb_populate_record(null::public.subscription_tiers, p_terms) n
  where t.code = p_tier;
$$;
comment on function sb.apply_terms is 'Makes a tier what its terms say';

create function public.operator_version_tier(p_by jsonb, p_tier text, p_terms jsonb, p_from timestamptz) returns jsonb
language plpgsql security definer set search_path = '' as $$
declare
  v_row public.credit_audit := sb.begin_operation(p_by, 'tier.version', p_tier, p_terms::text, sb.iso_time(p_from));
  v_last public.subscription_tier_versions;
  v_new public.subscription_tier_versions;
begin
  if v_row.id is not null then
    return sb.end_operation(v_row, null, null, null, null);
  end if;
  if p_from is null or p_from <= clock_timestamp() then
    raise exception 'terms begin in the future' using errcode = '22023';
  end if;
  perform from public.subscription_tiers where code = p_tier for no key update;
  select * into v_last from public.subscription_tier_versions where tier_code = p_tier order by version desc limit 1;
  if not found then
    raise exception 'no tier %', p_tier using errcode = 'CR404';
  end if;
  if v_last.effective_from >= p_from then
    raise exception 'version % of % begins later than that', v_last.version, p_tier using errcode = 'CR412';
  end if;
  if p_terms - array(select jsonb_object_keys(v_last.terms)) <> '{}' or p_terms = '{}'
     or (p_terms ? 'monthly_credits_micro'
         and (p_terms -> 'monthly_credits_micro' = 'null') <> (v_last.terms -> 'monthly_credits_micro' = 'null')) then
    raise exception 'terms are some of a tier''s, and an unlimited tier stays so' using errcode = '22023';
  end if;
  begin
    -- Terms that the tier would refuse when their time comes are refused now.
    perform sb.apply_terms(p_tier, v_last.terms || p_terms);
    raise exception 'tried' using errcode = 'CR000';
  exception when sqlstate 'CR000' then
    null;
  end;
  insert into public.subscription_tier_versions (tier_code, version, terms, effective_from)
  values (p_tier, v_last.version + 1, v_last.terms || p_terms, p_from) returning * into strict v_new;
  return sb.end_operation(v_row, null, p_tier, v_last.terms || jsonb_build_object('version', v_last.version),
    v_new.terms || jsonb_build_object('version', v_new.version, 'effective_from', sb.iso_time(p_from)));
end
$$;
comment on function public.operator_version_tier is
  'New terms of a tier from a moment in the future on: limits for whoever is admitted then, credits from the next period';

create function public.apply_tier_versions() returns int
language plpgsql security definer set search_path = '' as $$
declare
  v_due public.subscription_tier_versions;
  v_applied int := 0;
begin
  for v_due in
    select * from public.subscription_tier_versions
    where applied_at is null and effective_from <= clock_timestamp()
    order by effective_from, tier_code for no key update skip locked
  loop
    perform sb.apply_terms(v_due.tier_code, v_due.terms);
    update public.subscription_tier_versions set applied_at = clock_timestamp()
    where tier_code = v_due.tier_code and version = v_due.version;
    v_applied := v_applied + 1;
  end loop;
  return v_applied;
end
$$;
comment on function public.apply_tier_versions() is
  'Makes tiers what their versions say whose time has come; returns how many. A repeat finds nothing to do';

create function public.record_operator_read(p_operator uuid, p_action text, p_user uuid, p_target text, p_request_id text)
returns uuid
language sql security definer set search_path = '' as $$
  insert into public.credit_audit (operator_id, action, user_id, target, request_id)
  values (p_operator, p_action, p_user, p_target, p_request_id) returning id;
$$;
comment on function public.record_operator_read is 'That an operator looked at something; what they change records itself';

-- ---------------------------------------------------------------------------------------------------------------
-- Policies. People read their own rows, and everybody what tiers and prices there are; the service reads all.

alter table public.subscription_tiers enable row level security;
alter table public.user_subscriptions enable row level security;
alter table public.credit_balances enable row level security;
alter table public.credit_transactions enable row level security;
alter table public.credit_pricing enable row level security;
alter table public.credit_reservations enable row level security;
alter table public.credit_grants enable row level security;
alter table public.credit_idempotency enable row level security;
alter table public.subscription_tier_versions enable row level security;
alter table public.credit_audit enable row level security;
alter table public.payment_events enable row level security;
alter table public.payment_refunds enable row level security;
alter table public.payment_cancellations enable row level security;
alter table public.payment_comparisons enable row level security;

create policy subscription_tiers_service on public.subscription_tiers for all to sb_credits using (true) with check (true);
create policy user_subscriptions_service on public.user_subscriptions for all to sb_credits using (true) with check (true);
create policy credit_balances_service on public.credit_balances for all to sb_credits using (true) with check (true);
create policy credit_transactions_service on public.credit_transactions for all to sb_credits using (true) with check (true);
create policy credit_pricing_service on public.credit_pricing for all to sb_credits using (true) with check (true);
create policy credit_reservations_service on public.credit_reservations for all to sb_credits using (true) with check (true);
create policy credit_grants_service on public.credit_grants for all to sb_credits using (true) with check (true);
create policy credit_idempotency_service on public.credit_idempotency for all to sb_credits using (true) with check (true);
create policy subscription_tier_versions_service on public.subscription_tier_versions for all to sb_credits
  using (true) with check (true);
create policy credit_audit_service on public.credit_audit for all to sb_credits using (true) with check (true);
create policy payment_events_service on public.payment_events for all to sb_credits using (true) with check (true);
create policy payment_refunds_service on public.payment_refunds for all to sb_credits using (true) with check (true);
create policy payment_cancellations_service on public.payment_cancellations for all to sb_credits
  using (true) with check (true);
create policy payment_comparisons_service on public.payment_comparisons for all to sb_credits using (true) with check (true);

create policy subscription_tiers_public on public.subscription_tiers for select to authenticated, sb_credits_user using (
  tableoid = 'public.subscription_tiers'::regclass
  and tableoid = (select sb.require_user('public.subscription_tiers'))
);
create policy user_subscriptions_own on public.user_subscriptions for select to authenticated, sb_credits_user
  using (user_id = (select sb.current_user_id()) and user_id = (select sb.current_user_id()));
create policy credit_balances_own on public.credit_balances for select to authenticated, sb_credits_user
  using (user_id = (select sb.current_user_id()) and user_id = (select sb.current_user_id()));
create policy credit_transactions_own on public.credit_transactions for select to authenticated, sb_credits_user
  using (user_id = (select sb.current_user_id()) and user_id = (select sb.current_user_id()));
create policy credit_pricing_public on public.credit_pricing for select to authenticated, sb_credits_user using (
  tableoid = 'public.credit_pricing'::regclass
  and tableoid = (select sb.require_user('public.credit_pricing'))
);
create policy credit_reservations_own on public.credit_reservations for select to authenticated, sb_credits_user
  using (user_id = (select sb.current_user_id()) and user_id = (select sb.current_user_id()));
create policy credit_grants_own on public.credit_grants for select to authenticated, sb_credits_user
  using (user_id = (select sb.current_user_id()) and user_id = (select sb.current_user_id()));

-- ---------------------------------------------------------------------------------------------------------------
-- Grants. Nobody may write the tables: the functions do, with the rights of their owner. Only what the payment provider
-- told, and how far it was asked, is for the service to write down.

revoke all on table
  public.subscription_tiers, public.user_subscriptions, public.credit_balances, public.credit_transactions,
  public.credit_pricing, public.credit_reservations, public.credit_grants, public.credit_idempotency,
  public.subscription_tier_versions, public.credit_audit, public.payment_events, public.payment_refunds,
  public.payment_cancellations, public.payment_comparisons
  from public, anon, authenticated, service_role;
revoke all on function
  sb.whole_balance, sb.whole_reservation, sb.whole_entry, sb.credit_hash, sb.iso_time, sb.billing_period, sb.period_after, sb.append_credit_event, sb.seen_credit_request,
  sb.lock_account, sb.lock_reservation, sb.move_account, sb.burn_grants, sb.resumable_runs, sb.add_grant, sb.available,
  sb.shown_available, sb.expire_grants, sb.apply_tier, sb.renew_account, sb.frozen_prices, sb.tier_limits,
  sb.decide, sb.enter_decision, sb.scene_of, sb.has_thresholds, sb.promote_waiting, sb.close_reservation, sb.expire_overdue,
  sb.price_at, sb.cost_of,
  sb.priced_usage, sb.account_bound, sb.fund_usage, sb.extend_for_usage, sb.charge_late, sb.record_usage,
  sb.settle_if_complete, sb.settle_lines, sb.consume_alone, sb.consume_lines, sb.refuse_ledger_change,
  sb.wrong_entries, sb.wrong_grants, sb.wrong_totals, public.check_credits,
  public.reserve_credits, public.extend_reservation, public.heartbeat_reservations, public.consume_credits,
  public.consume_usage, public.record_closing, public.claim_incomplete_closings, public.release_credits,
  public.expire_reservations, public.grant_monthly_credits, public.adjust_credits, public.grant_credits,
  public.expire_grants_due, public.open_account,
  public.close_account, public.change_tier, public.price_estimate, public.verify_credits, public.verify_accounts,
  sb.tell_subscription, sb.move_tier, sb.account_state, sb.begin_operation, sb.end_operation,
  sb.apply_terms, sb.take_back, sb.tell_low, sb.low_threshold, public.set_low_thresholds, public.choose_tier, public.apply_tier_versions, public.operator_grant, public.operator_adjust, public.operator_refund,
  public.operator_revoke_grant, public.operator_change_tier, public.operator_version_price, public.operator_version_tier,
  public.record_operator_read, public.set_time_zone, public.sync_subscription, public.refund_payment
  from public, anon, authenticated, service_role;
revoke all on type sb.usage_line, sb.usage_room from public;

grant select on
  public.subscription_tiers, public.user_subscriptions, public.credit_balances, public.credit_transactions,
  public.credit_pricing, public.credit_reservations, public.credit_grants, public.credit_idempotency,
  public.subscription_tier_versions, public.credit_audit, public.payment_events, public.payment_refunds,
  public.payment_cancellations, public.payment_comparisons
  to sb_credits;
grant insert, update on public.payment_events to sb_credits;
grant update on public.payment_cancellations, public.payment_comparisons to sb_credits;
grant select on
  public.subscription_tiers, public.user_subscriptions, public.credit_balances, public.credit_transactions,
  public.credit_pricing, public.credit_reservations, public.credit_grants
  to sb_credits_user, authenticated;
grant execute on function
  public.check_credits, public.reserve_credits, public.extend_reservation, public.heartbeat_reservations,
  public.consume_credits, public.consume_usage, public.record_closing, public.claim_incomplete_closings,
  public.release_credits, public.expire_reservations, public.grant_monthly_credits, public.adjust_credits,
  public.grant_credits, public.expire_grants_due, public.open_account, public.close_account, public.change_tier,
  public.price_estimate, public.verify_credits, public.verify_accounts, public.choose_tier, public.apply_tier_versions, public.operator_grant, public.operator_adjust, public.operator_refund,
  public.operator_revoke_grant, public.operator_change_tier, public.operator_version_price, public.operator_version_tier,
  public.record_operator_read, public.set_low_thresholds, public.set_time_zone, public.sync_subscription,
  public.refund_payment
  to sb_credits;

-- migrate:down

drop function
  public.record_operator_read, public.operator_version_tier, public.operator_version_price, public.operator_change_tier,
  public.operator_revoke_grant, public.operator_refund, public.operator_adjust, public.operator_grant,
  public.apply_tier_versions, public.choose_tier, public.set_low_thresholds, public.refund_payment,
  public.sync_subscription, public.set_time_zone;
drop function sb.take_back, sb.apply_terms, sb.end_operation, sb.begin_operation, sb.account_state;
drop function
  public.expire_grants_due, public.grant_credits, public.verify_credits, public.verify_accounts, public.price_estimate, public.change_tier, public.close_account, public.open_account,
  public.adjust_credits, public.grant_monthly_credits, public.expire_reservations, public.release_credits,
  public.claim_incomplete_closings, public.record_closing, public.consume_usage, public.consume_credits,
  public.heartbeat_reservations, public.extend_reservation, public.reserve_credits, public.check_credits;
drop function
  sb.wrong_totals, sb.wrong_grants, sb.wrong_entries, sb.scene_of, sb.consume_lines, sb.consume_alone, sb.settle_lines, sb.settle_if_complete, sb.record_usage, sb.charge_late,
  sb.extend_for_usage, sb.fund_usage, sb.account_bound, sb.priced_usage, sb.cost_of, sb.price_at,
  sb.expire_overdue, sb.close_reservation, sb.promote_waiting, sb.enter_decision, sb.decide, sb.tier_limits, sb.frozen_prices,
  sb.move_tier, sb.renew_account, sb.apply_tier, sb.tell_subscription, sb.expire_grants, sb.shown_available, sb.add_grant, sb.resumable_runs,
  sb.burn_grants, sb.move_account, sb.tell_low, sb.has_thresholds, sb.low_threshold, sb.available, sb.lock_reservation, sb.lock_account, sb.seen_credit_request,
  sb.append_credit_event, sb.period_after, sb.billing_period, sb.iso_time, sb.credit_hash;
drop type sb.usage_line, sb.usage_room;
select sb.forget_partitions('credit_transactions');
alter table public.credit_balances drop constraint credit_balances_whole;
alter table public.credit_reservations drop constraint credit_reservations_whole;
drop function sb.whole_reservation, sb.whole_balance;
drop table
  public.payment_comparisons, public.payment_cancellations, public.payment_refunds, public.payment_events, public.credit_audit, public.subscription_tier_versions, public.credit_transactions, public.credit_idempotency, public.credit_grants, public.credit_reservations,
  public.credit_pricing, public.credit_balances, public.user_subscriptions, public.subscription_tiers;
drop function sb.refuse_ledger_change, sb.whole_entry;
