import { type ChildProcess, spawn } from 'node:child_process';
import { randomBytes } from 'node:crypto';
import { once } from 'node:events';
import { mkdir, mkdtemp } from 'node:fs/promises';
import { request as httpRequest } from 'node:http';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { buffer } from 'node:stream/consumers';
import { setTimeout as delay } from 'node:timers/promises';
import { fileURLToPath } from 'node:url';
import { wallClockMs } from '../src/clock.ts';
import { decodeFrames, decodeOutputAnswer } from '../src/output-frames.ts';
import { killUntilGone, processesWithVariable } from '../src/processes.ts';
import { type ExecutionRecord, endpointVariable, type OutputHead } from '../src/protocol.ts';
import { sealStream } from '../src/sealed-stream.ts';
import { destroySession, readEndpoint, sessionPaths } from '../src/session-directory.ts';
import {
  answerMac,
  deriveKeys,
  requestMac,
  sha256Hex,
  signatureHeaders,
  streamedDigest,
} from '../src/signing.ts';

const secret = 'the secret of a session in a test, long enough';
const main = fileURLToPath(new URL('../src/main.ts', import.meta.url));
const codeMain = fileURLToPath(new URL('../src/code-main.ts', import.meta.url));

export interface RuntimeProcess {
  readonly directory: string;
  readonly child: ChildProcess;
  readonly port: number;
  /** The process that stands for the code container, where there is one. */
  readonly code: ChildProcess | null;
  readonly exited: Promise<number | null>;
  destroy(): Promise<void>;
}

/**
 * Starts a runtime as the local driver does; `overrides` are variables of its environment. Started in two parts, a
 * process stands for each of the containers of a pod.
 */
export async function startRuntimeProcess(
  overrides: Readonly<Record<string, string>> = {},
  directory?: string,
  parts: 'one' | 'two' = process.env.SANDBOX_TEST_PARTS === 'two' ? 'two' : 'one',
): Promise<RuntimeProcess> {
  const home = directory ?? (await mkdtemp(join(tmpdir(), 'swissbrain-runtime-')));
  await mkdir(home, { recursive: true });
  const paths = sessionPaths(home);
  const socket = join(home, 'code.sock');
  const places = { SANDBOX_WORKSPACE: paths.workspace, SANDBOX_SCRATCH: paths.scratch };
  const code = parts === 'one' ? null : startCodeProcess(home, socket, { ...places, ...overrides });
  const child = spawn(process.execPath, [main], {
    stdio: ['pipe', 'ignore', 'inherit'],
    env: {
      PATH: process.env.PATH,
      [endpointVariable]: paths.endpoint,
      ...(parts === 'one' ? places : { SANDBOX_CODE_SOCKET: socket }),
      SANDBOX_STATE: paths.state,
      SANDBOX_MEMORY_MB: '512',
      SANDBOX_DISK_MB: '64',
      SANDBOX_WALL_SECONDS: '30',
      SANDBOX_KILL_GRACE_MS: '300',
      ...overrides,
    },
  });
  const exited = once(child, 'exit').then(([code]) => code as number | null);
  child.stdin.end(`${secret}\n`);
  const port = await waitFor(() => readEndpoint(home)?.port ?? (child.exitCode === null ? null : -1));
  return {
    directory: home,
    child,
    port,
    code,
    exited,
    async destroy() {
      await destroySession(home);
      await exited;
      if (code && code.exitCode === null && code.signalCode === null) await once(code, 'exit');
      // In a container they end with its first process; here nobody else would end them.
      if (code) await killUntilGone(() => processesWithVariable('HOME', paths.scratch));
    },
  };
}

function startCodeProcess(
  home: string,
  socket: string,
  environment: Readonly<Record<string, string>>,
): ChildProcess {
  return spawn(process.execPath, [codeMain], {
    cwd: home,
    stdio: ['ignore', 'ignore', 'inherit'],
    env: { PATH: process.env.PATH, SANDBOX_DISK_MB: '64', ...environment, SANDBOX_CODE_SOCKET: socket },
  });
}

/** Asks until there is something other than null, undefined or false. */
export async function waitFor<T>(
  check: () => T | null | undefined | false | Promise<T | null | undefined | false>,
) {
  for (let attempt = 0; attempt < 2_000; attempt += 1) {
    const found = await check();
    if (found !== null && found !== undefined && found !== false) return found;
    await delay(10);
  }
  throw new Error('the condition did not come true');
}

