import { Ajv } from '@modelcontextprotocol/client/validators/ajv';
import { describe, expect, it } from 'vitest';
import { agentTool } from './agent.ts';
import { createBrowserTool } from './browser/browser.ts';
import { browserInput } from './browser/browser-protocol.ts';
import { codeTool } from './code.ts';
import { fileTool } from './file.ts';
import { humanTool } from './human.ts';
import { modelSchemaOf } from './model-schema.ts';
import { inputSchemaOf } from './registry.ts';
import type { Tool } from './tool.ts';

const browser = createBrowserTool({ reason: 'not here' });
const cases: [Tool, unknown[]][] = [
  [
    browser as Tool,
    [
      { action: 'open', address: 'https://example.org' },
      { action: 'click', target: { ref: 'e1' } },
      { action: 'type', target: { text: 'Name' }, text: 'x', submit: true },
      { action: 'read' },
      { action: 'screenshot', full_page: true },
    ],
  ],
  [
    fileTool as Tool,
    [
      { action: 'read', path: 'a' },
      { action: 'write', path: 'a', content: '' },
      { action: 'patch', path: 'a', old_text: 'x', new_text: 'y' },
      { action: 'list' },
    ],
  ],
  [codeTool as Tool, [{ language: 'python', code: '1' }]],
  [
    humanTool as Tool,
    [
      { question: 'Well?', choices: ['a'] },
      { question: 'Well?', answer_schema: { type: 'string' } },
    ],
  ],
  [agentTool as Tool, [{ goal: 'Look', inputs: { a: 1 } }]],
];

describe.each(cases)('the schema of $name for models', (tool, inputs) => {
  const schema = modelSchemaOf(inputSchemaOf(tool));
  it('is one object without alternatives at the top, and takes what the tool takes', () => {
    expect(schema).toMatchObject({ type: 'object' });
    for (const combined of ['oneOf', 'anyOf', 'allOf', 'not', 'enum', '$schema'])
      expect(schema).not.toHaveProperty(combined);
    expect(JSON.stringify(schema)).not.toContain('$ref');
    const valid = new Ajv({ strict: false, logger: false, validateFormats: false }).compile(schema);
    for (const input of inputs) {
      expect(tool.input.safeParse(input).success, JSON.stringify(input)).toBe(true);
      expect([valid(input), valid.errors], JSON.stringify(input)).toEqual([true, null]);
    }
    expect(valid({ nonsense: true })).toBe(false);
  });
});

it('says what goes with what, and leaves the rest to the tool', () => {
  const schema = modelSchemaOf(inputSchemaOf(browser as Tool)) as {
    required: string[];
    properties: Record<string, { enum?: string[]; description?: string }>;
  };
  expect(schema.required).toEqual(['action']);
  expect(schema.properties.action?.enum).toEqual(['open', 'click', 'type', 'read', 'screenshot']);
  expect(schema.properties.action?.description).toContain(
    'type: target, text, submit (optional); read: nothing else',
  );
  expect(browserInput.safeParse({ action: 'read', text: 'x' }).success).toBe(false);
  // Of a server's own making: nothing that providers refuse is left.
  expect(modelSchemaOf({ allOf: [{ required: ['a'] }], properties: { a: {} } })).toEqual({
    type: 'object',
    properties: { a: {} },
  });
  expect(modelSchemaOf({})).toEqual({ type: 'object' });
  const tree = {
    type: 'object',
    properties: { children: { type: 'array', items: { $ref: '#/$defs/tree' } } },
  };
  expect(
    modelSchemaOf({ type: 'object', properties: { root: { $ref: '#/$defs/tree' } }, $defs: { tree } }),
  ).toEqual({
    type: 'object',
    properties: { root: { type: 'object', properties: { children: { type: 'array', items: {} } } } },
  });
});
