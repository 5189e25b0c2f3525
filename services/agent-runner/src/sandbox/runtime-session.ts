import { decodeFrames, decodeOutputAnswer } from '@swissbrain/sandbox-runtime/output-frames';
import type { ExecutionRecord } from '@swissbrain/sandbox-runtime/protocol';
import { z } from 'zod';
import type {
  ByteSource,
  EndReason,
  ExecuteOptions,
  ExecuteRequest,
  Execution,
  OutputChunk,
  SandboxSession,
} from './driver.ts';
import { SandboxError } from './errors.ts';
import { fileListAnswer, outputHeadAnswer, recordAnswer, runtimeStateAnswer } from './runtime-answers.ts';
import type { RuntimeClient } from './runtime-client.ts';

/** Also one of which the runtime knows no more than that it is lost. */
type FinishedExecution = Execution & { readonly state: 'finished'; readonly reason: EndReason };

/** How long one question for output is held open by the runtime. */
const outputWaitMs = 20_000;
/** A whole workspace may have to be packed or unpacked before the answer begins. */
const transferTimeoutMs = 300_000;

/** A session over its runtime's HTTP interface; both drivers use it. `end` removes the session for good. */
export function createRuntimeSession(
  name: string,
  client: RuntimeClient,
  end: () => Promise<void>,
): SandboxSession {
  return {
    name,
    ...executionMethods(client),
    ...fileMethods(client),
    async languages() {
      return (await client.json({ method: 'GET', target: '/runtime' }, runtimeStateAnswer)).languages;
    },
    detach: () => client.close(),
    async close() {
      client.close();
      await end();
    },
  };
}

function executionMethods(client: RuntimeClient): Pick<SandboxSession, 'execute' | 'lookup' | 'kill'> {
  return {
    async execute(request, onOutput, options = {}) {
      const body = Buffer.from(JSON.stringify(wireRequest(request)));
      const target = executionTarget(request.executionId);
      await client.json({ method: 'PUT', target, body, signal: options.signal }, recordAnswer);
      const execution = await followOutput(client, target, onOutput, options);
      const { reason } = execution;
      if (reason === 'lost') throw await client.lost(execution.message ?? 'it has ended');
      return { ...execution, reason };
    },
    async lookup(executionId) {
      try {
        const target = executionTarget(executionId);
        return executionOf(await client.json({ method: 'GET', target }, recordAnswer));
      } catch (error) {
        if (error instanceof SandboxError && error.code === 'execution_missing') return null;
        throw error;
      }
    },
    async kill(executionId) {
      await client.json({ method: 'POST', target: `${executionTarget(executionId)}/kill` }, recordAnswer);
    },
  };
}

function fileMethods(
  client: RuntimeClient,
): Pick<SandboxSession, 'putFile' | 'getFile' | 'listFiles' | 'deleteFile' | 'snapshot' | 'restore'> {
  const anything = z.unknown();
  const upload = (target: string, content: ByteSource) =>
    client.json({ method: 'PUT', target, timeoutMs: transferTimeoutMs, ...uploadBody(content) }, anything);
  return {
    async putFile(path, content) {
      await upload(fileTarget(path), content);
    },
    getFile: (path) => client.stream({ method: 'GET', target: fileTarget(path) }),
    async listFiles() {
      return (await client.json({ method: 'GET', target: '/files' }, fileListAnswer)).entries;
    },
    async deleteFile(path) {
      await client.json({ method: 'DELETE', target: fileTarget(path) }, anything);
    },
    snapshot: () => client.stream({ method: 'GET', target: '/workspace', timeoutMs: transferTimeoutMs }),
    async restore(snapshot) {
      await upload('/workspace', snapshot);
    },
  };
}

async function followOutput(
  client: RuntimeClient,
  target: string,
  onOutput: (chunk: OutputChunk) => void | Promise<void>,
  { fromOffset = 0, signal }: ExecuteOptions,
): Promise<FinishedExecution> {
  for (let offset = fromOffset; ; ) {
    const answer = await client.bytes({
      method: 'GET',
      target: `${target}/output?offset=${offset}&wait=${outputWaitMs}`,
      timeoutMs: outputWaitMs + 15_000,
      signal,
    });
    const { chunks, finished } = parseOutput(answer, offset);
    for (const chunk of chunks) {
      await onOutput(chunk);
      offset = chunk.nextOffset;
    }
    if (finished) return resultOf(executionOf(finished));
    signal?.throwIfAborted();
  }
}

function parseOutput(
  answer: Buffer,
  offset: number,
): { readonly chunks: readonly OutputChunk[]; readonly finished: ExecutionRecord | null } {
  try {
    const { head, frames } = decodeOutputAnswer(answer);
    return { chunks: decodeFrames(frames, offset), finished: outputHeadAnswer.parse(head).finished };
  } catch (error) {
    const message = 'the sandbox gave output of unknown shape';
    throw new SandboxError('infrastructure', 'answer_invalid', message, { cause: error });
  }
}

function wireRequest({ language, code, file, args, env, limits }: ExecuteRequest) {
  return {
    language,
    code,
    file,
    args,
    env,
    limits: limits && {
      wall_ms: limits.wallMs,
      memory_mb: limits.memoryMb,
      output_bytes: limits.outputBytes,
      on_output_limit: limits.onOutputLimit,
    },
  };
}

function executionOf(record: ExecutionRecord): Execution {
  return {
    executionId: record.id,
    language: record.language,
    state: record.state,
    reason: record.reason,
    exitCode: record.exit_code,
    signal: record.signal,
    durationMs: record.duration_ms,
    stdoutBytes: record.stdout_bytes,
    stderrBytes: record.stderr_bytes,
    stdoutTruncated: record.stdout_truncated,
    stderrTruncated: record.stderr_truncated,
    message: record.message,
  };
}

function resultOf(execution: Execution): FinishedExecution {
  const { state, reason } = execution;
  if (state === 'finished' && reason !== null) return { ...execution, state, reason };
  throw new SandboxError(
    'infrastructure',
    'answer_invalid',
    'the sandbox called an execution finished that is not',
  );
}

/** Bytes can be sent again after a failure, a stream that was begun cannot. */
function uploadBody(content: ByteSource) {
  if (!(content instanceof Uint8Array)) return { body: () => content, repeatable: false };
  return {
    async *body() {
      yield content;
    },
  };
}

function executionTarget(executionId: string): string {
  return `/executions/${encodeURIComponent(executionId)}`;
}

function fileTarget(path: string): string {
  return `/files/${path.split('/').map(encodeURIComponent).join('/')}`;
}
