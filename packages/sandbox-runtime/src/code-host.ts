import { lstat, mkdir, stat, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { openConfined } from './confined-directory.ts';
import { RuntimeFault } from './faults.ts';
import { findInterpreters, languageStatuses } from './interpreters.ts';
import { namelessBytes } from './open-files.ts';
import type { LocalProcessTree } from './process-tree.ts';
import { type LocalProgram, type RunningProgram, startProgram } from './program.ts';
import {
  type ExecutionRequest,
  type Language,
  type LanguageStatus,
  languages,
  type OutputStream,
  reservedPrefix,
  type WorkspaceEntry,
} from './protocol.ts';
import { removeTrees } from './remove-trees.ts';
import { killStrays } from './strays.ts';
import {
  deleteWorkspaceFile,
  isWorkspaceFile,
  listWorkspace,
  readWorkspaceFile,
  writeWorkspaceFile,
} from './workspace.ts';
import { archiveWorkspace, restoreWorkspace } from './workspace-archive.ts';
import { parseWorkspacePath } from './workspace-path.ts';
import { workspaceUsage } from './workspace-walk.ts';

/**
 * The side that touches what users' programs touch: it starts them, kills what they leave and opens paths of the
 * workspace. It knows no secret, no clock and no record, so that it can live in a container of its own.
 */
export interface CodeHost {
  languages(): Promise<readonly LanguageStatus[]>;
  /**
   * Lays a program ready without starting it. Starting is one synchronous act, so that it can follow the record.
   * @throws RuntimeFault `language_unavailable`, `file_missing`, `path_refused`
   */
  prepare(executionId: string, request: ExecutionRequest): Promise<PreparedProgram>;
  /** Removes what `prepare` laid into the workspace. */
  cleanUp(executionId: string): Promise<void>;
  /** Bytes of the workspace. */
  usage(): Promise<number>;
  /** Bytes that an execution takes on disk beside it: temporary files of all, and what it holds open without a name. */
  usageBeside(executionId: string): Promise<number>;
  writeFile(
    path: string,
    source: AsyncIterable<Uint8Array>,
    room: number,
  ): Promise<{ readonly size: number }>;
  readFile(path: string): Promise<AsyncIterable<Uint8Array>>;
  deleteFile(path: string): Promise<void>;
  list(): Promise<{ readonly entries: WorkspaceEntry[]; readonly truncated: boolean }>;
  archive(): AsyncIterable<Uint8Array>;
  restore(source: AsyncIterable<Uint8Array>, room: number): Promise<void>;
}

export interface PreparedProgram {
  /** Where `onOutput` returns a promise, the program's output is read no further before it resolves. */
  start(onOutput: (stream: OutputStream, data: Buffer) => void | Promise<void>): RunningProgram;
}

export interface CodeHostOptions {
  readonly workspace: string;
  readonly scratch: string;
  readonly searchPath: string;
  /** Marks all processes of the session. */
  readonly instance: string;
  readonly diskMb: number;
  /** Set where this process is the first of a container of its own. */
  readonly container?: {
    /** Absolute path of the launcher. */
    readonly launcher: string;
    /** Absolute path of the Node that programs run with. */
    readonly node: string;
    /** Variables that the image gives to every program. */
    readonly env: Readonly<Record<string, string>>;
  };
}

/** The code host that starts programs as children of this process. */
export async function createLocalCodeHost(options: CodeHostOptions): Promise<CodeHost> {
  const { workspace, scratch, instance } = options;
  const interpreters = findInterpreters(options.searchPath, options.container?.node ?? process.execPath);
  const running = new Map<string, LocalProcessTree>();
  await mkdir(workspace, { recursive: true, mode: 0o700 });
  await mkdir(scratch, { recursive: true, mode: 0o700 });
  const inPlace = await placeOf(workspace);

  const host: CodeHost = {
    languages: () => languageStatuses(interpreters),
    async prepare(executionId, request) {
      const interpreter = await interpreters.find(request.language);
      if (interpreter === null) {
        const message = `${request.language} is not available in this sandbox`;
        throw new RuntimeFault(422, 'language_unavailable', message);
      }
      const program = {
        language: request.language,
        interpreter: interpreter.path,
        prlimit: await interpreters.prlimit(),
        launcher: options.container?.launcher ?? null,
        file: await programFile(workspace, executionId, request),
        args: request.args,
        env: { ...options.container?.env, ...request.env },
        workspace,
        scratch,
        marker: `${instance}:${executionId}`,
        memoryMb: request.limits.memory_mb,
        fileMb: options.diskMb,
      };
      return {
        start(onOutput) {
          const started = startProgram(program, onOutput);
          return follow(running, executionId, started, options.container !== undefined);
        },
      };
    },
    async cleanUp(executionId) {
      const files = languages.map((language) => join(workspace, codeFileName(executionId, language)));
      await removeTrees(workspace, files);
    },
    usage: () => workspaceUsage(workspace),
    async usageBeside(executionId) {
      const devices = new Set([(await stat(workspace)).dev, (await stat(scratch)).dev]);
      const pids = running.get(executionId)?.pids() ?? [];
      return (await workspaceUsage(scratch)) + (await namelessBytes(pids, devices));
    },
    writeFile: (path, source, room) => writeWorkspaceFile(workspace, path, source, room),
    readFile: (path) => readWorkspaceFile(workspace, path),
    deleteFile: (path) => deleteWorkspaceFile(workspace, path),
    list: () => listWorkspace(workspace),
    archive: () => archiveWorkspace(workspace),
    restore: (source, room) => restoreWorkspace(workspace, source, room),
  };
  return {
    languages: () => host.languages(),
    prepare: (id, request) => inPlace().then(() => host.prepare(id, request)),
    cleanUp: (id) => inPlace().then(() => host.cleanUp(id)),
    usage: () => inPlace().then(() => host.usage()),
    usageBeside: (id) => host.usageBeside(id),
    writeFile: (path, source, room) => inPlace().then(() => host.writeFile(path, source, room)),
    readFile: (path) => inPlace().then(() => host.readFile(path)),
    deleteFile: (path) => inPlace().then(() => host.deleteFile(path)),
    list: () => inPlace().then(() => host.list()),
    async *archive() {
      await inPlace();
      yield* host.archive();
    },
    restore: (source, room) => inPlace().then(() => host.restore(source, room)),
  };
}

/**
 * Looks whether the workspace is still the folder that it was at the start. In a container it is a mount and cannot be
 * anything else; on a developer's machine a program may move it and put a link to a folder of worth in its place.
 */
async function placeOf(workspace: string): Promise<() => Promise<void>> {
  const identity = async () => {
    const { dev, ino } = await lstat(workspace);
    return `${dev}:${ino}`;
  };
  const atStart = await identity();
  return async () => {
    const now = await identity().catch(() => null);
    if (now !== atStart) throw new RuntimeFault(503, 'closing', 'a program has moved its workspace away');
  };
}

/** Knows a program's processes while it runs. In a container of its own nothing may outlive those still running. */
function follow(
  running: Map<string, LocalProcessTree>,
  executionId: string,
  program: LocalProgram,
  alone: boolean,
): RunningProgram {
  const { tree } = program;
  if (tree === null) return program;
  running.set(executionId, tree);
  const clear = async () => {
    const end = await program.ended;
    running.delete(executionId);
    if (alone) await killStrays(() => [...running.values()]);
    return end;
  };
  return { ...program, ended: clear() };
}

/**
 * Code given as text lies in the root of the workspace while it runs, so that relative imports and Python's module
 * path find the files beside it.
 */
async function programFile(
  workspace: string,
  executionId: string,
  request: ExecutionRequest,
): Promise<string> {
  if (request.code !== null) {
    const file = join(workspace, codeFileName(executionId, request.language));
    // A program may have closed the folder.
    await (await openConfined(workspace, [], { create: false, change: true })).close();
    await removeTrees(workspace, [file]);
    await writeFile(file, request.code, { flag: 'wx', mode: 0o600 });
    return file;
  }
  const path = request.file ?? '';
  if (!(await isWorkspaceFile(workspace, path))) {
    throw new RuntimeFault(404, 'file_missing', 'the file to run is not in the workspace');
  }
  return join(workspace, ...parseWorkspacePath(path));
}

function codeFileName(executionId: string, language: Language): string {
  return `${reservedPrefix}${executionId}.${language === 'javascript' ? 'mjs' : 'py'}`;
}
