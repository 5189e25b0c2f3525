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

/**
 * The most that one call may change. `read`: nothing, so it may be made again and beside others. `write`: the run's own
 * workspace, or something of the user's that can be undone. `destructive`: what cannot be taken back, outside this
 * system or in the user's accounts; the user approves it unless the run's policy has done so beforehand.
 */
export type ToolEffect = 'read' | 'write' | 'destructive';

/**
 * What to do with a call whose worker died before its end was written. `repeat`: make it again, nothing happens twice.
 * `lookup`: make it again with the same step id, by which the tool finds what the first call did or goes on with it.
 * `unknown`: never make it again; the step ends as interrupted, its outcome unknown.
 */
export type ToolResume = 'repeat' | 'lookup' | 'unknown';

/** What a tool asks the run's user. */
export interface ToolQuestion {
  readonly prompt: string;
  readonly choices?: readonly string[] | undefined;
  /** JSON Schema of the answer. */
  readonly answerSchema?: unknown;
  /** Taken when nobody answers in time. */
  readonly defaultAnswer?: unknown;
  /** How long it stays open; else as long as the service's setting says. */
  readonly timeoutMs?: number;
}

/** What came of it. `nobody`: its time is up and it had no default. */
export type ToolAnswer =
  | { readonly by: 'user' | 'default'; readonly answer: unknown }
  | { readonly by: 'nobody' };

/** A run to start below this one, as a person would ask for it. */
export interface ChildRequest {
  readonly goal?: string | undefined;
  readonly playbook?: unknown;
  readonly title?: string | undefined;
  readonly inputs?: Readonly<Record<string, unknown>>;
}

/** How it ended; without an id it could not be started. */
export interface ChildOutcome {
  readonly runId: string | null;
  readonly status: string;
  readonly output: unknown;
  readonly error: { readonly code: string; readonly message: string } | null;
}

/** What one call of a tool may use. */
export interface ToolContext {
  readonly runId: string;
  readonly userId: string;
  readonly tenantId: string | null;
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
  /**
   * Asks the run's user, one question per step, and waits. When nothing else is being done, the run is left and this
   * rejects; the tool is called again when there is an answer, so what it does before it asks is done twice.
   */
  ask(question: ToolQuestion): Promise<ToolAnswer>;
  /** Starts a run below this one, one per step, and waits for its end in the same way. */
  child(request: ChildRequest): Promise<ChildOutcome>;
}

/** How a call ended. A failure still has its output and its price. */
export interface ToolResult {
  readonly output: unknown;
  readonly usage: readonly Usage[];
  readonly failure?: { readonly code: string; readonly message: string };
  /** What it left under artifacts/ of the workspace, which is kept whatever the step says. */
  readonly files?: readonly string[];
}

/** Something a step can do. */
export interface Tool<Input = unknown> {
  /** As playbooks and models call it. */
  readonly name: string;
  /** As the step's row and its events call it. */
  readonly type: ToolType;
  readonly description: string;
  readonly input: z.ZodType<Input>;
  /** Its JSON Schema, where it is not to be made from `input`. */
  readonly inputSchema?: Readonly<Record<string, unknown>>;
  /** Whether the model of a goal run may call it. */
  readonly offered: boolean;
  readonly effect: ToolEffect;
  /** The effect of one call, where the input decides it. */
  effectOf?(input: Input): ToolEffect;
  readonly resume: ToolResume;
  /** After so long a call is given up: a failure `tool_timeout`. Tools end in order well before. */
  readonly timeoutSeconds: number;
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
