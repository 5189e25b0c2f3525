import type { Logger } from '@swissbrain/service-kit/logger';
import type { ToolSource } from '../registry.ts';
import type { Tool } from '../tool.ts';
import type { ListedTool } from './mcp-client.ts';
import type { McpConfig } from './mcp-config.ts';
import { connectMcpServer, type McpConnection, type McpDeps } from './mcp-connection.ts';
import { fits, mcpTool, toolNameOf, unlistedTool } from './mcp-tool.ts';

/** A server with more is cut: their descriptions alone would fill the prompt. */
const maxTools = 128;

/** The MCP servers of this installation. */
export interface McpServers extends ToolSource {
  /** Resolves when each has been tried once. */
  readonly tried: Promise<void>;
  close(): Promise<void>;
}

/** The tools of one server, made anew when its list is. */
function toolsOf(connection: McpConnection, log: Logger): () => readonly Tool[] {
  let from: readonly ListedTool[] | null = null;
  let made: readonly Tool[] = [];
  return () => {
    const listed = connection.tools();
    if (listed === from) return made;
    from = listed;
    const taken = (listed ?? []).filter(({ name }) => connection.config.tools.some((one) => fits(one, name)));
    if (taken.length > maxTools)
      log.warn(
        { server: connection.server, tools: taken.length, maxTools },
        'an MCP server has too many tools',
      );
    made = taken.slice(0, maxTools).flatMap((each) => {
      try {
        return [mcpTool(connection, each) as Tool];
      } catch (error) {
        log.warn(
          { err: error, server: connection.server, tool: each.name },
          'a tool of an MCP server is no use',
        );
        return [];
      }
    });
    return made;
  };
}

/** Connects to the servers that the operator has configured and keeps their tools up to date. */
export function openMcpServers(config: McpConfig, deps: McpDeps): McpServers {
  const servers = Object.entries(config.servers).map(([name, entry]) => {
    const connection = connectMcpServer(name, entry, deps);
    return { name, connection, tools: toolsOf(connection, deps.log) };
  });
  return {
    tried: Promise.all(servers.map(({ connection }) => connection.tried)).then(() => undefined),
    list: () =>
      servers.flatMap(({ name, connection, tools }) =>
        connection.tools() === null ? [unlistedTool(connection, `mcp__${name}`) as Tool] : tools(),
      ),
    find(name) {
      const owner = servers.find(
        (server) => name === `mcp__${server.name}` || name.startsWith(toolNameOf(server.name, '')),
      );
      if (!owner) return undefined;
      return (
        owner.tools().find((tool) => tool.name === name) ?? (unlistedTool(owner.connection, name) as Tool)
      );
    },
    close: async () => {
      await Promise.all(servers.map(({ connection }) => connection.close()));
    },
  };
}
