import {
  Client,
  StreamableHTTPClientTransport,
  type Tool,
  type Transport,
} from '@modelcontextprotocol/client';
import { getDefaultEnvironment, StdioClientTransport } from '@modelcontextprotocol/client/stdio';
import type { Logger } from '@swissbrain/service-kit/logger';
import { type McpSecrets, type McpServerConfig, redact, withSecrets } from './mcp-config.ts';
import { wordsOf } from './mcp-failure.ts';

/** A tool as its server describes it. */
export type ListedTool = Tool;

/** Of one message of a program, and of one answer over HTTP. */
const maxMessageBytes = 16 * 1024 * 1024;

/** Answers of any size would be read into memory whole; streams that stay open carry many answers. */
async function boundedFetch(url: string | URL, init?: RequestInit): Promise<Response> {
  const response = await fetch(url, init);
  if (!response.body || init?.method !== 'POST') return response;
  let seen = 0;
  const count = new TransformStream<Uint8Array, Uint8Array>({
    transform(chunk, controller) {
      seen += chunk.length;
      if (seen > maxMessageBytes)
        controller.error(new Error(`an answer of more than ${maxMessageBytes} bytes`));
      else controller.enqueue(chunk);
    },
  });
  return new Response(response.body.pipeThrough(count), response);
}

/** What a client needs beside its configuration. */
interface ClientDeps {
  readonly log: Logger;
  readonly secrets: McpSecrets;
}

function transportTo(config: McpServerConfig, { secrets, log }: ClientDeps): Transport {
  if (config.url !== undefined) {
    return new StreamableHTTPClientTransport(new URL(config.url), {
      fetch: boundedFetch,
      requestInit: { headers: withSecrets(config.headers, secrets) },
    });
  }
  const transport = new StdioClientTransport({
    command: config.command ?? '',
    args: config.args,
    env: { ...getDefaultEnvironment(), ...withSecrets(config.env, secrets) },
    ...(config.cwd === undefined ? {} : { cwd: config.cwd }),
    stderr: 'pipe',
    maxBufferSize: maxMessageBytes,
  });
  transport.stderr?.on('data', (chunk: Buffer) =>
    log.debug({ text: redact(chunk.toString('utf8'), secrets).slice(0, 2_000) }, 'an MCP server wrote'),
  );
  return transport;
}

/** A connection that stands. */
export interface Standing {
  readonly client: Client;
  /** Resolves when it is gone, with the reason. */
  readonly lost: Promise<string>;
  give(reason: string): void;
}

/**
 * Connects and reads the list of tools; `onTools` is told of every list.
 * @throws what the library throws
 */
export async function open(
  config: McpServerConfig,
  deps: ClientDeps,
  signal: AbortSignal,
  onTools: (tools: readonly ListedTool[]) => void,
): Promise<Standing> {
  const { promise: lost, resolve: give } = Promise.withResolvers<string>();
  const client = new Client(
    { name: 'swissbrain', version: '1' },
    {
      // Nothing of what a server may ask of its client: no sampling, no roots, no questions to the user.
      capabilities: {},
      inputRequired: { autoFulfill: false },
      versionNegotiation: { mode: 'auto' },
      listChanged: {
        tools: {
          onChanged: (error, tools) => {
            if (error) give(`the list of its tools cannot be read: ${wordsOf(error)}`);
            else if (tools) onTools(tools);
          },
        },
      },
    },
  );
  client.onclose = () => give('the connection was closed');
  const timeout = config.connect_seconds * 1_000;
  const within = AbortSignal.any([signal, AbortSignal.timeout(timeout)]);
  try {
    await client.connect(transportTo(config, deps), { timeout, signal: within });
    onTools((await client.listTools(undefined, { timeout, signal: within, cacheMode: 'refresh' })).tools);
    return { client, lost, give };
  } catch (error) {
    await client.close();
    throw error;
  }
}
