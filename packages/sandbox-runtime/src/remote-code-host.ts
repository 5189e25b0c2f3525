import type { CodeHost } from './code-host.ts';
import { type CodeChannel, type CodeLink, fieldsOf } from './code-link.ts';
import { RuntimeFault } from './faults.ts';
import { LinkBroken } from './link-frames.ts';
import { type LanguageStatus, languages, type WorkspaceEntry } from './protocol.ts';
import { startRemoteProgram, wholeNumber } from './remote-program.ts';

/** A list of the whole workspace, as JSON: 10,000 entries with paths of up to 1 KiB, escaped. */
const maxListBytes = 64 * 1024 * 1024;
const maxListed = 10_000;
const entryTypes = ['file', 'directory', 'link'] as const;

/**
 * The code host in the other container, over the connection to it. Whatever comes back is parsed. When the connection
 * breaks, every call is refused with `closing`: what runs beside it is gone for good.
 */
export function createRemoteCodeHost(link: CodeLink): CodeHost {
  // A broken connection never comes back, so the session is as good as closed.
  const orClosing = async <T>(work: Promise<T>): Promise<T> => {
    try {
      return await work;
    } catch (error) {
      if (!(error instanceof LinkBroken)) throw error;
      link.break(error.message);
      const message = `the part of the sandbox that runs programs is gone: ${link.brokenFor() ?? error.message}`;
      throw new RuntimeFault(503, 'closing', message);
    }
  };
  const ask = (request: unknown) => orClosing(link.open(request).answer);
  return {
    languages: () => orClosing(ask({ op: 'languages' }).then(readLanguages)),
    async prepare(executionId, request) {
      await ask({ op: 'prepare', execution_id: executionId, request });
      return { start: (onOutput) => startRemoteProgram(link, executionId, onOutput) };
    },
    async cleanUp(executionId) {
      await ask({ op: 'clean_up', execution_id: executionId });
    },
    usage: () => orClosing(ask({ op: 'usage' }).then((answer) => sizeIn(fieldsOf(answer).bytes))),
    usageBeside(executionId) {
      const asked = ask({ op: 'usage_beside', execution_id: executionId });
      return orClosing(asked.then((answer) => sizeIn(fieldsOf(answer).bytes)));
    },
    writeFile(path, source, room) {
      const written = upload(link.open({ op: 'write_file', path, room }), source);
      return orClosing(written.then((answer) => ({ size: sizeIn(fieldsOf(answer).size) })));
    },
    async readFile(path) {
      // The first answer is that the file could be opened: a refusal needs a status, not a broken stream.
      const { promise: opened, resolve } = Promise.withResolvers<void>();
      const channel = link.open({ op: 'read_file', path }, () => resolve());
      await orClosing(Promise.race([opened, channel.answer]));
      return channel.incoming;
    },
    async deleteFile(path) {
      await ask({ op: 'delete_file', path });
    },
    list: () => orClosing(readList(link.open({ op: 'list' }))),
    archive: () => link.open({ op: 'archive' }).incoming,
    async restore(source, room) {
      await orClosing(upload(link.open({ op: 'restore', room }), source));
    },
  };
}

function sizeIn(value: unknown): number {
  return wholeNumber(value, Number.MAX_SAFE_INTEGER);
}

async function upload(channel: CodeChannel, source: AsyncIterable<Uint8Array>): Promise<unknown> {
  const send = async () => {
    for await (const piece of source) await channel.write(piece);
    await channel.end();
  };
  const sent = send().then(
    () => channel.answer,
    (error: unknown) => {
      // The code side has answered before the end, or is gone: its answer says more than the broken sending.
      if (error instanceof LinkBroken) return channel.answer;
      channel.cancel();
      throw error;
    },
  );
  return Promise.race([channel.answer, sent]);
}

async function readList(
  channel: CodeChannel,
): Promise<{ readonly entries: WorkspaceEntry[]; readonly truncated: boolean }> {
  const pieces: Buffer[] = [];
  let size = 0;
  for await (const piece of channel.incoming) {
    size += piece.length;
    if (size > maxListBytes) throw new LinkBroken('a list without end');
    pieces.push(piece);
  }
  await channel.answer;
  let value: unknown;
  try {
    value = JSON.parse(Buffer.concat(pieces).toString('utf8'));
  } catch {
    throw new LinkBroken('a list that is no JSON');
  }
  const { entries, truncated } = fieldsOf(value);
  if (!Array.isArray(entries) || entries.length > maxListed) throw new LinkBroken('a list of unknown shape');
  return { entries: entries.map(readEntry), truncated: truncated === true };
}

function readEntry(value: unknown): WorkspaceEntry {
  const { path, type, size } = fieldsOf(value);
  const known = entryTypes.find((name) => name === type);
  if (typeof path !== 'string' || known === undefined) throw new LinkBroken('an entry of unknown shape');
  return { path, type: known, size: sizeIn(size) };
}

function readLanguages(value: unknown): LanguageStatus[] {
  const { statuses } = fieldsOf(value);
  if (!Array.isArray(statuses)) throw new LinkBroken('languages of unknown shape');
  return languages.map((language) => {
    const found = statuses.map(fieldsOf).find((status) => status.language === language);
    const version = found?.version;
    if (!(version === null || (typeof version === 'string' && version.length <= 64))) {
      throw new LinkBroken('languages of unknown shape');
    }
    return { language, available: found?.available === true, version };
  });
}
