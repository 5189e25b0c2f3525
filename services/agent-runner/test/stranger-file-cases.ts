import { buffer } from 'node:stream/consumers';
import { expect } from 'vitest';
import type { SandboxError } from '../src/sandbox/errors.ts';
import {
  endsAs,
  exited,
  fillsTheDisk,
  outputOf,
  outside,
  refused,
  type Stranger,
  says,
  shell,
} from './stranger.ts';

// What strangers try with files and folders; see `stranger-cases.ts`.

export const inFiles: readonly Stranger[] = [
  {
    tries: 'makes links that lead out is followed by nobody',
    code: `${outside}
      import { mkdirSync } from 'node:fs';
      mkdirSync('a'); symlinkSync(out + '/secret', 'file'); symlinkSync(out, 'folder'); symlinkSync('../..', 'a/up');
      symlinkSync('.', 'self'); symlinkSync('loop2', 'loop1'); symlinkSync('loop1', 'loop2'); symlinkSync('/proc/self/root', 'root');`,
    async expects({ session }) {
      for (const path of ['file', 'folder/secret', 'a/up/x', 'self/file', 'loop1', 'root/etc/hostname']) {
        await expect(buffer(session.getFile(path))).rejects.toMatchObject(refused('path_refused'));
      }
      await expect(session.putFile('folder/new', Buffer.from('x'))).rejects.toMatchObject(
        refused('path_refused'),
      );
      await session.deleteFile('folder');
      expect((await session.listFiles()).map(({ path }) => path)).toContain('a/up');
      const look = `const { readdirSync } = await import('node:fs');
        for (const name of readdirSync(process.env.TMPDIR)) if (name.startsWith('out-')) console.log(readdirSync(process.env.TMPDIR + '/' + name));`;
      expect(await outputOf(session, look)).toBe("[ 'secret' ]\n");
    },
  },
  {
    tries: 'changes a folder into a link all the time never shows what lies behind it',
    code: `${outside}
      import { mkdirSync, renameSync } from 'node:fs';
      mkdirSync('d'); writeFileSync('d/secret', 'mine'); symlinkSync(out, 'l'); console.log('ready');
      for (const until = performance.now() + 1500; performance.now() < until; ) {
        renameSync('d', 't'); renameSync('l', 'd'); renameSync('d', 'l'); renameSync('t', 'd'); }`,
    async meanwhile(session, ended) {
      let read = 0;
      while (!ended.aborted) {
        const seen = await buffer(session.getFile('d/secret')).then(
          String,
          (error: SandboxError) => error.code,
        );
        expect(['mine', 'path_refused', 'file_missing']).toContain(seen);
        if (seen === 'mine') read += 1;
        const packed = (await buffer(session.snapshot())).toString('latin1');
        expect(packed).not.toContain('not for you');
      }
      expect(read).toBeGreaterThan(0);
    },
  },
  {
    tries: 'changes its files while they are kept gets an archive that can be given back',
    code: `import { appendFileSync, mkdirSync, rmSync, truncateSync, writeFileSync } from 'node:fs'; console.log('ready');
      for (const until = performance.now() + 1500; performance.now() < until; ) {
        mkdirSync('f', { recursive: true }); for (const i of [1, 2, 3]) writeFileSync('f/' + i, 'x'.repeat(i * 100_000));
        appendFileSync('f/1', 'y'.repeat(50_000)); truncateSync('f/2', 10); rmSync('f/3'); writeFileSync('grown', 'z'); rmSync('f/1'); }`,
    async meanwhile(session, ended, spare) {
      const kept: Buffer[] = [];
      while (!ended.aborted) kept.push(await buffer(session.snapshot()));
      for (const archive of kept.slice(0, 20)) await spare.restore(archive);
    },
  },
  {
    tries: 'packs an archive that leads out has it refused whole',
    code: `import { writeFileSync } from 'node:fs';
      const entry = (path, type = '0', target = '', body = '') => { const head = Buffer.alloc(512);
        head.write(path, 0); head.write('0000644\\0', 100); head.write('0000000\\0', 108); head.write('0000000\\0', 116);
        head.write(body.length.toString(8).padStart(11, '0') + '\\0', 124); head.write('00000000000\\0', 136); head.write('        ', 148);
        head.write(type, 156); head.write(target, 157); head.write('ustar\\x0000', 257);
        let sum = 0; for (const byte of head) sum += byte; head.write(sum.toString(8).padStart(6, '0') + '\\0 ', 148);
        return Buffer.concat([head, Buffer.from(body.padEnd(Math.ceil(body.length / 512) * 512, '\\0'))]); };
      const tar = (...entries) => Buffer.concat([...entries, Buffer.alloc(1024)]);
      writeFileSync('0.tar', tar(entry('../evil', '0', '', 'x')));
      writeFileSync('1.tar', tar(entry('/tmp/evil', '0', '', 'x')));
      writeFileSync('2.tar', tar(entry('l', '2', '/tmp'), entry('l/evil', '0', '', 'x')));
      writeFileSync('3.tar', tar(entry('a/../../evil', '0', '', 'x')));
      writeFileSync('4.tar', tar(entry('l', '2', '../..')));
      writeFileSync('5.tar', tar(entry('h', '1', '/etc/passwd')));
      writeFileSync('6.tar', tar(entry('dev', '3')));`,
    async expects({ session, spare }) {
      for (let number = 0; number < 7; number += 1) {
        const archive = await buffer(session.getFile(`${number}.tar`));
        await expect(spare.restore(archive), `archive ${number}`).rejects.toMatchObject({ fault: 'user' });
      }
      expect(await session.listFiles()).toHaveLength(7);
    },
  },
  {
    tries: 'writes a file of a terabyte with nothing in it is ended in words',
    code: `import { closeSync, ftruncateSync, openSync } from 'node:fs'; const file = openSync('huge', 'w'); ftruncateSync(file, 2 ** 40); closeSync(file);`,
    expects: ({ result, stderr }) => {
      expect(`${result.reason} ${stderr}`).toMatch(/disk|EFBIG/);
    },
  },
  {
    tries: 'writes a file larger than any may be is told by its own error',
    code: `import { openSync, rmSync, writeSync } from 'node:fs'; const file = openSync('huge', 'w'); const piece = Buffer.alloc(1 << 20, 1);
      // Mostly a hole, so that it is its length that is too much.
      try { for (let at = 60 << 20; ; at += piece.length) writeSync(file, piece, 0, piece.length, at); } catch (error) { console.log(error.code); }
      rmSync('huge');`,
    expects: says('EFBIG\n'),
  },
  {
    tries: 'fills the disk under names that are no text is ended as one that fills the disk',
    code: `import { writeFileSync, mkdirSync } from 'node:fs'; const piece = Buffer.alloc(1 << 20, 1);
      for (let i = 0; i < 120; i += 1) writeFileSync(Buffer.concat([Buffer.from('bad'), Buffer.from([0xff, 128 + i])]), piece);
      setInterval(() => {}, 1000);`,
    ...fillsTheDisk,
  },
  {
    tries: 'fills the disk in a folder that it has closed is ended as one that fills the disk',
    code: `import { writeFileSync, mkdirSync, chmodSync } from 'node:fs'; const piece = Buffer.alloc(1 << 20, 1); mkdirSync('shut');
      for (let i = 0; i < 120; i += 1) writeFileSync('shut/' + i, piece);
      chmodSync('shut', 0); setInterval(() => {}, 1000);`,
    ...fillsTheDisk,
  },
  {
    tries: 'fills the disk under a name of the runtime is ended as one that fills the disk',
    code: `import { writeFileSync, mkdirSync } from 'node:fs'; const piece = Buffer.alloc(1 << 20, 1); mkdirSync('.swissbrain-mine');
      for (let i = 0; i < 120; i += 1) writeFileSync('.swissbrain-mine/' + i, piece);
      setInterval(() => {}, 1000);`,
    ...fillsTheDisk,
  },
  {
    tries: 'fills the folder of temporary files is ended as one that fills the disk',
    code: `import { mkdirSync, writeFileSync } from 'node:fs'; const piece = Buffer.alloc(1 << 20, 1);
      const fill = process.env.TMPDIR + '/fill'; mkdirSync(fill);
      for (let i = 0; i < 80; i += 1) writeFileSync(fill + '/' + i, piece);
      setInterval(() => {}, 1000);`,
    ...fillsTheDisk,
  },
  {
    tries: 'fills the disk with files that it has removed and holds open is ended as one that fills the disk',
    code: `import { openSync, rmSync, writeSync } from 'node:fs'; const piece = Buffer.alloc(1 << 20, 1);
      for (const name of ['one.bin', process.env.TMPDIR + '/two.bin']) {
        const file = openSync(name, 'w'); rmSync(name); for (let i = 0; i < 40; i += 1) writeSync(file, piece); }
      setInterval(() => {}, 1000);`,
    request: { limits: { wallMs: 20_000 } },
    expects: endsAs('disk', /full/),
  },
  {
    tries: 'makes pipes and sockets where files are expected keeps nobody waiting',
    code: shell(
      `mkfifo pipe && node -e "require('net').createServer().listen('socket', () => process.exit(0))"; mkdir d; mkfifo d/pipe; ls | wc -l`,
    ),
    async expects({ session }) {
      for (const path of ['pipe', 'd/pipe']) {
        await expect(buffer(session.getFile(path))).rejects.toMatchObject(refused('path_refused'));
        await expect(
          session.execute({ executionId: 'pipe', language: 'javascript', file: path }, () => undefined),
        ).rejects.toMatchObject(refused('file_missing'));
      }
      await session.putFile('pipe', Buffer.from('a file now'));
      expect((await buffer(session.getFile('pipe'))).toString()).toBe('a file now');
    },
  },
  {
    tries: 'makes folders in folders without end harms only itself',
    code: `import { mkdirSync, writeFileSync } from 'node:fs';
      for (let i = 0; i < 3000; i += 1) { mkdirSync('d'); process.chdir('d'); } writeFileSync('deep.txt', 'x'); console.log('deep');`,
    expects: says('deep\n'),
  },
  {
    tries: 'takes names that are hard to write down keeps those that can be',
    code: `import { writeFileSync, mkdirSync } from 'node:fs';
      for (const name of ['with\\nnewline', '-rf', '...', '..x', ' ', '%2e%2e', 'back\\\\slash', 'x'.repeat(255), 'quote"\\'', 'ünïcödé', '\\u0007', 'tab\\t'])
        writeFileSync(name, name);
      writeFileSync(Buffer.from([0x62, 0xff, 0xfe]), 'bytes'); mkdirSync(Buffer.from([0xff])); writeFileSync(Buffer.from([0xff, 0x2f, 0xfe]), 'x');
      mkdirSync('holds'); writeFileSync(Buffer.from('holds/\\xff', 'latin1'), 'x');`,
    async expects({ session }) {
      const names = [
        'with\nnewline',
        '-rf',
        '...',
        '..x',
        ' ',
        '%2e%2e',
        'back\\slash',
        'x'.repeat(255),
        'tab\t',
      ];
      const listed = (await session.listFiles()).map(({ path }) => path);
      expect(listed).toEqual(expect.arrayContaining(names));
      for (const name of names) expect((await buffer(session.getFile(name))).toString()).toBe(name);
      await session.deleteFile('holds');
    },
  },
  {
    tries: 'gives one file a thousand names has each counted',
    code: `import { linkSync, writeFileSync } from 'node:fs'; writeFileSync('one', Buffer.alloc(1 << 20, 1));
      for (let i = 0; i < 200; i += 1) linkSync('one', 'link' + i); setInterval(() => {}, 1000);`,
    ...fillsTheDisk,
  },
  {
    tries: 'closes its own folders and files has them kept and removed all the same',
    code: shell(
      `mkdir -p a/b/c && echo kept > a/b/c/file && echo kept > shut.txt && chmod 000 a/b/c/file a/b/c a/b a shut.txt`,
    ),
    async expects({ session, spare }) {
      expect((await session.listFiles()).map(({ path }) => path)).toContain('a/b/c/file');
      await spare.restore(await buffer(session.snapshot()));
      expect((await buffer(spare.getFile('a/b/c/file'))).toString()).toBe('kept\n');
      expect((await buffer(spare.getFile('shut.txt'))).toString()).toBe('kept\n');
    },
  },
  {
    tries: 'puts a closed folder where its own text lies leaves no text',
    code: shell(
      `for file in .swissbrain-*; do rm "$file"; mkdir -p "$file/in" && chmod 000 "$file/in" "$file"; done; exit 0`,
    ),
  },
  {
    tries: 'removes its own text while it runs ends as it says',
    code: `import { rmSync } from 'node:fs'; rmSync(process.argv[1]); process.exit(9);`,
    expects: exited(9),
  },
  {
    tries: 'moves the workspace away, puts a link in its place, or removes it cannot',
    containerOnly: "there it is a mount; a folder of a machine is its owner's to move",
    code: `import { renameSync, rmSync, symlinkSync, writeFileSync } from 'node:fs'; writeFileSync('before.txt', 'x\\n');
      for (const [what, work] of [
        ['moved', () => renameSync('/workspace', '/tmp/away')], ['moved aside', () => renameSync('/workspace', '/workspace.away')],
        ['removed', () => rmSync('/workspace')], ['linked', () => symlinkSync('/etc', '/workspace')]]) {
        try { work(); console.log(what); } catch {} }`,
    async expects({ session, stdout }) {
      expect(stdout.toString()).toBe('');
      expect((await buffer(session.getFile('before.txt'))).toString()).toBe('x\n');
    },
  },
];
