import { createTestDatabase } from '@swissbrain/testkit/database';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { type Catalog, readCatalog, type Table } from '../catalog.ts';
import { withClient } from '../migrate.ts';

/** The tables of each slice, its service's role, and the policies on them. */
const slices = {
  agent_core: {
    role: 'sb_agent_runner',
    policies: 15,
    tables: ['agent_runs', 'agent_steps', 'agent_artifacts', 'agent_messages', 'agent_memory'],
  },
  connector: {
    role: 'sb_connectors',
    policies: 8,
    tables: ['connector_definitions', 'connector_credentials', 'connector_usage_log'],
  },
  billing: {
    role: 'sb_credits',
    policies: 10,
    tables: [
      'subscription_tiers',
      'user_subscriptions',
      'credit_balances',
      'credit_transactions',
      'credit_pricing',
    ],
  },
  wide_research: {
    role: 'sb_wide_research',
    policies: 9,
    tables: ['wide_research_jobs', 'wide_research_subtasks', 'wide_research_templates'],
  },
  scheduled_tasks: { role: 'sb_scheduler', policies: 6, tables: ['scheduled_tasks', 'scheduled_task_runs'] },
  collaboration: {
    role: 'sb_collab',
    policies: 20,
    tables: [
      'collaboration_sessions',
      'collaboration_participants',
      'collaboration_invites',
      'collaboration_edits',
    ],
  },
} as const;
const namedTables = Object.values(slices).flatMap(({ tables }) => [...tables]);

let database: Awaited<ReturnType<typeof createTestDatabase>>;
let catalog: Catalog;

beforeAll(async () => {
  database = await createTestDatabase();
  catalog = await withClient(database.adminUrl, readCatalog);
});
afterAll(() => database.drop());

/** What of `wanted` the database lacks, by name. */
function missing(wanted: readonly string[], found: readonly string[]): string[] {
  return wanted.filter((name) => !found.includes(name));
}

function tablesNamed(names: readonly string[]): Table[] {
  return catalog.tables.filter(({ schema, name }) => schema === 'public' && names.includes(name));
}

