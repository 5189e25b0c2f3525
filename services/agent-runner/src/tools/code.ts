import { operations } from '@swissbrain/shared-schema/operations';
import { z } from 'zod';
import type { ExecutionResult, OutputChunk } from '../sandbox/driver.ts';
import { SandboxError } from '../sandbox/errors.ts';
import { readBounded } from './read-bounded.ts';
import type { Tool, ToolContext, ToolResult } from './tool.ts';

const defaultTimeoutSeconds = 60;
const maxTimeoutSeconds = 3_600;
/** For starting the sandbox and moving files around the program. */
const graceSeconds = 300;
/** Kept of stdout and of stderr in the step's output: the end, where results and errors stand. */
const keptOutputBytes = 32 * 1024;
const readOutputBytes = 4 * 1024 * 1024;
const maxResultBytes = 256 * 1024;

const codeInput = z.strictObject({
  language: z.enum(['javascript', 'python']).describe('JavaScript runs as an ES module on Node.js'),
  code: z
    .string()
    .min(1)
    .max(512 * 1024)
    .describe('The program. Its working directory is the workspace'),
  args: z
    .array(z.union([z.string(), z.number(), z.boolean()]))
    .max(100)
    .default([]),
  env: z
    .record(z.string().regex(/^[A-Za-z_][A-Za-z0-9_]{0,99}$/), z.union([z.string(), z.number(), z.boolean()]))
    .default({}),
  timeout_seconds: z.number().int().min(1).max(maxTimeoutSeconds).default(defaultTimeoutSeconds),
});
type CodeInput = z.infer<typeof codeInput>;

/** Where a program leaves the JSON that becomes `output.result`, relative to the workspace. */
function resultPath(stepId: string): string {
  return `.swissbrain/${stepId}.json`;
}

/** Keeps the last bytes of a stream. */
function createTail(limit: number) {
  let kept: Buffer = Buffer.alloc(0);
  return {
    add(data: Uint8Array) {
      const joined = Buffer.concat([kept, data]);
      kept = joined.length > limit ? joined.subarray(joined.length - limit) : joined;
    },
    text: () => kept.toString('utf8'),
  };
}

function failureOf(execution: ExecutionResult, timeoutSeconds: number): ToolResult['failure'] {
  switch (execution.reason) {
    case 'exited':
      if (execution.exitCode === 0) return undefined;
      return execution.signal
        ? { code: 'killed_by_signal', message: `the program was ended by ${execution.signal}` }
        : { code: 'nonzero_exit', message: `the program ended with exit code ${execution.exitCode}` };
    case 'timeout':
      return { code: 'timeout', message: `the program did not end within ${timeoutSeconds} seconds` };
    default:
      return {
        code: execution.reason,
        message: execution.message ?? `the program was ended: ${execution.reason}`,
      };
  }
}

/** The JSON the program left, if it left any. */
async function readResult(
  context: ToolContext,
): Promise<{ result?: unknown; failure?: ToolResult['failure'] }> {
  const session = await context.sandbox();
  let bytes: Buffer;
  try {
    const read = await readBounded(session.getFile(resultPath(context.stepId)), maxResultBytes);
    if (read.truncated) {
      const message = `the file named by SWISSBRAIN_OUTPUT is larger than ${maxResultBytes} bytes; keep large data in a file`;
      return { failure: { code: 'result_too_large', message } };
    }
    bytes = read.bytes;
  } catch (error) {
    if (error instanceof SandboxError && error.code === 'file_missing') return {};
    throw error;
  }
  try {
    return { result: JSON.parse(bytes.toString('utf8')) };
  } catch (error) {
    const message = `the file named by SWISSBRAIN_OUTPUT is not JSON: ${error instanceof Error ? error.message : error}`;
    return { failure: { code: 'result_not_json', message } };
  }
}

async function runCode(input: CodeInput, context: ToolContext): Promise<ToolResult> {
  const session = await context.sandbox();
  const timeoutSeconds = Math.min(input.timeout_seconds, context.sandboxSeconds);
  const tails = { stdout: createTail(keptOutputBytes), stderr: createTail(keptOutputBytes) };
  const env = Object.fromEntries(Object.entries(input.env).map(([name, value]) => [name, String(value)]));
  const execution = await session.execute(
    {
      executionId: context.stepId,
      language: input.language,
      code: input.code,
      args: input.args.map(String),
      env: { ...env, SWISSBRAIN_OUTPUT: resultPath(context.stepId) },
      limits: { wallMs: timeoutSeconds * 1_000, outputBytes: readOutputBytes },
    },
    (chunk: OutputChunk) => tails[chunk.stream].add(chunk.data),
    { signal: context.signal },
  );
  const ended = failureOf(execution, timeoutSeconds);
  const read = ended ? {} : await readResult(context);
  const failure = ended ?? read.failure;
  const ran = execution.reason !== 'spawn_error';
  return {
    output: {
      stdout: tails.stdout.text(),
      stderr: tails.stderr.text(),
      exit_code: execution.exitCode,
      duration_ms: Math.round(execution.durationMs),
      ...('result' in read ? { result: read.result } : {}),
    },
    usage: ran
      ? [
          {
            operation: operations.codeExecution,
            quantity: String(Math.max(1, Math.ceil(execution.durationMs))),
          },
        ]
      : [],
    ...(failure ? { failure } : {}),
  };
}

/** Runs a program in the run's sandbox. */
export const codeTool: Tool<CodeInput> = {
  name: 'code',
  type: 'code',
  description:
    'Runs a program in the sandbox of this run and returns its output. Files stay between calls; the working ' +
    'directory is the workspace. Files under artifacts/ are kept and shown to the user. Write JSON to the file ' +
    'named by the environment variable SWISSBRAIN_OUTPUT to return it as `result`.',
  input: codeInput,
  offered: true,
  effect: 'write',
  resume: 'lookup',
  timeoutSeconds: maxTimeoutSeconds + graceSeconds,
  unavailable: () => null,
  estimate(input) {
    const { timeout_seconds: timeout = defaultTimeoutSeconds } = input;
    const seconds = typeof timeout === 'number' ? timeout : maxTimeoutSeconds;
    return [{ operation: operations.codeExecution, quantity: String(Math.ceil(seconds * 1_000)) }];
  },
  async run(input, context) {
    try {
      return await runCode(input, context);
    } catch (error) {
      if (!(error instanceof SandboxError) || error.fault !== 'user') throw error;
      return { output: null, usage: [], failure: { code: error.code, message: error.message } };
    }
  },
};