/** What a request says; everything can be set to lie. */
export interface RawRequest {
  readonly method?: string;
  readonly body?: string | Buffer;
  readonly stream?: readonly Buffer[];
  readonly secret?: string;
  readonly nonce?: string;
  readonly timeMs?: number;
  /** Laid over the signed headers. */
  readonly headers?: Readonly<Record<string, string>>;
  /** What is signed, when it differs from what is sent. */
  readonly signedTarget?: string;
  /** Sent instead of the body that was signed. */
  readonly sentBody?: Buffer;
}

export interface RawAnswer {
  readonly status: number;
  readonly body: Buffer;
  readonly json: unknown;
  /** Whether the MAC is that of a runtime that holds the secret, over this very body. */
  readonly authentic: boolean;
}

/** One request by hand, signed unless told otherwise. */
export async function call(port: number, target: string, raw: RawRequest = {}): Promise<RawAnswer> {
  const { method = 'GET', nonce = randomBytes(16).toString('hex') } = raw;
  const keys = deriveKeys(raw.secret ?? secret);
  const time = String(raw.timeMs ?? wallClockMs());
  const body = Buffer.from(raw.body ?? '');
  const digest = raw.stream ? streamedDigest : sha256Hex(body);
  const signed = { method, target: raw.signedTarget ?? target, digest, nonce, time };
  const headers = {
    [signatureHeaders.nonce]: nonce,
    [signatureHeaders.time]: time,
    [signatureHeaders.digest]: digest,
    [signatureHeaders.mac]: requestMac(keys, signed),
    ...raw.headers,
  };
  const request = httpRequest({ host: '127.0.0.1', port, path: target, method, headers, agent: false });
  const answered = once(request, 'response');
  // Who is refused may still be sending when the connection closes; what counts is the answer.
  request.on('error', () => undefined);
  if (raw.stream) {
    for await (const frame of sealStream(toStream(raw.stream), keys.requestStream, nonce))
      request.write(frame);
    request.end();
  } else request.end(raw.sentBody ?? body);
  const [response] = await answered;
  const received = await buffer(response);
  const status = response.statusCode as number;
  const mac = answerMac(deriveKeys(secret), { status, nonce, digest: sha256Hex(received) });
  return {
    status,
    body: received,
    json: response.headers['content-type'] === 'application/json' ? JSON.parse(received.toString()) : null,
    authentic: response.headers[signatureHeaders.mac] === mac,
  };
}

export interface Program {
  readonly language?: string;
  readonly code?: string;
  readonly file?: string;
  readonly args?: readonly string[];
  readonly env?: Readonly<Record<string, string>>;
  readonly limits?: Readonly<Record<string, unknown>>;
}

export function start(port: number, id: string, program: Program): Promise<RawAnswer> {
  return call(port, `/executions/${id}`, {
    method: 'PUT',
    body: JSON.stringify({ language: 'javascript', ...program }),
  });
}

export interface Outcome {
  readonly record: ExecutionRecord;
  readonly stdout: Buffer;
  readonly stderr: Buffer;
}

/** All output of an execution from its start, and its final record. */
export async function outcome(port: number, id: string): Promise<Outcome> {
  const output = { stdout: [] as Buffer[], stderr: [] as Buffer[] };
  for (let offset = 0; ; ) {
    const answer = await call(port, `/executions/${id}/output?offset=${offset}&wait=20000`);
    if (answer.status !== 200) throw new Error(`reading output: ${answer.status} ${answer.body.toString()}`);
    const { head, frames } = decodeOutputAnswer(answer.body);
    for (const frame of decodeFrames(frames, offset)) output[frame.stream].push(frame.data);
    const { next_offset, finished } = head as OutputHead;
    offset = next_offset;
    if (!finished) continue;
    return { record: finished, stdout: Buffer.concat(output.stdout), stderr: Buffer.concat(output.stderr) };
  }
}

/** Starts a program under a fresh id and follows it to its end. */
export async function run(port: number, program: Program): Promise<Outcome> {
  const id = randomBytes(8).toString('hex');
  const started = await start(port, id, program);
  if (started.status !== 201) throw new Error(`starting: ${started.status} ${started.body.toString()}`);
  return outcome(port, id);
}

async function* toStream(chunks: readonly Buffer[]) {
  yield* chunks;
}