describe('the schema has', () => {
  it('22 named tables', () => {
    expect(namedTables).toHaveLength(22);
    expect(
      missing(
        namedTables,
        tablesNamed(namedTables).map(({ name }) => name),
      ),
    ).toEqual([]);
  });

  it('row-level security on every table, and a comment', () => {
    const without = (test: (table: Table) => boolean) =>
      catalog.tables.filter((table) => !test(table)).map(({ name }) => name);
    expect(without(({ row_security }) => row_security)).toEqual([]);
    expect(without(({ comment }) => comment !== null)).toEqual([]);
  });

  it.each(Object.entries(slices))('its policies on the slice %s', (_, { role, policies, tables }) => {
    const found = tablesNamed(tables);
    expect(found.flatMap((table) => table.policies)).toHaveLength(policies);
    const withoutService = found.filter(
      (table) => !table.policies.some(({ command, roles }) => command === 'ALL' && roles.join() === role),
    );
    expect(withoutService.map(({ name }) => name)).toEqual([]);
  });

  it('68 policies in all', () => {
    expect(tablesNamed(namedTables).flatMap((table) => table.policies)).toHaveLength(68);
  });

  it('at least 68 indexes, and at least 17 on the agent core beside those of its keys', () => {
    expect(tablesNamed(namedTables).flatMap((table) => table.indexes).length).toBeGreaterThanOrEqual(68);
    const agentCore = tablesNamed(slices.agent_core.tables).flatMap((table) => table.indexes);
    expect(agentCore.filter(({ constraint }) => !constraint).length).toBeGreaterThanOrEqual(17);
  });

  it('an index for every foreign key by which a deletion goes on', () => {
    const bare = catalog.tables.flatMap((table) =>
      table.constraints.flatMap(({ name, definition }) => {
        const column = /^FOREIGN KEY \((\w+).* ON DELETE /.exec(definition)?.[1];
        const indexed = table.indexes.some((index) => index.definition.includes(`(${column}`));
        return column === undefined || indexed ? [] : [name];
      }),
    );
    expect(bare).toEqual([]);
  });

  it('five triggers', () => {
    const wanted = [
      'trigger_update_run_statistics',
      'trigger_check_run_completion',
      'trigger_update_wide_research_progress',
      'trigger_check_wide_research_completion',
      'trigger_update_scheduled_task_stats',
    ];
    // Others keep a log from being rewritten, or count what the first cannot: all new rows of a statement at once.
    const more = [
      'agent_steps_count_new',
      'credit_transactions_append_only',
      'credit_transactions_not_emptied',
    ];
    const found = catalog.triggers.filter(({ table }) =>
      namedTables.some((name) => table === `public.${name}`),
    );
    expect(found.map(({ name }) => name).toSorted()).toEqual([...wanted, ...more].toSorted());
  });

  it('thirteen functions', () => {
    const wanted = [
      ...['encrypt_token', 'decrypt_token', 'refresh_expiring_tokens'],
      ...['check_credits', 'reserve_credits', 'consume_credits', 'release_credits', 'grant_monthly_credits'],
      ...['calculate_next_run', 'update_scheduled_task_stats'],
      ...['generate_share_token', 'update_participant_presence', 'mark_stale_participants_offline'],
    ];
    expect(wanted).toHaveLength(13);
    expect(
      missing(
        wanted,
        catalog.functions.map(({ name }) => name.replace(/^public\.|\(.*$/g, '')),
      ),
    ).toEqual([]);
  });

  it('a pinned search_path on every function', () => {
    const loose = catalog.functions.filter(({ definition }) => !definition.includes('SET search_path TO'));
    expect(loose.map(({ name }) => name)).toEqual([]);
  });

  it('four enums with these values', () => {
    expect(Object.fromEntries(catalog.enums.map(({ name, values }) => [name, values.join(' ')]))).toEqual({
      'public.agent_run_status':
        'pending queued planning running waiting_input paused completed failed cancelled timed_out',
      'public.agent_step_status': 'pending running completed failed skipped cancelled',
      'public.tool_type':
        'llm code browser search file image connector wide_research memory schedule collab human',
      'public.agent_mode':
        'general chat research wide_research coding data_analysis writing presentation design browser automation playbook',
    });
  });

  it('tables partitioned by month', () => {
    const partitioned = catalog.tables.filter(({ partition_key }) => partition_key !== null);
    expect(partitioned.map(({ name }) => name)).toEqual([
      'connector_usage_log',
      'credit_transactions',
      'event_inbox',
      'event_outbox',
      'scheduled_task_runs',
    ]);
  });
});

describe('the seeds are', () => {
  it('4 tiers', async () => {
    const tiers = await database.query<Record<string, unknown>>(
      `SELECT code, monthly_credits_micro::text AS credits, max_concurrent_runs AS runs, max_parallel_items AS items, price_cents AS cents
       FROM subscription_tiers ORDER BY position`,
    );
    expect(tiers).toEqual([
      { code: 'free', credits: '100000000', runs: 1, items: 5, cents: 0 },
      { code: 'pro', credits: '1000000000', runs: 3, items: 20, cents: 1900 },
      { code: 'team', credits: '5000000000', runs: 10, items: 50, cents: 4900 },
      { code: 'enterprise', credits: null, runs: null, items: null, cents: null },
    ]);
  });

  it('13 prices', async () => {
    const prices = await database.query<{ operation: string }>('SELECT operation FROM credit_pricing');
    expect(prices).toHaveLength(13);
  });

  it('9 connectors', async () => {
    const connectors = await database.query<{ slug: string }>(
      'SELECT slug FROM connector_definitions ORDER BY slug',
    );
    expect(connectors.map(({ slug }) => slug)).toEqual([
      'figma',
      'github',
      'gmail',
      'google_calendar',
      'google_drive',
      'notion',
      'onedrive',
      'slack',
      'stripe',
    ]);
  });
});
