import { execFileSync } from 'node:child_process';
import { randomBytes } from 'node:crypto';
import { existsSync } from 'node:fs';
import {
  chmod,
  lutimes,
  mkdir,
  mkdtemp,
  readdir,
  readFile,
  rm,
  symlink,
  utimes,
  writeFile,
} from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { buffer } from 'node:stream/consumers';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { openConfined } from '../src/confined-directory.ts';
import { RuntimeFault } from '../src/faults.ts';
import { tarHeader, tarPadding, tarTrailer } from '../src/tar-writer.ts';
import {
  deleteWorkspaceFile,
  listWorkspace,
  readWorkspaceFile,
  writeWorkspaceFile,
} from '../src/workspace.ts';
import { archiveWorkspace, restoreWorkspace } from '../src/workspace-archive.ts';
import { workspaceUsage } from '../src/workspace-walk.ts';

const plenty = 100 * 1024 * 1024;
let base: string;
let root: string;
beforeEach(async () => {
  base = await mkdtemp(join(tmpdir(), 'swissbrain-files-'));
  root = join(base, 'workspace');
  await mkdir(root);
  await writeFile(join(base, 'outside.txt'), 'outside');
});
afterEach(() => rm(base, { recursive: true, force: true }));

async function* stream(...chunks: (string | Buffer)[]) {
  for (const chunk of chunks) yield Buffer.from(chunk);
}
const write = (path: string, content: string | Buffer) =>
  writeWorkspaceFile(root, path, stream(content), plenty);
const read = async (path: string) => (await buffer(await readWorkspaceFile(root, path))).toString();
const refused = (code: string) => expect.objectContaining({ code });
const paths = async () => (await listWorkspace(root)).entries.map((entry) => entry.path);
const archive = () => buffer(archiveWorkspace(root));
const restore = (bytes: Buffer) => restoreWorkspace(root, stream(bytes), plenty);
const link = (path: string, target: string) =>
  tarHeader({ type: 'link', path, size: 0, mode: 0o777, modifiedSeconds: 0, target });
const file = (path: string, content = 'x') =>
  Buffer.concat([
    tarHeader({ type: 'file', path, size: content.length, mode: 0o644, modifiedSeconds: 0, target: '' }),
    Buffer.from(content),
    tarPadding(content.length),
  ]);
const tar = (...entries: Buffer[]) => Buffer.concat([...entries, tarTrailer()]);

