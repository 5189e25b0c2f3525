import { existsSync } from 'node:fs';
import { join } from 'node:path';
import type { TestDatabase } from '@swissbrain/testkit/database';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { createFilledDatabase, fillTimeoutMs } from './filled.ts';
import { openPlanner, type Planner } from './plans.ts';
import { agentCoreGuards, agentCoreUses } from './uses/agent-core.ts';
import { billingGuards, billingUses } from './uses/billing.ts';
import { collaborationGuards, collaborationUses } from './uses/collaboration.ts';
import { connectorGuards, connectorUses } from './uses/connector.ts';
import { platformGuards, platformUses } from './uses/platform.ts';
import { scheduledTaskGuards, scheduledTaskUses } from './uses/scheduled-tasks.ts';
import { wideResearchGuards, wideResearchUses } from './uses/wide-research.ts';

const root = join(import.meta.dirname, '../..');
const slices = {
  platform: platformUses,
  'agent core': agentCoreUses,
  connector: connectorUses,
  billing: billingUses,
  'wide research': wideResearchUses,
  'scheduled tasks': scheduledTaskUses,
  collaboration: collaborationUses,
};
const guards: Readonly<Record<string, string>> = {
  ...platformGuards,
  ...agentCoreGuards,
  ...connectorGuards,
  ...billingGuards,
  ...wideResearchGuards,
  ...scheduledTaskGuards,
  ...collaborationGuards,
};
const uses = Object.values(slices).flat();

let database: TestDatabase;
let planner: Planner;

beforeAll(async () => {
  database = await createFilledDatabase();
  planner = await openPlanner(database.adminUrl);
}, fillTimeoutMs);
afterAll(async () => {
  await planner.end();
  await database.drop();
});

describe.each(Object.entries(slices))('of the %s', (_, ofSlice) => {
  it.each(ofSlice.map((use) => [use.by, use] as const))('%s', async (_by, use) => {
    const plans = await planner.plansOf(use.as, use.run);
    expect([...plans.indexes]).toEqual(expect.arrayContaining([...use.indexes]));
    expect([...plans.sweeps].filter((table) => use.sweeps?.[table] === undefined)).toEqual([]);
  });
});

describe('every index', () => {
  it('has a query that uses it, or keeps something apart', async () => {
    const indexes = await database.query<{ name: string }>(
      `SELECT c.relname AS name FROM pg_index i JOIN pg_class c ON c.oid = i.indexrelid
       WHERE c.relnamespace IN ('public'::regnamespace, 'sb'::regnamespace) AND NOT c.relispartition
         AND i.indrelid <> to_regclass('public.schema_migrations') ORDER BY 1`,
    );
    const named = new Set([...uses.flatMap((use) => use.indexes), ...Object.keys(guards)]);
    const names = indexes.map(({ name }) => name);
    expect(names.filter((name) => !named.has(name))).toEqual([]);
    expect([...named].filter((name) => !names.includes(name))).toEqual([]);
  });

  it('that only keeps something apart is a key', async () => {
    const keys = await database.query<{ name: string }>(
      `SELECT c.relname AS name FROM pg_index i JOIN pg_class c ON c.oid = i.indexrelid
       WHERE i.indisunique OR i.indisexclusion`,
    );
    const names = new Set(keys.map(({ name }) => name));
    expect(Object.keys(guards).filter((name) => !names.has(name))).toEqual([]);
  });

  it('is named beside a file that exists', () => {
    const files = uses.flatMap(({ file }) => (file === undefined ? [] : [file]));
    expect(files.filter((file) => !existsSync(join(root, file)))).toEqual([]);
  });
});
