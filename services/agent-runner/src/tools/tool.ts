import type { Logger } from '@swissbrain/service-kit/logger';
import type { z } from 'zod';
import type { Usage } from '../domain/usage.ts';
import type { SandboxSession } from '../sandbox/driver.ts';

/** The kinds of tools that a step's row knows; Postgres type `tool_type`. */
export type ToolType =
  | 'llm'
  | 'code'
  | 'browser'
  | 'search'
  | 'file'
  | 'image'
  | 'connector'
  | 'wide_research'
  | 'memory'
  | 'schedule'
  | 'collab'
  | 'human';

/** What one call of a tool may use. */
export interface ToolContext {
  readonly runId: string;
  /** Also the id of the step's sandbox execution: a second call with it attaches to the first. */
  readonly stepId: string;
  /** Above 1 when an earlier worker may have begun this very step. */
  readonly attempt: number;
  /** Aborted when the run ends or this worker has lost it. What runs outside is not the tool's to stop then. */
  readonly signal: AbortSignal;
  readonly log: Logger;
  /** The run's sandbox, opened at the first call. */
  sandbox(): Promise<SandboxSession>;
  /** The longest one execution may take by the owner's tier, in seconds. */
  readonly sandboxSeconds: number;
}

/** How a call ended. A failure still has its output and its price. */
export interface ToolResult {
  readonly output: unknown;
  readonly usage: readonly Usage[];
  readonly failure?: { readonly code: string; readonly message: string };
}

/** Something a step can do. */
export interface Tool<Input = unknown> {
  /** As playbooks and models call it. */
  readonly name: string;
  /** As the step's row and its events call it. */
  readonly type: ToolType;
  readonly description: string;
  readonly input: z.ZodType<Input>;
  /** Whether the model of a goal run may call it. */
  readonly offered: boolean;
  /** Why it cannot be used in this installation and what to set, or null. */
  unavailable(): string | null;
  /**
   * The most one call may use, for the hold. The input may still hold references instead of values; then the
   * worst case of the tool itself counts.
   */
  estimate(input: Readonly<Record<string, unknown>>): readonly Usage[];
  /**
   * Does it. A failure that the author or the model can see to is a result with `failure`; what is thrown is
   * ours: a lost sandbox, an abort.
   */
  run(input: Input, context: ToolContext): Promise<ToolResult>;
}
