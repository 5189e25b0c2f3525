import type { Catalog } from '../../catalog.ts';
import type { Session } from '../acting.ts';
import { refusalOf } from '../trial.ts';
import { defectsIn } from './bodies.ts';
import { equivalents } from './equivalents.ts';
import type { Mutant } from './mutant.ts';

/** Those whose bodies are tried: what the design names, what its triggers call, and who lets people in. */
const named = [
  ...['encrypt_token', 'decrypt_token', 'refresh_expiring_tokens'],
  ...['check_credits', 'reserve_credits', 'consume_credits', 'release_credits', 'grant_monthly_credits'],
  ...['extend_reservation', 'heartbeat_reservations', 'expire_reservations', 'record_closing'],
  ...['adjust_credits', 'grant_credits', 'expire_grants_due'],
  ...['sb.wrong_entries', 'sb.wrong_grants', 'sb.wrong_totals'],
  ...['calculate_next_run', 'update_scheduled_task_stats'],
  ...['generate_share_token', 'redeem_share_token'],
  ...['update_participant_presence', 'mark_stale_participants_offline'],
  ...['update_run_statistics', 'count_new_steps', 'check_run_completion'],
  ...['update_wide_research_progress', 'check_wide_research_completion'],
];

/**
 * Every defect in the body of a named function that Postgres still takes for a function and that makes a difference.
 */
export async function functionMutants(session: Session, { functions }: Catalog): Promise<Mutant[]> {
  const mutants: Mutant[] = [];
  await session.query('BEGIN');
  for (const { name, definition } of functions) {
    const tested = name.replace(/^public\.|\(.*$/g, '');
    if (!named.includes(tested)) continue;
    const [, head = '', body = '', tail = ''] =
      /^(.*?\$function\$)(.*)(\$function\$.*)$/s.exec(definition) ?? [];
    for (const defect of defectsIn(body)) {
      const sql = `${head}${defect.text}${tail}`;
      const mutant = `${tested}, ${defect.name}`;
      if (mutant in equivalents) continue;
      if ((await refusalOf(session, () => session.query(sql))) !== null) continue;
      mutants.push({ kind: 'functions', object: name, tested, name: mutant, sql });
    }
  }
  await session.query('ROLLBACK');
  return mutants;
}
