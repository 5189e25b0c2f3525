/** What travels between a session's runtime and its only caller. JSON fields are snake_case. */

export const languages = ['javascript', 'python'] as const;
export type Language = (typeof languages)[number];

export const endReasons = [
  /** By itself: `exit_code` or `signal` says how. */
  'exited',
  'timeout',
  'output_limit',
  'memory',
  'processes',
  'disk',
  /** On request. */
  'killed',
  'spawn_error',
  /** The runtime was restarted while it ran and cannot tell how it ended. */
  'lost',
] as const;
export type EndReason = (typeof endReasons)[number];

export type OutputStream = 'stdout' | 'stderr';

/** The body of `PUT /executions/{id}`: exactly one of `code` and `file`. */
export interface ExecutionRequest {
  readonly language: Language;
  readonly code: string | null;
  /** A path of the workspace. */
  readonly file: string | null;
  readonly args: readonly string[];
  readonly env: Readonly<Record<string, string>>;
  readonly limits: ExecutionLimits;
}

export interface ExecutionLimits {
  readonly wall_ms: number;
  readonly memory_mb: number;
  /** Bytes kept of each of stdout and stderr. */
  readonly output_bytes: number;
  readonly on_output_limit: 'truncate' | 'kill';
}

export interface ExecutionRecord {
  readonly id: string;
  readonly language: Language;
  readonly state: 'running' | 'finished';
  readonly reason: EndReason | null;
  readonly exit_code: number | null;
  readonly signal: string | null;
  /** Monotonic, from the program's start to its end; so far while it runs. */
  readonly duration_ms: number;
  readonly stdout_bytes: number;
  readonly stderr_bytes: number;
  readonly stdout_truncated: boolean;
  readonly stderr_truncated: boolean;
  /** Length of the output log, and the offset behind its last frame. */
  readonly output_size: number;
  readonly message: string | null;
}

/** Heads the body of `GET /executions/{id}/output`, before the frames. */
export interface OutputHead {
  readonly next_offset: number;
  /** The record once all output up to the end of a finished execution is in this body or before it. */
  readonly finished: ExecutionRecord | null;
}

export interface LanguageStatus {
  readonly language: Language;
  readonly available: boolean;
  readonly version: string | null;
}

export interface WorkspaceEntry {
  readonly path: string;
  readonly type: 'file' | 'directory' | 'link';
  readonly size: number;
}

/** Every body that is not a success. */
export interface FaultBody {
  readonly error: { readonly code: string; readonly message: string };
}

/** Names that begin so belong to the runtime: never listed, saved, or reached through the file endpoints. */
export const reservedPrefix = '.swissbrain-';
/** Every program finds `<instance of the session>:<execution id>` here; its leftovers are found by it. */
export const markerVariable = 'SWISSBRAIN_SANDBOX';
/** The runtime announces itself in this file; the variable also tells its process apart from any other. */
export const endpointVariable = 'SANDBOX_ENDPOINT_FILE';

export const executionIdPattern = /^[A-Za-z0-9][A-Za-z0-9_-]{0,63}$/;
export const maxRequestBytes = 2 * 1024 * 1024;
export const maxOutputSliceBytes = 256 * 1024;
export const maxWaitMs = 30_000;
