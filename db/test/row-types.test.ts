import type { AgentRunnerDatabase, AgentRunsTable } from '@swissbrain/shared-schema/db/agent-runner';
import {
  DummyDriver,
  type Insertable,
  Kysely,
  PostgresAdapter,
  PostgresIntrospector,
  PostgresQueryCompiler,
  type Selectable,
} from 'kysely';
import { describe, expect, expectTypeOf, it } from 'vitest';
import { rowTypes } from '../row-types.ts';

describe('row types', () => {
  it('are what Kysely takes and gives', () => {
    const db = new Kysely<AgentRunnerDatabase>({
      dialect: {
        createAdapter: () => new PostgresAdapter(),
        createDriver: () => new DummyDriver(),
        createIntrospector: (own) => new PostgresIntrospector(own),
        createQueryCompiler: () => new PostgresQueryCompiler(),
      },
    });
    const row: Insertable<AgentRunsTable> = {
      user_id: 'u',
      root_run_id: 'r',
      kind: 'goal',
      title: 't',
      goal: 'g',
    };
    const { sql } = db
      .insertInto('agent_runs')
      .values({ ...row, finished_at: null, inputs: '{}' })
      .compile();
    expect(sql).toContain('insert into "agent_runs"');

    type Run = Selectable<AgentRunsTable>;
    expectTypeOf<Run['run_seq']>().toEqualTypeOf<bigint>();
    expectTypeOf<Run['created_at']>().toEqualTypeOf<Date>();
    expectTypeOf<Run['finished_at']>().toEqualTypeOf<Date | null>();
    expectTypeOf<Run['inputs']>().toEqualTypeOf<unknown>();
    expectTypeOf<Run['kind']>().toEqualTypeOf<'playbook' | 'goal'>();
    expectTypeOf<Run['planning_done']>().toEqualTypeOf<boolean>();
    expectTypeOf<Run['budget_micro']>().toEqualTypeOf<bigint | null>();
    expectTypeOf<Insertable<AgentRunsTable>['planning_done']>().toEqualTypeOf<boolean | undefined>();
    expectTypeOf<Selectable<AgentRunnerDatabase['event_outbox']>['shard']>().toEqualTypeOf<number>();
  });

  it('fail to be made for a type of column that they do not know', () => {
    const column = {
      name: 'place',
      comment: null,
      type: 'point',
      not_null: true,
      expression: null,
      generated: false,
      identity: null,
    };
    const table = {
      ...{
        schema: 'public',
        name: 'places',
        comment: null,
        partition_key: null,
        options: null,
        row_security: true,
      },
      ...{ columns: [column], constraints: [], indexes: [], policies: [] },
    };
    const grant = { object: 'TABLE public.places', privilege: 'SELECT', columns: null, grantee: 'sb_collab' };
    const catalog = { schemas: [], enums: [], tables: [table], functions: [], triggers: [], grants: [grant] };
    expect(() => rowTypes(catalog)).toThrow('no TypeScript type for places.place point');
  });
});
