import type { CodeHost, PreparedProgram } from './code-host.ts';
import { RuntimeFault } from './faults.ts';
import type { ProgramEnd, RunningProgram } from './program.ts';
import type { ExecutionRequest } from './protocol.ts';
import { streamMarks } from './remote-program.ts';
import type { ServedRequest } from './serve-link.ts';

/** What the runtime may ask for; it is trusted, and only it is on the other end. */
type CodeRequest =
  | { readonly op: 'languages' | 'usage' | 'list' | 'archive' }
  | { readonly op: 'prepare'; readonly execution_id: string; readonly request: ExecutionRequest }
  | { readonly op: 'start' | 'clean_up' | 'usage_beside'; readonly execution_id: string }
  | { readonly op: 'write_file'; readonly path: string; readonly room: number }
  | { readonly op: 'read_file' | 'delete_file'; readonly path: string }
  | { readonly op: 'restore'; readonly room: number };

type ProgramMessage =
  | { readonly signal: NodeJS.Signals }
  | { readonly destroy: true }
  | { readonly survey: number };

/** Answers the runtime's requests with this container's programs and files. */
export function createCodeServer(host: CodeHost): (served: ServedRequest) => Promise<unknown> {
  const prepared = new Map<string, PreparedProgram>();

  return async (served) => {
    const request = served.request as CodeRequest;
    switch (request.op) {
      case 'languages':
        return { statuses: await host.languages() };
      case 'usage':
        return { bytes: await host.usage() };
      case 'usage_beside':
        return { bytes: await host.usageBeside(request.execution_id) };
      case 'prepare':
        prepared.set(request.execution_id, await host.prepare(request.execution_id, request.request));
        return null;
      case 'start': {
        const program = prepared.get(request.execution_id);
        prepared.delete(request.execution_id);
        if (!program) throw new RuntimeFault(500, 'internal', 'the program was not prepared');
        return runProgram(program, served);
      }
      case 'clean_up':
        prepared.delete(request.execution_id);
        return host.cleanUp(request.execution_id);
      case 'write_file':
        return host.writeFile(request.path, served.incoming, request.room);
      case 'delete_file':
        return host.deleteFile(request.path);
      case 'restore':
        return host.restore(served.incoming, request.room);
      case 'read_file': {
        const source = await host.readFile(request.path);
        served.send({ opened: true });
        return sendAll(source, served);
      }
      case 'archive':
        return sendAll(host.archive(), served);
      case 'list':
        return sendAll([Buffer.from(JSON.stringify(await host.list()))], served);
    }
  };
}

async function sendAll(
  source: AsyncIterable<Uint8Array> | Iterable<Uint8Array>,
  served: ServedRequest,
): Promise<null> {
  for await (const piece of source) if (piece.length > 0) await served.write(piece);
  await served.end();
  return null;
}

async function runProgram(prepared: PreparedProgram, served: ServedRequest): Promise<null> {
  const program = prepared.start((stream, data) => served.write(data, Buffer.from([streamMarks[stream]])));
  served.onMessage((message) => obey(program, message as ProgramMessage, served));
  served.send({ exited: wireEnd(await program.exited) });
  await program.ended;
  await served.end();
  return null;
}

function obey({ tree }: RunningProgram, message: ProgramMessage, served: ServedRequest): void {
  if ('signal' in message) tree?.signal(message.signal);
  else if ('survey' in message) {
    const found = tree?.survey(message.survey) ?? Promise.resolve({ count: 0, memory: 0 });
    found.then((survey) => served.send({ survey })).catch(complain);
  } else tree?.destroy().catch(complain);
}

function wireEnd({ exitCode, signal, spawnError, outOfMemory = false }: ProgramEnd) {
  const spawn_error = spawnError?.slice(0, 1_000) ?? null;
  return { exit_code: exitCode, signal, spawn_error, out_of_memory: outOfMemory };
}

function complain(error: unknown): void {
  process.stderr.write(`a message of the runtime failed: ${String(error)}\n`);
}
