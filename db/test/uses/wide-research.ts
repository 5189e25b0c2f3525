import { findTemplate, selectTemplates } from '../../../services/wide-research/src/store/templates.ts';
import { filledId } from '../filled.ts';
import { type Guards, owner, statement, type Use } from './use.ts';

const store = 'services/wide-research/src/store';
const service = { service: 'wide-research' } as const;
const userId = filledId('user', 0);
const user = { ...service, userId } as const;
const research = filledId('research', 3);
const position = { createdAt: '2000-01-01T00:00:00Z', id: filledId('nobody', 0) };

/** Uses of the tables of wide research. */
export const wideResearchUses: readonly Use[] = [
  {
    by: 'GET /v1/templates: shipped and own ones',
    file: `${store}/templates.ts`,
    indexes: ['wide_research_templates_shipped_slug_idx', 'wide_research_templates_user_slug_idx'],
    as: user,
    run: ({ tx }) => selectTemplates(tx, { after: position, limit: 21 }),
  },
  {
    by: 'GET /v1/templates/:id',
    file: `${store}/templates.ts`,
    indexes: ['wide_research_templates_pkey'],
    as: user,
    run: ({ tx }) => findTemplate(tx, filledId('template', 1)),
  },
  {
    by: 'a template by its slug, shipped or own',
    indexes: ['wide_research_templates_shipped_slug_idx', 'wide_research_templates_user_slug_idx'],
    as: service,
    run: async ({ query }) => {
      await query(`SELECT id FROM wide_research_templates WHERE slug = 'fact_check' AND user_id IS NULL`);
      await query(`SELECT id FROM wide_research_templates WHERE slug = 'fill_1' AND user_id = $1`, [userId]);
    },
  },
  {
    by: 'GET /v1/research: newest first',
    indexes: ['wide_research_jobs_list_idx'],
    as: user,
    run: statement(
      'SELECT id, title, status FROM wide_research_jobs WHERE user_id = $1 ORDER BY created_at DESC, id DESC LIMIT 21',
      userId,
    ),
  },
  {
    by: 'GET /v1/research/:id with its items',
    indexes: ['wide_research_jobs_pkey', 'wide_research_subtasks_index_key'],
    as: user,
    run: async ({ query }) => {
      await query('SELECT * FROM wide_research_jobs WHERE id = $1', [research]);
      await query(
        'SELECT * FROM wide_research_subtasks WHERE job_id = $1 AND item_index > 5 ORDER BY item_index LIMIT 10',
        [research],
      );
    },
  },
  {
    by: 'POST /v1/research: the same key again',
    indexes: ['wide_research_jobs_idempotency_key'],
    as: user,
    run: statement(
      `SELECT id FROM wide_research_jobs WHERE user_id = $1 AND idempotency_key = 'key-1'`,
      userId,
    ),
  },
  {
    by: 'the worker that fans out: what nobody has',
    indexes: ['wide_research_jobs_open_idx'],
    as: service,
    run: statement(
      `SELECT id FROM wide_research_jobs
       WHERE status IN ('pending', 'running') AND (lease_until IS NULL OR lease_until < now())
       ORDER BY lease_until NULLS FIRST, id LIMIT 10 FOR UPDATE SKIP LOCKED`,
    ),
  },
  {
    by: 'the end of a run: the research it started, or the item it was',
    indexes: ['wide_research_jobs_run_idx', 'wide_research_subtasks_run_key'],
    as: service,
    run: async ({ query }) => {
      await query('SELECT id FROM wide_research_jobs WHERE run_id = $1', [filledId('run', 2)]);
      await query('SELECT id FROM wide_research_subtasks WHERE run_id = $1', [filledId('item run', 1)]);
    },
  },
  {
    by: 'fan-out: an item that is there already, and the next to be asked for',
    indexes: ['wide_research_subtasks_item_key', 'wide_research_subtasks_pending_idx'],
    as: service,
    run: async ({ query }) => {
      await query(
        `INSERT INTO wide_research_subtasks (job_id, user_id, item_index, item_key, input) VALUES ($1, $2, 99, 'item 1', '{}')
         ON CONFLICT (job_id, item_key) DO NOTHING`,
        [research, userId],
      );
      await query(
        `SELECT id FROM wide_research_subtasks WHERE job_id = $1 AND status = 'pending' ORDER BY item_index LIMIT 5`,
        [research],
      );
    },
  },
  {
    by: 'items that were asked for and never answered',
    indexes: ['wide_research_subtasks_requested_idx', 'wide_research_subtasks_pkey'],
    as: service,
    run: statement(
      `UPDATE wide_research_subtasks SET updated_at = now() WHERE id = ANY (ARRAY(
         SELECT id FROM wide_research_subtasks WHERE status = 'requested' AND requested_at < now() - interval '59 days'
         ORDER BY requested_at LIMIT 10))`,
    ),
  },
  {
    by: "a user's items, newest first",
    indexes: ['wide_research_subtasks_user_idx'],
    as: user,
    run: statement(
      'SELECT id, item_key, status FROM wide_research_subtasks WHERE user_id = $1 ORDER BY created_at DESC LIMIT 21',
      userId,
    ),
  },
  {
    by: 'a template or a research is deleted',
    indexes: ['wide_research_jobs_template_idx'],
    as: owner,
    run: statement('DELETE FROM wide_research_templates WHERE id = $1', filledId('template', 3)),
  },
];

/** What the unique indexes of wide research keep apart that no query uses. */
export const wideResearchGuards: Guards = {
  wide_research_jobs_id_user_key: 'items name the research with its user',
};
