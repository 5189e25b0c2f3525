import { ByteReader } from './byte-reader.ts';
import { RuntimeFault } from './faults.ts';
import { type TarEntry, tarBlock, tarChecksum } from './tar-writer.ts';

const maxPaxBytes = 64 * 1024;
const types: Readonly<Record<string, TarEntry['type']>> = {
  '0': 'file',
  '\0': 'file',
  '5': 'directory',
  '2': 'link',
};

export interface ReadTarEntry {
  readonly entry: TarEntry;
  /** The content of a file. Has to be read to its end before the next entry is asked for. */
  readonly content: AsyncIterable<Buffer>;
}

/**
 * The entries of a ustar or pax file, in order, as they arrive. What is not a file, a folder or a symbolic link is
 * refused, as is anything damaged. Paths are handed on as they stand: the caller judges them.
 * @throws RuntimeFault `archive_invalid`
 */
export async function* readTar(source: AsyncIterable<Uint8Array>): AsyncGenerator<ReadTarEntry> {
  const reader = new ByteReader(source);
  let pax = new Map<string, string>();
  for (;;) {
    const block = await reader.read(tarBlock);
    if (block.length < tarBlock) throw invalid('it ends without its end mark');
    if (block.every((byte) => byte === 0)) return drain(reader);
    const flag = checkedFlag(block);
    const size = pax.has('size') ? decimal(pax.get('size') ?? '') : octal(block, 124, 12);
    if (flag === 'x' || flag === 'g') {
      const records = await readPax(reader, octal(block, 124, 12));
      // A global header speaks of comments and times only where we read it.
      if (flag === 'x') pax = records;
      continue;
    }
    const entry = describe(block, flag, size, pax);
    pax = new Map();
    const content = contentOf(reader, entry.size);
    yield { entry, content: content.pieces };
    if (!content.finished()) throw new Error('the content of an entry was not read to its end');
    await reader.read((tarBlock - (entry.size % tarBlock)) % tarBlock);
  }
}

function checkedFlag(block: Buffer): string {
  if (octal(block, 148, 8) !== tarChecksum(block)) throw invalid('a header is damaged');
  if (block.toString('latin1', 257, 262) !== 'ustar') throw invalid('it is not in ustar format');
  return block.toString('latin1', 156, 157);
}

function describe(block: Buffer, flag: string, size: number, pax: ReadonlyMap<string, string>): TarEntry {
  const type = types[flag];
  if (type === undefined) throw invalid('it holds something other than files, folders and symbolic links');
  const prefix = text(block, 345, 155);
  const name = text(block, 0, 100);
  const path = pax.get('path') ?? (prefix === '' ? name : `${prefix}/${name}`);
  return {
    type,
    path: type === 'directory' ? path.replace(/\/$/, '') : path,
    size: type === 'file' ? size : 0,
    mode: octal(block, 100, 8) & 0o777,
    modifiedSeconds: octal(block, 136, 12),
    target: type === 'link' ? (pax.get('linkpath') ?? text(block, 157, 100)) : '',
  };
}

function contentOf(reader: ByteReader, size: number) {
  let missing = size;
  const pieces = async function* () {
    for await (const piece of reader.pieces(size)) {
      missing -= piece.length;
      yield piece;
    }
    if (missing > 0) throw invalid('it ends within a file');
  };
  return { pieces: pieces(), finished: () => missing === 0 };
}

async function readPax(reader: ByteReader, size: number): Promise<Map<string, string>> {
  if (size > maxPaxBytes) throw invalid('an extended header is too long');
  const body = await reader.read(size);
  await reader.read((tarBlock - (size % tarBlock)) % tarBlock);
  const records = new Map<string, string>();
  for (let position = 0; position < body.length; ) {
    const space = body.indexOf(0x20, position);
    const length = decimal(body.toString('latin1', position, Math.max(space, position)));
    const record = body.toString('utf8', space + 1, position + length);
    const equals = record.indexOf('=');
    if (length < 5 || position + length > body.length || equals < 1 || !record.endsWith('\n')) {
      throw invalid('an extended header is damaged');
    }
    records.set(record.slice(0, equals), record.slice(equals + 1, -1));
    position += length;
  }
  return records;
}

async function drain(reader: ByteReader): Promise<void> {
  while ((await reader.read(tarBlock)).length > 0);
}

function text(block: Buffer, start: number, length: number): string {
  const field = block.subarray(start, start + length);
  const end = field.indexOf(0);
  return field.toString('utf8', 0, end === -1 ? length : end);
}

function octal(block: Buffer, start: number, length: number): number {
  const digits = block
    .toString('latin1', start, start + length)
    .replace(/[\0 ]+$/, '')
    .trimStart();
  if (!/^[0-7]*$/.test(digits)) throw invalid('a number in a header is damaged');
  return digits === '' ? 0 : Number.parseInt(digits, 8);
}

function decimal(digits: string): number {
  const value = /^\d{1,16}$/.test(digits) ? Number(digits) : Number.NaN;
  if (!Number.isSafeInteger(value)) throw invalid('a number in an extended header is damaged');
  return value;
}

function invalid(why: string): RuntimeFault {
  return new RuntimeFault(400, 'archive_invalid', `the archive is refused: ${why}`);
}
