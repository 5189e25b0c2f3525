import { copyFile, mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { ConfigError } from '@swissbrain/service-kit/config';
import { agentMode } from '@swissbrain/shared-schema/http/agent-runner';
import { describe, expect, it } from 'vitest';
import { allowsTool } from '../domain/mode.ts';
import { loadModes } from './modes.ts';

const none = () => ({});

describe('the modes', () => {
  it('are all there, and the configuration changes limits of one', () => {
    const modes = loadModes(null, (mode) => (mode === 'coding' ? { max_steps: 7, models: ['x'] } : {}));
    for (const mode of agentMode.options) {
      expect(modes.get(mode).instructions).toContain('is data');
      expect(modes.get(mode).limits.max_steps).toBeGreaterThan(0);
    }
    expect(modes.get('coding').limits).toEqual({ max_steps: 7, max_seconds: 7_200, max_parallel_tools: 4 });
    expect(() => modes.get('dance')).toThrow('dance');
  });

  it('allow tools by name, by type and by the beginning of a name', () => {
    const mode = { ...loadModes(null, none).get('chat'), tools: ['code', 'mcp_docs_*'] };
    expect(allowsTool(mode, { name: 'code', type: 'code' })).toBe(true);
    expect(allowsTool(mode, { name: 'run_python', type: 'code' })).toBe(true);
    expect(allowsTool(mode, { name: 'mcp_docs_read', type: 'connector' })).toBe(true);
    expect(allowsTool(mode, { name: 'mcp_mail_send', type: 'connector' })).toBe(false);
    expect(allowsTool({ ...mode, tools: [] }, { name: 'code', type: 'code' })).toBe(false);
  });

  it('are refused with every problem of every file', async () => {
    const directory = await mkdtemp(join(tmpdir(), 'swissbrain-modes-'));
    try {
      for (const mode of agentMode.options) {
        await copyFile(
          join(import.meta.dirname, '../../modes', `${mode}.yaml`),
          join(directory, `${mode}.yaml`),
        );
      }
      await writeFile(join(directory, 'chat.yaml'), 'description: "\n');
      await writeFile(
        join(directory, 'design.yaml'),
        'instructions: Draw\ntools: [A B]\nlimits: { max_steps: 0 }\n',
      );
      await rm(join(directory, 'writing.yaml'));
      const thrown = await Promise.resolve()
        .then(() => loadModes(directory, none))
        .catch((error: unknown) => error);
      if (!(thrown instanceof ConfigError)) throw thrown;
      const text = thrown.problems.join('\n');
      for (const part of [
        'chat.yaml',
        'design.yaml: description',
        'design.yaml: tools.0',
        'max_steps',
        'writing.yaml',
      ]) {
        expect(text).toContain(part);
      }
    } finally {
      await rm(directory, { recursive: true });
    }
  });
});
