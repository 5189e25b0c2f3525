/** One entry of a tar file. */
export interface TarEntry {
  readonly type: 'file' | 'directory' | 'link';
  /** Relative, without a slash at the end. */
  readonly path: string;
  readonly size: number;
  readonly mode: number;
  readonly modifiedSeconds: number;
  /** Of a link, else empty. */
  readonly target: string;
}

export const tarBlock = 512;
const typeFlags = { file: '0', directory: '5', link: '2' } as const;
/** Larger than 11 octal digits can say. */
const maxUstarSize = 8 ** 11;

/**
 * The header of an entry (POSIX ustar; names, targets and sizes that do not fit are put into a pax header before it).
 * Owner and group are left out, so that the same files give the same bytes everywhere.
 */
export function tarHeader(entry: TarEntry): Buffer {
  const path = entry.type === 'directory' ? `${entry.path}/` : entry.path;
  const split = splitPath(path);
  const records: string[] = [];
  if (!split) records.push(paxRecord('path', path));
  if (Buffer.byteLength(entry.target) > 100) records.push(paxRecord('linkpath', entry.target));
  if (entry.size >= maxUstarSize) records.push(paxRecord('size', String(entry.size)));
  const header = ustarBlock({
    name: split?.name ?? 'long-name',
    prefix: split?.prefix ?? '',
    flag: typeFlags[entry.type],
    size: entry.size >= maxUstarSize ? 0 : entry.size,
    mode: entry.mode,
    modifiedSeconds: entry.modifiedSeconds,
    target: entry.target,
  });
  return records.length === 0 ? header : Buffer.concat([paxHeader(records.join('')), header]);
}

/** Zeros from the end of `size` bytes to the next block. */
export function tarPadding(size: number): Buffer {
  return Buffer.alloc((tarBlock - (size % tarBlock)) % tarBlock);
}

/** What ends a tar file. */
export function tarTrailer(): Buffer {
  return Buffer.alloc(2 * tarBlock);
}

interface UstarFields {
  readonly name: string;
  readonly prefix: string;
  readonly flag: string;
  readonly size: number;
  readonly mode: number;
  readonly modifiedSeconds: number;
  readonly target: string;
}

function ustarBlock(fields: UstarFields): Buffer {
  const block = Buffer.alloc(tarBlock);
  const octal = (value: number, digits: number) => `${value.toString(8).padStart(digits, '0')}\0`;
  block.write(fields.name, 0);
  block.write(octal(fields.mode, 7), 100);
  block.write(octal(0, 7), 108);
  block.write(octal(0, 7), 116);
  block.write(octal(fields.size, 11), 124);
  block.write(octal(fields.modifiedSeconds, 11), 136);
  block.write(' '.repeat(8), 148);
  block.write(fields.flag, 156);
  block.write(Buffer.byteLength(fields.target) <= 100 ? fields.target : 'long-target', 157);
  block.write('ustar\x0000', 257, 'latin1');
  block.write(fields.prefix, 345);
  block.write(`${tarChecksum(block).toString(8).padStart(6, '0')}\0 `, 148);
  return block;
}

/** The sum of all bytes with those of the checksum itself read as spaces. */
export function tarChecksum(block: Buffer): number {
  let sum = 0;
  for (let index = 0; index < tarBlock; index += 1) {
    sum += index >= 148 && index < 156 ? 0x20 : (block[index] ?? 0);
  }
  return sum;
}

function splitPath(path: string): { readonly name: string; readonly prefix: string } | null {
  if (Buffer.byteLength(path) <= 100) return { name: path, prefix: '' };
  for (let slash = path.indexOf('/'); slash > 0; slash = path.indexOf('/', slash + 1)) {
    const prefix = path.slice(0, slash);
    const name = path.slice(slash + 1);
    if (name !== '' && Buffer.byteLength(prefix) <= 155 && Buffer.byteLength(name) <= 100)
      return { name, prefix };
  }
  return null;
}

function paxHeader(records: string): Buffer {
  const body = Buffer.from(records);
  const block = ustarBlock({
    name: 'pax-header',
    prefix: '',
    flag: 'x',
    size: body.length,
    mode: 0o644,
    modifiedSeconds: 0,
    target: '',
  });
  return Buffer.concat([block, body, tarPadding(body.length)]);
}

/** `<length> <keyword>=<value>\n`, where the length counts its own digits. */
function paxRecord(keyword: string, value: string): string {
  const rest = Buffer.byteLength(` ${keyword}=${value}\n`);
  let length = rest + String(rest).length;
  if (rest + String(length).length !== length) length = rest + String(length).length;
  return `${length} ${keyword}=${value}\n`;
}
