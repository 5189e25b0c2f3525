import type { Session } from './acting.ts';

const services = ['agent_runner', 'collab', 'connectors', 'credits', 'scheduler', 'wide_research'];
const everyService = services.map((service) => `sb_${service}`);
const everyUser = everyService.map((role) => `${role}_user`);

/** Who may call which function, beside its owner. A function without a line is for nobody: triggers and what others call. */
const callers: Readonly<Record<string, readonly string[]>> = {
  'sb.current_user_id': ['authenticated', ...everyService, ...everyUser],
  'sb.require_user': ['authenticated', ...everyUser],
  'sb.is_migrated': everyService,
  'sb.ensure_partitions': everyService,
  'sb.maintain_partitions': everyService,
  'public.ensure_user': everyUser,
  'sb.delete_user': ['sb_agent_runner'],

  'public.encrypt_token': ['sb_connectors'],
  'public.decrypt_token': ['sb_connectors'],
  'public.refresh_expiring_tokens': ['sb_connectors'],

  'public.open_account': ['sb_credits'],
  'public.close_account': ['sb_credits'],
  'public.check_credits': ['sb_credits'],
  'public.reserve_credits': ['sb_credits'],
  'public.extend_reservation': ['sb_credits'],
  'public.heartbeat_reservations': ['sb_credits'],
  'public.expire_reservations': ['sb_credits'],
  'public.consume_credits': ['sb_credits'],
  'public.consume_usage': ['sb_credits'],
  'public.record_closing': ['sb_credits'],
  'public.claim_incomplete_closings': ['sb_credits'],
  'public.release_credits': ['sb_credits'],
  'public.adjust_credits': ['sb_credits'],
  'public.grant_credits': ['sb_credits'],
  'public.expire_grants_due': ['sb_credits'],
  'public.change_tier': ['sb_credits'],
  'public.grant_monthly_credits': ['sb_credits'],
  'public.price_estimate': ['sb_credits'],
  'public.verify_accounts': ['sb_credits'],
  'public.verify_credits': ['sb_credits'],
  'public.choose_tier': ['sb_credits'],
  'public.set_low_thresholds': ['sb_credits'],
  'public.apply_tier_versions': ['sb_credits'],
  'public.set_time_zone': ['sb_credits'],
  'public.sync_subscription': ['sb_credits'],
  'public.refund_payment': ['sb_credits'],
  'public.operator_grant': ['sb_credits'],
  'public.operator_adjust': ['sb_credits'],
  'public.operator_refund': ['sb_credits'],
  'public.operator_revoke_grant': ['sb_credits'],
  'public.operator_change_tier': ['sb_credits'],
  'public.operator_version_price': ['sb_credits'],
  'public.operator_version_tier': ['sb_credits'],
  'public.record_operator_read': ['sb_credits'],

  'public.calculate_next_run': ['sb_scheduler', 'sb_scheduler_user'],

  'public.generate_share_token': ['sb_collab', 'sb_collab_user'],
  'public.redeem_share_token': ['sb_collab'],
  'public.update_participant_presence': ['sb_collab'],
  'public.mark_stale_participants_offline': ['sb_collab'],
  'sb.participating_roles': ['authenticated', 'sb_collab_user'],
  'sb.participating_sessions': ['authenticated', 'sb_collab_user'],
};

/**
 * Compares who may call the functions of SwissBrain with the table above, by asking for each role that can reach the
 * database.
 * @returns the differences, one line per function
 */
export async function checkCallers(session: Session): Promise<string[]> {
  const functions = await session.query<{ name: string; found: string[] }>(`
    SELECT n.nspname || '.' || p.proname AS name,
      ARRAY(SELECT r.rolname::text FROM pg_roles r
            WHERE (r.rolname ~ '^sb_(${services.join('|')})(_user|_login)?$' OR r.rolname IN ('anon', 'authenticated', 'service_role'))
              AND has_function_privilege(r.oid, p.oid, 'EXECUTE') ORDER BY 1) AS found
    FROM pg_proc p JOIN pg_namespace n ON n.oid = p.pronamespace
    WHERE n.nspname IN ('public', 'sb')
      AND NOT EXISTS (SELECT FROM pg_depend d WHERE d.classid = 'pg_proc'::regclass AND d.objid = p.oid AND d.deptype = 'e')
    ORDER BY 1`);
  const names = functions.map(({ name }) => name);
  const missing = Object.keys(callers).filter((name) => !names.includes(name));
  const different = functions.flatMap(({ name, found }) => {
    const expected = [...(callers[name] ?? [])].toSorted().join(', ');
    const actual = found.toSorted().join(', ');
    return expected === actual
      ? []
      : [`${name}: for ${expected || 'nobody'} expected, for ${actual || 'nobody'} found`];
  });
  return [...missing.map((name) => `there is no function ${name}`), ...different];
}
