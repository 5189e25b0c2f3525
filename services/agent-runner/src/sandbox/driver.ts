/** What the tier of the run's owner allows one session. */
export interface SessionLimits {
  /** The tier's name, by which sandboxes are kept apart on a cluster. */
  readonly tier: string;
  /** Thousandths of a core. Not enforced by the local driver: an ordinary process has no share of a core. */
  readonly cpuMillis: number;
  readonly memoryMb: number;
  /** Size of the workspace, and of the largest single file a program may write. */
  readonly diskMb: number;
  /** The longest one execution may run. */
  readonly seconds: number;
}

export interface OpenSession {
  readonly runId: string;
  /** The run's `session_no`: raised only when a session is lost, so a successor finds the same session. */
  readonly sessionNo: number;
  readonly limits: SessionLimits;
  readonly signal?: AbortSignal;
  /** Without it the session is always one of its own, named by run and number. */
  readonly binding?: SessionBinding;
}

/** What the run's row says of a session that was there before the run asked for one. */
export interface SessionBinding {
  /** Its name; null when the session of this number is named by run and number. */
  name(): string | null;
  /** Writes it down before the session is taken, or forgets it again. @throws when the run is another worker's */
  write(name: string | null): Promise<void>;
}

export type Language = 'javascript' | 'python';

/** Limits of one execution; each is capped by the session's. */
export interface ExecutionLimits {
  readonly wallMs?: number;
  readonly memoryMb?: number;
  /** Bytes kept of stdout, and as many of stderr. */
  readonly outputBytes?: number;
  /** At the output limit: `truncate` (default) drops the rest and lets the program go on, `kill` ends it. */
  readonly onOutputLimit?: 'truncate' | 'kill';
}

interface ExecutionBase {
  /** The step's id. The same id never runs twice: a second call attaches to the first one's execution. */
  readonly executionId: string;
  readonly language: Language;
  readonly args?: readonly string[];
  readonly env?: Readonly<Record<string, string>>;
  readonly limits?: ExecutionLimits;
}

/** Either the program's text or a file of the workspace. JavaScript runs as an ES module (`.cjs` files as CommonJS). */
export type ExecuteRequest = ExecutionBase &
  (
    | { readonly code: string; readonly file?: undefined }
    | { readonly file: string; readonly code?: undefined }
  );

/** A piece of output exactly as the program wrote it: it may end within a character. */
export interface OutputChunk {
  readonly stream: 'stdout' | 'stderr';
  readonly data: Uint8Array;
  /** Where to go on reading after this chunk; pass it as `fromOffset` to resume. */
  readonly nextOffset: number;
}

/**
 * Why an execution ended. `exited`: by itself, see `exitCode` or `signal`. `lost`: its runtime was restarted
 * and cannot tell how it ended. The others name the limit, or the caller, that ended it.
 */
export type EndReason =
  | 'exited'
  | 'timeout'
  | 'output_limit'
  | 'memory'
  | 'processes'
  | 'disk'
  | 'killed'
  | 'spawn_error'
  | 'lost';

export interface Execution {
  readonly executionId: string;
  readonly language: Language;
  readonly state: 'running' | 'finished';
  /** Null while it runs. */
  readonly reason: EndReason | null;
  readonly exitCode: number | null;
  readonly signal: string | null;
  /** By the runtime's monotonic clock, from the program's start to its end: what is billed. Start-up is not in it. */
  readonly durationMs: number;
  /** Bytes the program wrote, kept or not. */
  readonly stdoutBytes: number;
  readonly stderrBytes: number;
  readonly stdoutTruncated: boolean;
  readonly stderrTruncated: boolean;
  /** Words for the user about a `reason` other than `exited`. */
  readonly message: string | null;
}

/** How a program ended. One whose end nobody knows has none: `execute` rejects as `lost` instead. */
export type ExecutionResult = Execution & {
  readonly state: 'finished';
  readonly reason: Exclude<EndReason, 'lost'>;
};

export interface ExecuteOptions {
  /** Go on reading from here instead of from the start (an earlier chunk's `nextOffset`). */
  readonly fromOffset?: number;
  /** Stops waiting; the execution goes on. Call `kill` to end it. */
  readonly signal?: AbortSignal;
}

export interface WorkspaceFile {
  /** Relative to the workspace, with `/`. */
  readonly path: string;
  readonly type: 'file' | 'directory' | 'link';
  /** Bytes; 0 for directories and links. */
  readonly size: number;
}

export interface LanguageStatus {
  readonly language: Language;
  readonly available: boolean;
  /** For example `3.11.7`; null when unavailable. */
  readonly version: string | null;
}

export type ByteSource = Uint8Array | AsyncIterable<Uint8Array>;

/**
 * One run's sandbox. Its files persist between executions. Every method rejects with SandboxError; a `lost`
 * one means that this session will never answer again.
 */
export interface SandboxSession {
  readonly name: string;
  languages(): Promise<readonly LanguageStatus[]>;
  /**
   * Runs a program, or attaches to the execution that has this id already, and resolves when it has ended and
   * all output was delivered. `onOutput` is awaited: a slow reader slows the reading, not the program.
   * @throws SandboxError `language_unavailable`, `execution_conflict` (the id ran with another request), `lost`
   */
  execute(
    request: ExecuteRequest,
    onOutput: (chunk: OutputChunk) => void | Promise<void>,
    options?: ExecuteOptions,
  ): Promise<ExecutionResult>;
  /** What is known of an execution, or null when this session never saw its id. */
  lookup(executionId: string): Promise<Execution | null>;
  /** Ends an execution: SIGTERM, then SIGKILL, for all of its processes. Harmless when it has ended. */
  kill(executionId: string): Promise<void>;
  /** Writes a file of the workspace, whole or not at all; missing folders are made. */
  putFile(path: string, content: ByteSource): Promise<void>;
  /** The bytes of a regular file; links are not followed. */
  getFile(path: string): AsyncIterable<Uint8Array>;
  /** At most 10,000 entries of the whole workspace, sorted by path. */
  listFiles(): Promise<readonly WorkspaceFile[]>;
  deleteFile(path: string): Promise<void>;
  /** The workspace as a tar file; the same files give the same bytes. */
  snapshot(): AsyncIterable<Uint8Array>;
  /** Replaces the workspace by a snapshot, only when the whole of it is sound. */
  restore(snapshot: ByteSource): Promise<void>;
  /** Drops the connections and leaves the session running for a successor. */
  detach(): void;
  /** Ends the session: kills what runs and removes its files. */
  close(): Promise<void>;
}

/** Where sandboxes come from. The local and the Kubernetes driver keep the same contract. */
export interface SandboxDriver {
  /**
   * Finds the living session of this run and number or starts one.
   * @throws SandboxError `lost` when the session existed and is gone: its number must be raised
   */
  openSession(request: OpenSession): Promise<SandboxSession>;
  /** Ends a session and removes its files whether it lives or not; harmless when there is none. */
  removeSession(runId: string, sessionNo: number): Promise<void>;
  /** Removes the sessions that are over, of runs that are or that have a later one; returns how many. */
  sweep(isLive: (runId: string, sessionNo: number) => Promise<boolean>): Promise<number>;
}
