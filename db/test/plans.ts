import type { Database, Tx } from '@swissbrain/service-kit/database';
import type { Connection } from '@swissbrain/service-kit/database-pool';
import { openTransaction } from '@swissbrain/service-kit/database-transaction';
import { createStatementNames } from '@swissbrain/service-kit/statement-names';
import { identifierOf, type ServiceName } from '@swissbrain/shared-schema/ids';
import pg from 'pg';
import { z } from 'zod';

/** What statements were planned to do, also those inside functions, triggers and foreign keys. */
export interface Plans {
  /**
   * Indexes by name; one of a partition under the name of its parent's. A query that goes by a longer key goes by the
   * one it begins with: by `(id, user_id)` as well as by `id`, whichever Postgres finds.
   */
  readonly indexes: ReadonlySet<string>;
  /** Tables with many rows that are read from one end to the other. */
  readonly sweeps: ReadonlySet<string>;
}

/** One transaction under the roles of a service, for the work whose plans are to be seen. */
export interface Acting {
  readonly tx: Tx;
  /** As `database.serviceStatement` and `withService` do it, all in this one transaction. */
  readonly database: Database;
  query(sql: string, values?: readonly unknown[]): Promise<unknown>;
}

/** Who works: a service for itself, or for one of its users; the owner where foreign keys and definers act. */
export type Actor = { readonly service: ServiceName; readonly userId?: string } | { readonly owner: true };

export interface Planner {
  /** Does the work in a transaction that is rolled back, and tells how Postgres did it. */
  plansOf(actor: Actor, work: (acting: Acting) => Promise<unknown>): Promise<Plans>;
  end(): Promise<void>;
}

interface PlanNode {
  readonly 'Node Type': string;
  readonly 'Index Name'?: string | undefined;
  readonly 'Relation Name'?: string | undefined;
  readonly 'Conflict Arbiter Indexes'?: string[] | undefined;
  readonly Plans?: PlanNode[] | undefined;
}
const planNode: z.ZodType<PlanNode> = z.lazy(() =>
  z.object({
    'Node Type': z.string(),
    'Index Name': z.string().optional(),
    'Relation Name': z.string().optional(),
    'Conflict Arbiter Indexes': z.array(z.string()).optional(),
    Plans: z.array(planNode).optional(),
  }),
);
const logged = z.object({ Plan: planNode });

/**
 * Postgres plans by itself; auto_explain tells what it has planned for each statement on every level. The one setting
 * is what the stack of this repository and Supabase run with, since no database lies on turning disks any more.
 */
const explaining = `
  LOAD 'auto_explain';
  SET auto_explain.log_min_duration = 0;
  SET auto_explain.log_nested_statements = on;
  SET auto_explain.log_format = json;
  SET auto_explain.log_level = notice;
  SET client_min_messages = notice;
  SET random_page_cost = 1.1`;

/** Opens a connection as the superuser of a filled database. */
export async function openPlanner(url: string): Promise<Planner> {
  const pool = new pg.Pool({ connectionString: url, max: 1 });
  const client = (await pool.connect()) as Connection;
  const parents = await parentIndexes(client);
  const beginnings = await keyBeginnings(client);
  const large = await largeTables(client);
  await client.query(explaining);
  return {
    async plansOf(actor, work) {
      const nodes: PlanNode[] = [];
      const collect = ({ message }: { message?: string | undefined }): void => {
        const json = /^duration: .*? plan:\n(.*)$/s.exec(message ?? '')?.[1];
        if (json !== undefined) flatten(logged.parse(JSON.parse(json)).Plan, nodes);
      };
      await client.query(`BEGIN;${openingOf(actor)}`);
      client.on('notice', collect);
      const transaction = openTransaction(client, createStatementNames(), []);
      try {
        await work(actingIn(client, actor, transaction.tx));
        await client.query('SELECT'); // the plan of a statement with parameters is told when the next one comes
      } finally {
        transaction.close();
        client.off('notice', collect);
        await client.query('ROLLBACK');
      }
      const used = nodes.flatMap((node) => [node['Index Name'], ...(node['Conflict Arbiter Indexes'] ?? [])]);
      const swept = nodes
        .filter((node) => node['Node Type'] === 'Seq Scan')
        .map((node) => node['Relation Name'] ?? '')
        .filter((name) => large.has(name));
      return {
        indexes: new Set(
          used
            .map((name) => parents.get(name ?? '') ?? name)
            .flatMap((name) => (name === undefined ? [] : [name, ...(beginnings.get(name) ?? [])])),
        ),
        sweeps: new Set(swept),
      };
    },
    async end() {
      client.release();
      await pool.end();
    },
  };
}

function openingOf(actor: Actor): string {
  if ('owner' in actor) return '';
  const role = `sb_${identifierOf(actor.service)}`;
  if (actor.userId === undefined) return `SET LOCAL ROLE "${role}"`;
  const claims = pg.escapeLiteral(JSON.stringify({ sub: actor.userId }));
  return `SET LOCAL ROLE "${role}_user";SET LOCAL request.jwt.claims TO ${claims}`;
}

function actingIn(client: Connection, actor: Actor, tx: Tx): Acting {
  return {
    tx,
    query: (sql, values = []) => client.query(sql, [...values]),
    database: {
      service: 'service' in actor ? actor.service : 'credits',
      withUser: (_, work) => work(tx),
      withService: (work) => work(tx),
      serviceStatement: async <R>(statement: Parameters<Database['serviceStatement']>[0]) =>
        (await statement.execute(tx)).rows as R[],
      close: async () => {},
    },
  };
}

function flatten(node: PlanNode, into: PlanNode[]): void {
  into.push(node);
  for (const child of node.Plans ?? []) flatten(child, into);
}

/** Index of a partition -> index of the partitioned table. */
async function parentIndexes(client: Connection): Promise<Map<string, string>> {
  const { rows } = await client.query<{ child: string; parent: string }>(
    `SELECT child.relname AS child, parent.relname AS parent
     FROM pg_inherits JOIN pg_class child ON child.oid = inhrelid JOIN pg_class parent ON parent.oid = inhparent
     WHERE child.relkind = 'i'`,
  );
  return new Map(rows.map(({ child, parent }) => [child, parent]));
}

/** Key -> other keys of the same table whose columns it begins with. */
async function keyBeginnings(client: Connection): Promise<Map<string, string[]>> {
  const { rows } = await client.query<{ name: string; beginnings: string[] }>(
    `SELECT long.indexrelid::regclass::text AS name, array_agg(short.indexrelid::regclass::text) AS beginnings
     FROM pg_index long JOIN pg_index short ON short.indrelid = long.indrelid AND short.indexrelid <> long.indexrelid
     WHERE long.indisunique AND short.indisunique AND short.indpred IS NULL
       AND long.indkey::text LIKE short.indkey::text || ' %'
     GROUP BY 1`,
  );
  return new Map(rows.map(({ name, beginnings }) => [name, beginnings]));
}

/** Tables and partitions of which at least a thousand rows are known. */
async function largeTables(client: Connection): Promise<Set<string>> {
  const { rows } = await client.query<{ relname: string }>(
    `SELECT relname FROM pg_class WHERE relkind = 'r' AND reltuples >= 1000
     AND relnamespace IN ('public'::regnamespace, 'sb_partitions'::regnamespace)`,
  );
  return new Set(rows.map(({ relname }) => relname));
}