describe('files of the workspace', () => {
  it('are written with their folders, read, listed and removed', async () => {
    await write('a/b/c.txt', 'hello');
    await write('z.txt', '');
    expect(await read('a/b/c.txt')).toBe('hello');
    expect(await paths()).toEqual(['a', 'a/b', 'a/b/c.txt', 'z.txt']);
    await deleteWorkspaceFile(root, 'a');
    await deleteWorkspaceFile(root, 'a/b/c.txt');
    expect(await paths()).toEqual(['z.txt']);
  });

  it.each([
    '',
    '/etc/passwd',
    '..',
    '../outside.txt',
    'a/../../outside.txt',
    'a//b',
    './a',
    'a/',
    'a\0b',
    '.swissbrain-x',
  ])('are not reached by the path %j', async (path) => {
    await expect(write(path, 'x')).rejects.toEqual(refused('path_refused'));
    await expect(read(path)).rejects.toEqual(refused('path_refused'));
    await expect(deleteWorkspaceFile(root, path)).rejects.toEqual(refused('path_refused'));
  });

  it('are not reached through links, whichever way they lead', async () => {
    await symlink(base, join(root, 'up'));
    await symlink('../outside.txt', join(root, 'out.txt'));
    await symlink('.', join(root, 'self'));
    await write('real.txt', 'x');
    for (const path of ['up/outside.txt', 'out.txt', 'self/real.txt']) {
      await expect(read(path)).rejects.toEqual(refused('path_refused'));
    }
    await expect(write('up/new.txt', 'x')).rejects.toEqual(refused('path_refused'));
    await expect(deleteWorkspaceFile(root, 'up/outside.txt')).rejects.toEqual(refused('path_refused'));
    // Writing replaces the link itself, removing removes it.
    await write('out.txt', 'mine');
    expect(await read('out.txt')).toBe('mine');
    await deleteWorkspaceFile(root, 'up');
    expect(await readFile(join(base, 'outside.txt'), 'utf8')).toBe('outside');
  });

  it('are confined by name where descriptors give no paths', async () => {
    await mkdir(join(root, 'a'));
    await symlink(base, join(root, 'up'));
    const open = (parts: string[], create = false) =>
      openConfined(root, parts, { create, byDescriptor: false });
    expect((await open(['a', 'b'], true)).path).toBe(join(root, 'a', 'b'));
    await expect(open(['up'])).rejects.toEqual(refused('path_refused'));
    await expect(open(['none'])).rejects.toEqual(refused('file_missing'));
  });

  it('are regular files: a pipe is not waited on, a folder is not read', async () => {
    execFileSync('mkfifo', [join(root, 'pipe')]);
    await mkdir(join(root, 'folder'));
    await expect(read('pipe')).rejects.toEqual(refused('path_refused'));
    await expect(read('folder')).rejects.toEqual(refused('path_refused'));
    await expect(read('none')).rejects.toEqual(refused('file_missing'));
    expect(await paths()).toEqual(['folder']);
  });

  it('are whole or not there at all', async () => {
    async function* broken() {
      yield Buffer.from('half');
      throw new Error('the caller hung up');
    }
    await expect(writeWorkspaceFile(root, 'new.txt', broken(), plenty)).rejects.toThrow('hung up');
    await expect(writeWorkspaceFile(root, 'big.txt', stream('12345'), 4)).rejects.toEqual(
      refused('workspace_full'),
    );
    expect(await readdir(root)).toEqual([]);
  });

  it('count by what they take on disk', async () => {
    await write('a.bin', randomBytes(1_000_000));
    const before = await workspaceUsage(root);
    expect(before).toBeGreaterThanOrEqual(1_000_000);
    execFileSync('truncate', ['-s', '10G', join(root, 'holes')]);
    expect(await workspaceUsage(root)).toBeLessThan(before + 100_000);
  });
});

