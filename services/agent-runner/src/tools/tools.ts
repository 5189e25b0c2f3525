import type { Clock } from '@swissbrain/service-kit/clock';
import type { Database } from '@swissbrain/service-kit/database';
import type { Rpc } from '@swissbrain/service-kit/rpc';
import type { Embedder } from '../agent/embedder.ts';
import type { ModelChoice } from '../agent/models.ts';
import type { Config } from '../config.ts';
import { agentTool } from './agent.ts';
import { createBrowserTool } from './browser/browser.ts';
import { findBrowser } from './browser/browser-place.ts';
import { codeTool } from './code.ts';
import { fileTool } from './file.ts';
import { humanTool } from './human.ts';
import { createImageTool } from './image.ts';
import { chooseImageMaker } from './image-model.ts';
import { createLlmTool } from './llm.ts';
import { createMemoryTool } from './memory.ts';
import { createToolRegistry, type ToolRegistry, type ToolSource } from './registry.ts';
import { createRemoteTool } from './remote/remote-tool.ts';
import { collabTool, connectorTool, scheduleTool, wideResearchTool } from './remote/remote-tools.ts';
import type { Served } from './remote/served.ts';
import { createSearchTool } from './search.ts';
import { chooseSearch } from './search-providers.ts';
import type { Tool } from './tool.ts';

/** What the tools need of the service. */
export interface ToolDeps {
  readonly database: Database;
  readonly rpc: Rpc;
  readonly clock: Clock;
  readonly choice: ModelChoice;
  readonly embedder: Embedder | null;
  readonly served: Served;
  readonly mcp: ToolSource;
}

/** Methods of other services that tools need. */
export const remoteMethods = [connectorTool, wideResearchTool, scheduleTool, collabTool].flatMap(
  ({ methods }) => methods,
);

/** Puts the tools of this installation together; what is not configured is there and says so. */
export function createTools(config: Config, deps: ToolDeps, extraTools: readonly Tool[]): ToolRegistry {
  const { database, clock, choice } = deps;
  return createToolRegistry(
    [
      ...[codeTool, fileTool, humanTool, agentTool],
      createLlmTool(choice, clock),
      createMemoryTool(database, deps.embedder),
      createSearchTool(chooseSearch(config)),
      createImageTool(chooseImageMaker(config, clock)),
      createBrowserTool(findBrowser(config)),
      createRemoteTool(connectorTool, deps),
      createRemoteTool(wideResearchTool, deps),
      createRemoteTool(scheduleTool, deps),
      createRemoteTool(collabTool, deps),
      ...extraTools,
    ],
    [deps.mcp],
  );
}
