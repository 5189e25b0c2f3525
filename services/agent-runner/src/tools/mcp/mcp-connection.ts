import { setTimeout as delay } from 'node:timers/promises';
import type { CallToolResult } from '@modelcontextprotocol/client';
import type { Clock } from '@swissbrain/service-kit/clock';
import type { Logger } from '@swissbrain/service-kit/logger';
import { type ListedTool, open, type Standing } from './mcp-client.ts';
import { type McpSecrets, type McpServerConfig, redact } from './mcp-config.ts';
import { isLoss, wordsOf } from './mcp-failure.ts';

/** What one call may take and say. */
export interface McpCall {
  readonly tool: string;
  readonly input: Record<string, unknown>;
  readonly meta: Readonly<Record<string, string>>;
  readonly timeoutMs: number;
  readonly signal: AbortSignal;
}

/** The server is not there; the call has not been sent. */
export class McpUnavailable extends Error {
  override readonly name = 'McpUnavailable';
}

/** One configured server, reached again whenever it is lost. */
export interface McpConnection {
  readonly server: string;
  readonly config: McpServerConfig;
  /** What it offered when it was last there; null before it was. */
  tools(): readonly ListedTool[] | null;
  /** Why it cannot be used now; null when it can. */
  down(): string | null;
  /** Resolves when the first try has been made, however it went. */
  readonly tried: Promise<void>;
  /** @throws McpUnavailable before anything was sent; else what the library throws */
  call(call: McpCall): Promise<CallToolResult>;
  /** Takes secrets out of a text. */
  redact(text: string): string;
  close(): Promise<void>;
}

export interface McpDeps {
  readonly log: Logger;
  readonly clock: Clock;
  readonly secrets: McpSecrets;
  /** Pause after the first failure, in milliseconds; it doubles up to a minute. */
  readonly retryMs: number;
}

const longestPauseMs = 60_000;

/** A server with what is known of it. */
interface Keeper {
  readonly config: McpServerConfig;
  readonly deps: McpDeps;
  readonly stop: AbortController;
  readonly tried: PromiseWithResolvers<void>;
  standing: Standing | null;
  listed: readonly ListedTool[] | null;
  reason: string;
  /** Resolves with the next connection. */
  up: PromiseWithResolvers<void>;
}

function lose(keeper: Keeper, which: Standing, why: string): void {
  which.give(why);
  if (keeper.standing !== which) return;
  keeper.standing = null;
  keeper.reason = redact(why, keeper.deps.secrets);
  keeper.up = Promise.withResolvers<void>();
}

/** Connects once; resolves when the connection is gone again. */
async function stand(keeper: Keeper): Promise<void> {
  const { config, deps, stop } = keeper;
  const now = await open(config, deps, stop.signal, (tools) => {
    keeper.listed = tools;
  });
  keeper.standing = now;
  keeper.up.resolve();
  keeper.tried.resolve();
  deps.log.info({ tools: keeper.listed?.length }, 'an MCP server is connected');
  lose(keeper, now, await now.lost);
  now.client.onclose = () => undefined;
  await now.client.close();
}

async function keepStanding(keeper: Keeper): Promise<void> {
  const { deps, stop } = keeper;
  for (let failures = 0; !stop.signal.aborted; failures += 1) {
    const since = deps.clock.monotonicMs();
    try {
      await stand(keeper);
    } catch (error) {
      keeper.reason = redact(wordsOf(error), deps.secrets);
    }
    keeper.tried.resolve();
    if (stop.signal.aborted) return;
    // One that ends soon after it was reached is not started again at once for ever.
    if (deps.clock.monotonicMs() - since > longestPauseMs) failures = 0;
    deps.log.warn({ reason: keeper.reason, failures }, 'an MCP server cannot be used');
    const pause = Math.min(deps.retryMs * 2 ** Math.min(failures, 16), longestPauseMs);
    await delay(pause * (0.5 + Math.random() / 2), undefined, { signal: stop.signal }).catch(() => undefined);
  }
}

/** The connection, or the one that is being made. @throws McpUnavailable */
async function reached(keeper: Keeper, server: string, signal: AbortSignal): Promise<Standing> {
  if (!keeper.standing) {
    const timeout = AbortSignal.timeout(keeper.config.connect_seconds * 1_000);
    const patience = AbortSignal.any([signal, timeout, keeper.stop.signal]);
    const { promise, resolve } = Promise.withResolvers<void>();
    patience.addEventListener('abort', () => resolve(), { once: true });
    if (!patience.aborted) await Promise.race([keeper.up.promise, promise]);
    signal.throwIfAborted();
  }
  if (keeper.standing) return keeper.standing;
  throw new McpUnavailable(`the MCP server "${server}" cannot be reached: ${keeper.reason}`);
}

/** Connects to a server and keeps at it until `close`. */
export function connectMcpServer(server: string, config: McpServerConfig, given: McpDeps): McpConnection {
  const keeper: Keeper = {
    config,
    deps: { ...given, log: given.log.child({ mcp_server: server }) },
    stop: new AbortController(),
    tried: Promise.withResolvers<void>(),
    standing: null,
    listed: null,
    reason: 'it has not been reached yet',
    up: Promise.withResolvers<void>(),
  };
  const kept = keepStanding(keeper);
  return {
    server,
    config,
    tried: keeper.tried.promise,
    tools: () => keeper.listed,
    down: () => (keeper.standing ? null : keeper.reason),
    redact: (text) => redact(text, given.secrets),
    async call({ tool, input, meta, timeoutMs, signal }) {
      const current = await reached(keeper, server, signal);
      try {
        return await current.client.callTool(
          { name: tool, arguments: input, _meta: { ...meta } },
          { signal, timeout: timeoutMs, maxTotalTimeout: timeoutMs },
        );
      } catch (error) {
        if (!signal.aborted && isLoss(error)) lose(keeper, current, wordsOf(error));
        throw error;
      }
    },
    async close() {
      keeper.stop.abort();
      if (keeper.standing) lose(keeper, keeper.standing, 'the service stops');
      await kept;
    },
  };
}
