import type { Clock } from '@swissbrain/service-kit/clock';
import type { Database } from '@swissbrain/service-kit/database';
import type { Logger } from '@swissbrain/service-kit/logger';
import type { ApprovalPolicy } from '@swissbrain/shared-schema/http/agent-runner';
import type { Budget } from '../domain/budget.ts';
import type { ModeFile } from '../domain/mode.ts';
import type { Deltas } from '../follow/deltas.ts';
import type { Claim } from '../operations/claims.ts';
import type { StoredInput } from '../operations/prepare-run.ts';
import type { ObjectStore } from '../storage/object-store.ts';
import type { RunRow } from '../store/runs.ts';
import type { ToolRegistry } from '../tools/registry.ts';
import type { HoldDeps } from './hold.ts';
import type { LiveRun } from './live-runs.ts';
import type { ModelChoice } from './models.ts';
import type { Waits } from './waits.ts';
import type { Workspace } from './workspace.ts';

/** Settings of the work on one run. */
export interface RunSettings {
  readonly maxParallelSteps: number;
  /** A run that takes its worker down each time must end, too. */
  readonly maxAttempts: number;
  /** Model calls of any goal run, whatever its mode allows. */
  readonly goalMaxSteps: number;
  /** How long a question stays open unless it says so itself. */
  readonly questionTimeoutMs: number;
  readonly artifactMaxBytes: number;
  readonly workspaceMaxBytes: number;
  /** How long a sandbox that cannot be reached, or cannot be had, is tried again. */
  readonly sandboxPatienceMs: number;
}

/** Everything that the work on one claimed run needs. */
export interface RunContext {
  readonly run: RunRow;
  readonly claim: Claim;
  readonly inputs: Readonly<Record<string, StoredInput>>;
  readonly signal: AbortSignal;
  readonly log: Logger;
  readonly clock: Clock;
  readonly database: Database;
  readonly objects: ObjectStore;
  readonly tools: ToolRegistry;
  readonly choice: ModelChoice;
  readonly mode: ModeFile;
  readonly deltas: Deltas;
  readonly workspace: Workspace;
  readonly sandboxSeconds: number;
  readonly budget: Budget;
  readonly hold: HoldDeps;
  readonly settings: RunSettings;
  readonly live: LiveRun;
  readonly waits: Waits;
  readonly approvals: ApprovalPolicy;
}
