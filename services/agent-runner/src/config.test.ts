import { ConfigError, parseConfig } from '@swissbrain/service-kit/config';
import { agentMode } from '@swissbrain/shared-schema/http/agent-runner';
import { describe, expect, it } from 'vitest';
import { loadModes } from './agent/modes.ts';
import { type Config, configSchema } from './config.ts';

const needed = {
  DATABASE_URL: 'postgresql://nobody@localhost/none',
  NATS_URL: 'nats://localhost:4222',
  REDIS_URL: 'redis://localhost:6379',
  AUTH_JWT_SECRET: 'a secret of 32 characters or more',
  STORAGE_DIR: '/tmp/none',
  STORAGE_SIGNING_SECRET: 'another secret of 32 characters or more',
  SANDBOX_DIR: '/tmp/none',
  SANDBOX_SECRET: 'a third secret of 32 characters or more',
};
/** The problems of the environment with these settings; none when it is taken. */
function problemsOf(settings: Record<string, string>): readonly string[] {
  try {
    parseConfig(configSchema, { ...needed, ...settings });
    return [];
  } catch (error) {
    if (error instanceof ConfigError) return error.problems;
    throw error;
  }
}
const several = (models: unknown, modes: unknown = {}) => ({
  MODEL_CONFIG: JSON.stringify({ models, default: Object.keys(models as object), modes }),
});

describe('a model that cannot be asked', () => {
  it.each([
    ['MODEL_NAME', { MODEL_NAME: 'gpt-4.1' }, /MODEL_BASE_URL.*OPENAI_API_KEY.*ANTHROPIC_API_KEY/],
    ['MODEL_NAME', { MODEL_NAME: 'gpt-4.1', MODEL_API_KEY: 'sk-secret' }, /MODEL_BASE_URL/],
    [
      'ANTHROPIC_API_KEY',
      { MODEL_NAME: 'claude-sonnet-4-5', OPENAI_API_KEY: 'sk-secret' },
      /asked with a key/,
    ],
    [
      'MODEL_CONFIG.models.smart.api_key',
      several({ smart: { provider: 'anthropic' } }),
      /set ANTHROPIC_API_KEY/,
    ],
    [
      'MODEL_CONFIG.models.gpt.api_key',
      { ...several({ gpt: { provider: 'openai' } }), ANTHROPIC_API_KEY: 'sk-secret' },
      /set OPENAI_API_KEY/,
    ],
    [
      'IMAGE_MODEL',
      { IMAGE_MODEL: 'gpt-image-1', ANTHROPIC_API_KEY: 'sk-secret' },
      /set IMAGE_API_KEY or OPENAI/,
    ],
    ['EMBEDDING_MODEL', { EMBEDDING_MODEL: 'text-embedding-3-small' }, /set EMBEDDING_API_KEY or OPENAI/],
  ])('is refused at start: %s', (place, settings: Record<string, string>, words) => {
    const problems = problemsOf(settings);
    expect(problems).toHaveLength(1);
    expect(problems[0]).toContain(place);
    expect(problems[0]).toMatch(words);
    expect(problems[0]).not.toContain('sk-secret');
  });

  it.each([
    ['none at all', {}],
    ['an own server', { MODEL_NAME: 'qwen3', MODEL_BASE_URL: 'http://127.0.0.1:11434/v1' }],
    ['OpenAI', { MODEL_NAME: 'gpt-4.1', OPENAI_API_KEY: 'sk', IMAGE_MODEL: 'x', EMBEDDING_MODEL: 'y' }],
    ['Anthropic', { MODEL_NAME: 'claude-sonnet-4-5', ANTHROPIC_API_KEY: 'sk' }],
    ['several with keys of their own', several({ a: { provider: 'anthropic', api_key: 'k' } })],
    ['several with a common key', { ...several({ a: { provider: 'openai' } }), OPENAI_API_KEY: 'sk' }],
    ['pictures of another server', { IMAGE_MODEL: 'sd', IMAGE_BASE_URL: 'http://127.0.0.1:9/v1' }],
  ])('is not: %s', (_, settings: Record<string, string>) => {
    expect(problemsOf(settings)).toEqual([]);
  });
});

describe('the wall clock of runs', () => {
  it('is by default that of the mode that allows the most', () => {
    const { RUN_MAX_SECONDS: most }: Config = parseConfig(configSchema, needed);
    const modes = loadModes(null, () => ({}));
    expect(Math.max(...agentMode.options.map((mode) => modes.get(mode).limits.max_seconds))).toBe(most);
  });

  it('is not exceeded by the configuration of a mode', () => {
    const local = { a: { provider: 'openai-compatible', base_url: 'http://127.0.0.1:11434/v1' } };
    const longer = several(local, { coding: { max_seconds: 20_000 } });
    expect(problemsOf(longer)).toEqual([
      expect.stringMatching(/modes\.coding\.max_seconds.*RUN_MAX_SECONDS/),
    ]);
    expect(problemsOf({ ...longer, RUN_MAX_SECONDS: '20000' })).toEqual([]);
  });
});
