/** A question of the API twice: left to the policies, and with their condition written by hand. */
export interface Query {
  readonly name: string;
  readonly service: 'agent_runner' | 'credits' | 'collab';
  /** Parameters: what `parameter` gives. */
  readonly underPolicies: string;
  /** One parameter more, the last: the user. */
  readonly byHand: string;
  /** SQL that gives one parameter for the user $1; none for a list. */
  readonly parameter?: string;
}

const newest = 'ORDER BY created_at DESC, id DESC LIMIT 21';
const taking = `id = ANY (ARRAY(SELECT session_id FROM collaboration_participants WHERE user_id = $1 AND revoked_at IS NULL))`;

/** Lists and single reads of three services, among them the policy with two ways in. */
export const queries: readonly Query[] = [
  {
    name: 'list runs',
    service: 'agent_runner',
    underPolicies: `SELECT * FROM agent_runs ${newest}`,
    byHand: `SELECT * FROM agent_runs WHERE user_id = $1 ${newest}`,
  },
  {
    name: 'list ledger entries',
    service: 'credits',
    underPolicies: `SELECT * FROM credit_transactions ${newest}`,
    byHand: `SELECT * FROM credit_transactions WHERE user_id = $1 ${newest}`,
  },
  {
    name: 'list documents, own and shared',
    service: 'collab',
    underPolicies: `SELECT id, title, status FROM collaboration_sessions ${newest}`,
    byHand: `SELECT id, title, status FROM collaboration_sessions WHERE user_id = $1 OR ${taking} ${newest}`,
  },
  {
    name: 'read a run',
    service: 'agent_runner',
    underPolicies: 'SELECT * FROM agent_runs WHERE id = $1',
    byHand: 'SELECT * FROM agent_runs WHERE id = $1 AND user_id = $2',
    parameter: 'SELECT id FROM agent_runs WHERE user_id = $1 LIMIT 1',
  },
  {
    name: 'read the steps of a run',
    service: 'agent_runner',
    underPolicies: 'SELECT * FROM agent_steps WHERE run_id = $1 ORDER BY step_index',
    byHand: 'SELECT * FROM agent_steps WHERE run_id = $1 AND user_id = $2 ORDER BY step_index',
    parameter: 'SELECT run_id FROM agent_steps WHERE user_id = $1 LIMIT 1',
  },
];