describe('a snapshot', () => {
  it('gives back files, folders, modes, times and links, and is the same for the same files', async () => {
    await write('data/table.csv', 'a,b\n1,2\n');
    await write('ünïcode ☃.txt', 'x');
    await write(`${'deep/'.repeat(40)}file.bin`, randomBytes(2_000));
    await write(`${'n'.repeat(200)}.txt`, 'long name');
    await mkdir(join(root, 'empty'));
    await symlink('table.csv', join(root, 'data', 'latest.csv'));
    await symlink('../data', join(root, 'empty', 'data'));
    await chmod(join(root, 'data', 'table.csv'), 0o755);
    await chmod(join(root, 'empty'), 0o700);
    await lutimes(join(root, 'data', 'latest.csv'), 1_500_000_000, 1_500_000_000);
    await utimes(join(root, 'data'), 1_600_000_000, 1_600_000_000);
    const first = await archive();
    await rm(root, { recursive: true });
    await mkdir(root);
    await write('stale.txt', 'x');
    await restore(first);
    expect((await archive()).equals(first)).toBe(true);
    expect(await paths()).not.toContain('stale.txt');
    expect(await readdir(root)).not.toContainEqual(expect.stringMatching(/^\.swissbrain-/));
  });

  it.runIf(existsSync('/usr/bin/tar') || existsSync('/bin/tar'))(
    'is what other tools call a tar file',
    async () => {
      await write('a/b.txt', 'hello');
      await write(`${'n'.repeat(180)}/${'m'.repeat(180)}.txt`, 'long');
      await symlink('b.txt', join(root, 'a', 'link'));
      await writeFile(join(base, 'out.tar'), await archive());
      await mkdir(join(base, 'unpacked'));
      execFileSync('tar', ['-xf', join(base, 'out.tar'), '-C', join(base, 'unpacked')]);
      expect(execFileSync('diff', ['-r', root, join(base, 'unpacked')]).toString()).toBe('');
    },
  );

  it('leaves out links that lead out', async () => {
    await symlink('/etc/passwd', join(root, 'absolute'));
    await symlink('../outside.txt', join(root, 'up'));
    await symlink('missing', join(root, 'dangling'));
    await restore(await archive());
    expect(await paths()).toEqual(['dangling']);
  });

  it.each<[string, Buffer]>([
    ['a file outside', tar(file('../evil.txt'))],
    ['a file at an absolute path', tar(file('/tmp/evil.txt'))],
    ['a file under a reserved name', tar(file('.swissbrain-evil'))],
    ['a link outside', tar(link('a', '../..'))],
    ['a link to an absolute path', tar(link('a', '/etc'))],
    ['a chain of links that leads out', tar(link('d/one', '..'), link('d/two', 'one/..'))],
    ['a file behind a link', tar(link('a', 'b'), file('b/x'), file('a/y'))],
    ['a name twice', tar(file('a'), file('a'))],
    ['a file instead of a folder', tar(file('a'), file('a/b'))],
  ])('is refused when it holds %s, and changes nothing', async (_, bytes) => {
    await write('kept.txt', 'kept');
    await expect(restore(bytes)).rejects.toBeInstanceOf(RuntimeFault);
    expect(await paths()).toEqual(['kept.txt']);
    expect(await readdir(root)).toEqual(['kept.txt']);
    expect(await readdir(base)).toEqual(['outside.txt', 'workspace']);
  });

  it.each<[string, (bytes: Buffer) => Buffer]>([
    ['is cut within a header', (bytes) => bytes.subarray(0, 300)],
    ['is cut within a file', (bytes) => bytes.subarray(0, 600)],
    ['is cut before its end mark', (bytes) => bytes.subarray(0, 512 + 1024)],
    ['has a damaged header', (bytes) => Buffer.concat([Buffer.from('X'), bytes.subarray(1)])],
    ['is no tar file', () => Buffer.from('PK'.repeat(2_000))],
    [
      'holds a device',
      (bytes) => Buffer.concat([withFlag(bytes.subarray(0, 512), '3'), bytes.subarray(512)]),
    ],
    [
      'holds a hard link',
      (bytes) => Buffer.concat([withFlag(bytes.subarray(0, 512), '1'), bytes.subarray(512)]),
    ],
  ])('is refused when it %s', async (_, damage) => {
    await write('kept.txt', 'kept');
    await expect(restore(damage(tar(file('a', 'y'.repeat(800)))))).rejects.toEqual(
      refused('archive_invalid'),
    );
    expect(await readdir(root)).toEqual(['kept.txt']);
  });

  it('is refused when it is larger than the workspace may be, whatever its header says', async () => {
    const lying = tarHeader({
      type: 'file',
      path: 'big',
      size: 2 ** 40,
      mode: 0o644,
      modifiedSeconds: 0,
      target: '',
    });
    await expect(restore(tar(lying))).rejects.toEqual(refused('workspace_full'));
    await expect(restoreWorkspace(root, stream(tar(file('a', 'xyz'))), 2)).rejects.toEqual(
      refused('workspace_full'),
    );
  });
});

/** A header of another type, with the checksum that goes with it. */
function withFlag(header: Buffer, flag: string): Buffer {
  const changed = Buffer.from(header);
  changed.write(flag, 156);
  changed.write(' '.repeat(8), 148);
  const sum = changed.reduce((total, byte) => total + byte, 0);
  changed.write(`${sum.toString(8).padStart(6, '0')}\0 `, 148);
  return changed;
}
