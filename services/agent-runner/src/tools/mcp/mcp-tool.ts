import { createHash } from 'node:crypto';
import { type CallToolResult, TRACEPARENT_META_KEY } from '@modelcontextprotocol/client';
import { currentTraceparent } from '@swissbrain/service-kit/trace-context';
import { operations } from '@swissbrain/shared-schema/operations';
import { z } from 'zod';
import type { Tool, ToolContext, ToolEffect, ToolResult } from '../tool.ts';
import type { ListedTool } from './mcp-client.ts';
import { type McpConnection, McpUnavailable } from './mcp-connection.ts';
import { isTimeout, wasNotDone, wordsOf } from './mcp-failure.ts';
import { outputOf } from './mcp-output.ts';
import { keepPictures } from './mcp-pictures.ts';
import { inputOf } from './mcp-schema.ts';

/** Models take names of so many characters. */
const maxNameLength = 64;
const maxDescriptionLength = 4_000;
const maxInputBytes = 256 * 1024;
/** The longest a call may take: it may be made twice, and wait for the server before each. */
const longestSeconds = ({ config }: McpConnection) => 2 * (config.timeout_seconds + config.connect_seconds);

/** A tool's name as playbooks, modes and models call it; long ones end in a hash, so that two never share one. */
export function toolNameOf(server: string, tool: string): string {
  const name = `mcp__${server}__${tool.replaceAll(/[^A-Za-z0-9_-]/g, '_')}`;
  if (name.length <= maxNameLength && name.endsWith(`__${tool}`)) return name;
  const hash = createHash('sha256').update(tool).digest('hex').slice(0, 8);
  return `${name.slice(0, maxNameLength - hash.length - 1)}_${hash}`;
}

/** Whether a name fits a pattern of the configuration. */
export function fits(pattern: string, name: string): boolean {
  return pattern.endsWith('*') ? name.startsWith(pattern.slice(0, -1)) : pattern === name;
}

/**
 * What a call may change: as the operator says, else as the server does. Of a server that says nothing the protocol has the
 * worst assumed.
 */
function effectOf({ config }: McpConnection, { name, annotations = {} }: ListedTool): ToolEffect {
  const told = Object.entries(config.effects).find(([pattern]) => fits(pattern, name));
  if (told) return told[1];
  if (annotations.readOnlyHint) return 'read';
  return annotations.destructiveHint === false ? 'write' : 'destructive';
}

const usage = [{ operation: operations.connectorCall, quantity: '1' }] as const;

const failed = (code: string, message: string): ToolResult => ({
  output: null,
  usage: [],
  failure: { code, message },
});

/** What a call that threw comes to. */
function failureOf(connection: McpConnection, error: unknown, repeatable: boolean): ToolResult {
  if (error instanceof McpUnavailable) return failed('mcp_unavailable', error.message);
  const words = connection.redact(wordsOf(error));
  const server = `the MCP server "${connection.server}"`;
  if (isTimeout(error)) {
    const unknown = repeatable ? '' : '; whether it has done it is not known';
    return failed('mcp_timeout', `${server} did not answer in time${unknown}`);
  }
  if (wasNotDone(error)) return failed('mcp_refused', `${server} did not take the call: ${words}`);
  const unknown = repeatable ? '' : ' (whether it was done is not known)';
  return failed('mcp_failed', `the call of ${server} failed: ${words}${unknown}`);
}

function callOnce(
  connection: McpConnection,
  tool: string,
  input: Record<string, unknown>,
  context: ToolContext,
): Promise<CallToolResult> {
  const traceparent = currentTraceparent();
  return connection.call({
    ...{ tool, input, signal: context.signal, timeoutMs: connection.config.timeout_seconds * 1_000 },
    meta: {
      'swissbrain/step_id': context.stepId,
      ...(traceparent ? { [TRACEPARENT_META_KEY]: traceparent } : {}),
    },
  });
}

/** The server's answer, or what the calls that threw come to. */
async function answerOf(
  connection: McpConnection,
  tool: string,
  input: Record<string, unknown>,
  context: ToolContext,
  repeatable: boolean,
): Promise<{ readonly answer: CallToolResult } | { readonly failed: ToolResult }> {
  for (let last = false; ; last = true) {
    try {
      return { answer: await callOnce(connection, tool, input, context) };
    } catch (error) {
      context.signal.throwIfAborted();
      // A connection that was lost unnoticed is the usual first failure; the second try has a new one.
      const again = !last && !isTimeout(error) && (repeatable || wasNotDone(error));
      if (!again || connection.down() === null) return { failed: failureOf(connection, error, repeatable) };
    }
  }
}

async function run(
  connection: McpConnection,
  tool: string,
  input: Record<string, unknown>,
  context: ToolContext,
  repeatable: boolean,
): Promise<ToolResult> {
  const got = await answerOf(connection, tool, input, context, repeatable);
  if ('failed' in got) return got.failed;
  const { answer } = got;
  if (answer.isError) {
    const output = outputOf(answer, connection.redact);
    const message = output.text.slice(0, 2_000) || 'the tool failed without a reason';
    return { output, usage: [], failure: { code: 'mcp_tool_failed', message } };
  }
  const pictures = await keepPictures(answer.content ?? [], { tool, context, repeatable });
  const output = outputOf(answer, connection.redact, pictures);
  const files = output.images?.map(({ path }) => path);
  return { output, usage: connection.config.charged ? usage : [], ...(files ? { files } : {}) };
}

/**
 * A tool of an MCP server as one of ours.
 * @throws Error for a tool whose schema cannot be used
 */
export function mcpTool(connection: McpConnection, listed: ListedTool): Tool<Record<string, unknown>> {
  const { config, server } = connection;
  const effect = effectOf(connection, listed);
  const repeatable = effect === 'read' || listed.annotations?.idempotentHint === true;
  const title = listed.title ?? listed.annotations?.title;
  const words = [title, listed.description].filter(Boolean).join(': ') || listed.name;
  const input = inputOf(listed.inputSchema).refine(
    (given) => Buffer.byteLength(JSON.stringify(given)) <= maxInputBytes,
    `at most ${maxInputBytes} bytes`,
  );
  return {
    name: toolNameOf(server, listed.name),
    type: 'connector',
    description: words.slice(0, maxDescriptionLength),
    input,
    inputSchema: { ...listed.inputSchema, type: 'object' },
    offered: true,
    effect,
    resume: repeatable ? 'repeat' : 'unknown',
    timeoutSeconds: longestSeconds(connection),
    unavailable: () => {
      const reason = connection.down();
      return reason === null ? null : `the MCP server "${server}" cannot be reached: ${reason}`;
    },
    estimate: () => (config.charged ? usage : []),
    run: (given, context) => run(connection, listed.name, given, context, repeatable),
  };
}

/** Stands for the tools of a server that has not said yet which it has. */
export function unlistedTool(connection: McpConnection, name: string): Tool<Record<string, unknown>> {
  const reason = () =>
    connection.tools() === null
      ? `the MCP server "${connection.server}" cannot be reached: ${connection.down() ?? 'it is being asked for its tools'}`
      : `the MCP server "${connection.server}" has no such tool`;
  return {
    name,
    type: 'connector',
    description: `Tools of the MCP server "${connection.server}"`,
    input: z.record(z.string(), z.unknown()),
    offered: false,
    effect: 'destructive',
    resume: 'unknown',
    timeoutSeconds: longestSeconds(connection),
    unavailable: reason,
    estimate: () => [],
    run: async () => failed('mcp_unavailable', reason()),
  };
}
