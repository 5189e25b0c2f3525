import type { Clock } from '@swissbrain/service-kit/clock';
import type { Database } from '@swissbrain/service-kit/database';
import type { Logger } from '@swissbrain/service-kit/logger';
import type { Rpc } from '@swissbrain/service-kit/rpc';
import type { Deltas } from '../follow/deltas.ts';
import type { SandboxDriver } from '../sandbox/driver.ts';
import type { ObjectStore } from '../storage/object-store.ts';
import type { ToolRegistry } from '../tools/registry.ts';
import type { LiveRuns } from './live-runs.ts';
import type { ModelChoice } from './models.ts';
import type { Modes } from './modes.ts';
import type { RunSettings } from './run-context.ts';

/** What every run of this process is worked on with. */
export interface Engine {
  readonly database: Database;
  readonly rpc: Rpc;
  readonly log: Logger;
  readonly clock: Clock;
  readonly driver: SandboxDriver;
  readonly objects: ObjectStore;
  readonly tools: ToolRegistry;
  readonly choice: ModelChoice;
  readonly modes: Modes;
  readonly deltas: Deltas;
  readonly live: LiveRuns;
  /** Names this process in leases; another one never has the same. */
  readonly owner: string;
  readonly leaseMs: number;
  readonly wallMs: number;
  /** The longest a run may wait or be paused. */
  readonly idleMs: number;
  readonly settings: RunSettings;
}
