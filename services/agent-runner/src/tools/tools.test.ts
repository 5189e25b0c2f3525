import { Ajv } from '@modelcontextprotocol/client/validators/ajv';
import { systemClock } from '@swissbrain/service-kit/clock';
import { parseConfig } from '@swissbrain/service-kit/config';
import { agentMode } from '@swissbrain/shared-schema/http/agent-runner';
import { operations } from '@swissbrain/shared-schema/operations';
import { describe, expect, it } from 'vitest';
import { loadModes } from '../agent/modes.ts';
import { configSchema } from '../config.ts';
import { allowsTool } from '../domain/mode.ts';
import { modelSchemaOf } from './model-schema.ts';
import { inputSchemaOf } from './registry.ts';
import { createTools, type ToolDeps } from './tools.ts';

const config = parseConfig(configSchema, {
  AUTH_JWT_SECRET: 'a secret that is long enough for a test',
  DATABASE_URL: 'postgres://localhost/x',
  NATS_URL: 'nats://localhost',
  REDIS_URL: 'redis://localhost',
  STORAGE_DIR: '/tmp',
  STORAGE_SIGNING_SECRET: 'signs the links of this test, 32 characters',
  SANDBOX_DIR: '/tmp',
  SANDBOX_SECRET: 'the sandbox secret of this test, 32 characters',
});
/** Nothing is called here: only what the tools say of themselves is looked at. */
const deps = {
  clock: systemClock,
  choice: { reason: 'no model' },
  embedder: null,
  served: { down: () => 'no service', look: async () => undefined },
  mcp: { list: () => [], find: () => undefined },
} as unknown as ToolDeps;
const tools = createTools(config, deps, []).list();
const priced: readonly string[] = Object.values(operations);

describe.each(tools)('the tool $name', (tool) => {
  it('says what it is in a form that models, users and the ledger take', () => {
    expect(tool.name).toMatch(/^[a-z][a-z_]{0,63}$/);
    expect(tool.description.length).toBeGreaterThan(20);
    expect(tool.timeoutSeconds).toBeGreaterThan(0);
    for (const { operation, quantity } of tool.estimate({})) {
      expect(priced).toContain(operation);
      expect(BigInt(quantity)).toBeGreaterThan(0n);
    }
    const schema = modelSchemaOf(inputSchemaOf(tool));
    expect(schema.type).toBe('object');
    expect(() =>
      new Ajv({ strict: false, logger: false, validateFormats: false }).compile(schema),
    ).not.toThrow();
    // What cannot be taken back is found again or never done twice.
    if (tool.effect === 'destructive') expect(tool.resume).not.toBe('repeat');
  });
});

it('no two tools have one name', () => {
  expect(new Set(tools.map(({ name }) => name)).size).toBe(tools.length);
});

it('every mode names tools that there are, and each tool for models belongs to some mode', () => {
  const modes = loadModes(null, () => ({}));
  for (const mode of agentMode.options) {
    for (const pattern of modes.get(mode).tools.filter((each) => !each.startsWith('mcp__'))) {
      const one = { ...modes.get(mode), tools: [pattern] };
      expect([mode, pattern, tools.some((tool) => allowsTool(one, tool))]).toEqual([mode, pattern, true]);
    }
  }
  for (const tool of tools.filter(({ offered }) => offered)) {
    expect([tool.name, agentMode.options.some((mode) => allowsTool(modes.get(mode), tool))]).toEqual([
      tool.name,
      true,
    ]);
  }
});
