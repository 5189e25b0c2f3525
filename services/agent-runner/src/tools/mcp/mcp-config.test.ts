import { expect, it } from 'vitest';
import { mcpConfig, mcpConfigText, namedSecrets, redact, withSecrets } from './mcp-config.ts';
import { fits, toolNameOf } from './mcp-tool.ts';

const problemsOf = (config: unknown) =>
  (
    mcpConfigText.safeParse(typeof config === 'string' ? config : JSON.stringify(config)).error?.issues ?? []
  ).map((issue) => `${issue.path.join('.')}: ${issue.message}`);

it('tells every problem with its place, and no value', () => {
  expect(problemsOf('{"servers": {"a": {"headers": {"x": "sk-123"')).toEqual([': is not JSON']);
  const problems = problemsOf({
    servers: {
      both: { url: 'http://x', command: 'y' },
      none: {},
      mixed: { url: 'http://x', env: { TOKEN: 'sk-123' } },
      'Not A Name': { url: 'http://x' },
      odd: { url: 'ftp://x', headers: { 'a b': 'sk-123' } },
    },
  });
  for (const place of ['both.url', 'none.url', 'mixed.url', 'Not A Name', 'odd.url', 'odd.headers']) {
    expect(problems.join('\n')).toContain(`servers.${place}`);
  }
  expect(problems.join()).not.toContain('sk-123');
});

it('fills in secrets where they are named, only these variables, and takes them out of texts', () => {
  const named = `\${MCP_SECRET_A} and \${MCP_SECRET_B}, not \${DATABASE_URL}`;
  const config = mcpConfig.parse({ servers: { a: { url: 'http://x', headers: { k: named } } } });
  expect(namedSecrets(config)).toEqual([
    { path: ['servers', 'a', 'headers', 'k'], name: 'MCP_SECRET_A' },
    { path: ['servers', 'a', 'headers', 'k'], name: 'MCP_SECRET_B' },
  ]);
  const secrets = { MCP_SECRET_A: 'long "enough"', MCP_SECRET_B: 'short' };
  expect(withSecrets({ k: named }, secrets)).toEqual({ k: `long "enough" and short, not \${DATABASE_URL}` });
  expect(redact('{"a": "long \\"enough\\""} long "enough" short', secrets)).toBe(
    '{"a": "[secret]"} [secret] short',
  );
});

it('gives every tool a name that models take, and no two the same', () => {
  expect(toolNameOf('docs', 'read_page')).toBe('mcp__docs__read_page');
  const dotted = toolNameOf('docs', 'read.page');
  expect(dotted).toMatch(/^mcp__docs__read_page_[0-9a-f]{8}$/);
  expect(toolNameOf('docs', 'read page')).not.toBe(dotted);
  const long = toolNameOf('docs', `${'a'.repeat(100)}1`);
  expect(long).toHaveLength(64);
  expect(toolNameOf('docs', `${'a'.repeat(100)}2`)).not.toBe(long);
  expect([fits('re*', 'remove'), fits('re', 'remove'), fits('*', ''), fits('remove', 'remove')]).toEqual([
    true,
    false,
    true,
    true,
  ]);
});
