import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { ConfigError } from '@swissbrain/service-kit/config';
import { agentMode } from '@swissbrain/shared-schema/http/agent-runner';
import { parse } from 'yaml';
import { type ModeFile, modeFile } from '../domain/mode.ts';
import type { ModeOverride } from './model-config.ts';

/** The modes of this installation. */
export interface Modes {
  /** @throws Error for what is no mode */
  get(mode: string): ModeFile;
}

const ownDirectory = join(import.meta.dirname, '..', '..', 'modes');

/**
 * Reads the file of each mode; the configuration of the models may change its limits.
 * @param directory files that stand in for our own, one for each mode; null: ours
 * @throws ConfigError with every problem of every file
 */
export function loadModes(directory: string | null, override: (mode: string) => ModeOverride): Modes {
  const problems: string[] = [];
  const modes = new Map<string, ModeFile>();
  for (const mode of agentMode.options) {
    const path = join(directory ?? ownDirectory, `${mode}.yaml`);
    let content: unknown;
    try {
      content = parse(readFileSync(path, 'utf8'));
    } catch (error) {
      problems.push(`${path}: ${error instanceof Error ? error.message : String(error)}`);
      continue;
    }
    const read = modeFile.safeParse(content);
    problems.push(
      ...(read.error?.issues ?? []).map((issue) => `${path}: ${issue.path.join('.')}: ${issue.message}`),
    );
    const { models: _models, ...limits } = override(mode);
    if (read.data) modes.set(mode, { ...read.data, limits: { ...read.data.limits, ...limits } });
  }
  if (problems.length > 0) throw new ConfigError(problems);
  return {
    get(mode) {
      const found = modes.get(mode);
      if (!found) throw new Error(`"${mode}" is not a mode`);
      return found;
    },
  };
}
