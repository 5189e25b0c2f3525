/** Defects of functions that change nothing that anybody could observe, by their names, and why. */
export const equivalents: Readonly<Record<string, string>> = {
  ...because('nothing can be made to happen at the very instant that the clock of the database is read', [
    "extend_reservation, < in the place of `<=` in `when v_row.state <> 'active' or v_row.expires_at <= clock_timestamp() then 'clo…`",
    "sb.wrong_totals, >= in the place of `>` in `and r.purpose = 'run' and r.expires_at > clock_timestamp()`",
    'check_credits, < in the place of `<=` in `select sb.available(v_balance) + coalesce(sum(r.held_micro - r.consumed_micro) …`',
    "check_credits, >= in the place of `>` in `count(*) filter (where r.expires_at > v_now and r.purpose = 'run') into v_avail…`",
    'grant_credits, < in the place of `<=` in `if p_expires_at <= clock_timestamp() then`',
    "release_credits, < in the place of `<=` in `when v_row.state = 'active' and v_row.expires_at <= clock_timestamp() or v_row.…`",
    "heartbeat_reservations, >= in the place of `>` in `where r.id = locked.id and r.state = 'active' and r.expires_at > clock_timestam…`",
    'expire_grants_due, < in the place of `<=` in `where g.remaining_micro > 0 and g.expires_at <= v_now order by g.expires_at lim…`',
    "expire_reservations, < in the place of `<=` in `where r.state = 'active' and r.expires_at <= clock_timestamp() order by r.expir…`",
    "expire_reservations, < in the place of `<=` in `where r.user_id = any (v_users) and r.state = 'active' and r.expires_at <= cloc…`",
    "record_closing, < in the place of `<=` in `if v_row.state = 'active' and v_row.expires_at <= clock_timestamp() then`",
    "reserve_credits, < in the place of `<=` in `where r.user_id = p_user and r.state = 'active' and r.expires_at <= clock_times…`",
    'check_credits, < in the place of `<=` in `where g.user_id = p_user and g.remaining_micro > 0 and g.expires_at <= v_now));`',
  ]),
  ...because('what is left of an empty grant adds nothing to a sum; the condition is that of an index', [
    'check_credits, without `and g.remaining_micro > 0` in `where g.user_id = p_user and g.remaining_micro > 0 and g.expires_at <= v_now));`',
    'check_credits, >= in the place of `>` in `where g.user_id = p_user and g.remaining_micro > 0 and g.expires_at <= v_now));`',
  ]),
  ...because('an amount of zero was refused before', [
    "adjust_credits, <= in the place of `<` in `or (p_kind = 'refund') <> (p_reverses is not null) or (p_kind = 'refund' and p_…`",
    'adjust_credits, <= in the place of `<` in `elsif p_amount < 0 and v_balance.overdraft_limit_micro is not null and sb.avail…`',
    'adjust_credits, >= in the place of `>` in `elsif p_amount > 0 then`',
  ]),
  ...because('the other one of two statements asks the same again, of rows that are locked by then', [
    "heartbeat_reservations, without `and state = 'active'` in `where id = any (p_reservations) and state = 'active' order by id for no key upd…`",
    "heartbeat_reservations, without `and r.state = 'active'` in `where r.id = locked.id and r.state = 'active' and r.expires_at > clock_timestam…`",
    "expire_reservations, without `and r.expires_at <= clock_timestamp()` in `where r.state = 'active' and r.expires_at <= clock_timestamp() order by r.expir…`",
  ]),
  ...because(
    'it keeps calls about the same holds from waiting for one another in a ring, which no test can force',
    [
      "heartbeat_reservations, without `for no key update` in `where id = any (p_reservations) and state = 'active' order by id for no key upd…`",
    ],
  ),
  ...because('it says again what follows from the rest, so that an index serves or less is read', [
    'sb.wrong_totals, without `where user_id = any (p_users)` in `from public.credit_reservations where user_id = any (p_users) group by user_id`',
    'sb.wrong_totals, without `where user_id = any (p_users)` in `from public.credit_transactions where user_id = any (p_users) group by user_id`',
    'sb.wrong_totals, without `where user_id = any (p_users)` in `select user_id, sum(remaining_micro) as remaining from public.credit_grants whe…`',
    "sb.wrong_totals, without `user_id = any (p_users) and` in `where user_id = any (p_users) and kind in ('release', 'expire_hold') group by u…`",
    'sb.wrong_totals, without `and r.user_id = any (p_users)` in `join public.credit_reservations r on r.user_id = s.user_id and r.user_id = any …`',
    "sb.wrong_totals, without `s.user_id = any (p_users) and` in `where s.user_id = any (p_users) and s.status <> 'ended'`",
    'sb.wrong_totals, without `and b.user_id = any (p_users)` in `left join public.credit_balances b on b.user_id = a.user_id and b.user_id = any…`',
    "sb.wrong_totals, without `kind <> 'consume' and` in `sum(amount_micro) filter (where kind <> 'consume' and amount_micro > 0) as cred…`",
    "sb.wrong_totals, >= in the place of `>` in `sum(amount_micro) filter (where kind <> 'consume' and amount_micro > 0) as cred…`",
    'sb.wrong_entries, without `k.user_id = any (p_users) and` in `left join public.credit_idempotency k on k.user_id = any (p_users) and k.user_i…`',
    'sb.wrong_grants, without `and (t.amount_micro <> 0 or t.settled_micro <> 0)` in `where t.user_id = p_user and t.account_seq is not null and (t.amount_micro <> 0…`',
  ]),
  ...because('sb.expire_overdue() takes those of the account alone', [
    "reserve_credits, without `r.user_id = p_user and` in `where r.user_id = p_user and r.state = 'active' and r.expires_at <= clock_times…`",
  ]),
  ...because('sb.lock_reservation() refuses with the same code what is not there', [
    "record_closing, without `raise exception 'no reservation of run %', p_run using errcode = 'CR404'` in `raise exception 'no reservation of run %', p_run using errcode = 'CR404';`",
  ]),
  ...because('null in gives null out of all that follows', [
    'decrypt_token, without `RETURN NULL` in `RETURN NULL;`',
    'refresh_expiring_tokens, without `AND due.access_expires_at IS NOT NULL` in `AND due.access_expires_at IS NOT NULL`',
  ]),
  ...because(
    'sb.renew_account() decides again, under the lock: these conditions keep it from being asked in vain',
    [
      'grant_monthly_credits, without `where b.user_id in (select s.user_id from public.user_subscriptions s where s.s…` in `where b.user_id in (select s.user_id from public.user_subscriptions s`',
      "grant_monthly_credits, without `s.status <> 'ended' and` in `where s.status <> 'ended' and s.current_period_end <= p_as_of`",
      "grant_monthly_credits, without `and s.current_period_end <= p_as_of` in `where s.status <> 'ended' and s.current_period_end <= p_as_of`",
      "grant_monthly_credits, < in the place of `<=` in `where s.status <> 'ended' and s.current_period_end <= p_as_of`",
      'grant_monthly_credits, without `where r.renewed` in `from sb.renew_account(v_user, p_as_of) r where r.renewed;`',
    ],
  ),
};

function because(reason: string, names: readonly string[]): Record<string, string> {
  return Object.fromEntries(names.map((name) => [name, reason]));
}
