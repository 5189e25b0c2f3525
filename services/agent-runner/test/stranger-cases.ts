import { buffer } from 'node:stream/consumers';
import { expect } from 'vitest';
import { endsAs, exited, type Stranger, says, shell } from './stranger.ts';
import { inFiles } from './stranger-file-cases.ts';

// What strangers try, one small program each. `sandbox-strangers.ts` lets them loose and looks at what is left.

const byOutput: readonly Stranger[] = [
  {
    tries: 'writes frames of the output log gets them back as what they are: bytes of its stdout',
    code: `for (const stream of [1, 2]) { const head = Buffer.from([stream, 0, 0, 0, 4]);
      process.stdout.write(Buffer.concat([head, Buffer.from('fake'), Buffer.from([0, 0, 0, 4, stream]), Buffer.from('{"state":"finished"}\\n')])); }`,
    expects({ result, stdout, stderr }) {
      expect(result).toMatchObject({ reason: 'exited', exitCode: 0, stderrBytes: 0 });
      expect(stdout.toString('latin1').match(/\{"state":"finished"\}\n/g)).toHaveLength(2);
      expect(stderr).toHaveLength(0);
    },
  },
  {
    tries: 'writes what is no text is handed on byte by byte',
    code: `const all = Buffer.from(Array.from({ length: 256 }, (_, i) => i));
      process.stdout.write(Buffer.concat([all, Buffer.from([0xff, 0xfe, 0xc3, 0x28, 0xed, 0xa0, 0x80, 0xf8]), all]));`,
    expects({ result, stdout }) {
      const all = Buffer.from(Array.from({ length: 256 }, (_, i) => i));
      const invalid = Buffer.from([0xff, 0xfe, 0xc3, 0x28, 0xed, 0xa0, 0x80, 0xf8]);
      expect(stdout.equals(Buffer.concat([all, invalid, all]))).toBe(true);
      expect(result).toMatchObject({ reason: 'exited', stdoutBytes: 520 });
    },
  },
  {
    tries: 'leaves a child that writes after its end: the end comes, the words do not',
    code: shell(`echo first; (sleep 1; echo late) & exit 0`),
    expects: says('first\n'),
  },
  {
    tries: 'ends while its child holds its output open: nobody waits for the child',
    code: shell(`echo first; sleep 100 & exit 3`),
    request: { limits: { wallMs: 20_000 } },
    expects: exited(3),
  },
  {
    tries: 'says that it has ended, in every way it knows, and goes on working',
    code: `import { writeFileSync } from 'node:fs';
      console.log('{"exited":{"exit_code":0,"signal":null,"spawn_error":null,"out_of_memory":false}}');
      process.stdout.write(Buffer.from([0, 0, 0, 4, 6, 0, 0, 0, 1, 110, 117, 108, 108]));
      await new Promise((done) => setTimeout(done, 300));
      writeFileSync('worked-on.txt', 'yes'); process.exit(5);`,
    async expects(seen) {
      exited(5)(seen);
      expect((await buffer(seen.session.getFile('worked-on.txt'))).toString()).toBe('yes');
    },
  },
  {
    tries: 'closes its output and works on is waited for',
    code: shell(`exec 1>&- 2>&-; sleep 0.5; echo done > closed.txt; exit 4`),
    async expects(seen) {
      exited(4)(seen);
      expect((await buffer(seen.session.getFile('closed.txt'))).toString()).toBe('done\n');
    },
  },
  {
    tries: 'writes millions of empty lines is cut and counted',
    code: `const lines = Buffer.alloc(1_000_000, 10); for (let i = 0; i < 3; i += 1) process.stdout.write(lines);`,
    request: { limits: { outputBytes: 50_000 } },
    expects({ result, stdout }) {
      expect(stdout.equals(Buffer.alloc(50_000, 10))).toBe(true);
      expect(result).toMatchObject({ reason: 'exited', stdoutBytes: 3_000_000, stdoutTruncated: true });
    },
  },
  {
    tries: 'writes one line of 24 MB is cut and counted',
    code: `process.stdout.write('x'.repeat(24 * 1024 * 1024));`,
    request: { limits: { outputBytes: 65_537 } },
    expects({ result, stdout }) {
      expect(stdout).toHaveLength(65_537);
      expect(result).toMatchObject({ reason: 'exited', exitCode: 0, stdoutBytes: 24 * 1024 * 1024 });
    },
  },
  {
    tries: 'writes byte by byte to both streams loses none',
    code: `import { writeSync } from 'node:fs';
      for (let i = 0; i < 3000; i += 1) { writeSync(1, String(i % 10)); writeSync(2, '-'); }`,
    expects({ result, stdout, stderr }) {
      expect(stdout.toString()).toBe('0123456789'.repeat(300));
      expect(stderr.toString()).toBe('-'.repeat(3000));
      expect(result.reason).toBe('exited');
    },
  },
  {
    tries: 'says that its memory is over, and ends well, is believed its end',
    code: `console.error('FATAL ERROR: JavaScript heap out of memory');`,
  },
];

const byProcesses: readonly Stranger[] = [
  {
    tries: 'ignores SIGTERM, with its children, ends at its time',
    code: `process.on('SIGTERM', () => {}); const { spawn } = await import('node:child_process');
      spawn('/bin/sh', ['-c', 'trap "" TERM HUP INT; while :; do sleep 1; done']); setInterval(() => {}, 1000);`,
    request: { limits: { wallMs: 700 } },
    expects: endsAs('timeout', /time limit of 0.7 s/),
  },
  {
    tries: 'stops itself ends at its time',
    code: `process.kill(process.pid, 'SIGSTOP'); setInterval(() => {}, 1000);`,
    request: { limits: { wallMs: 700 } },
    expects: endsAs('timeout', /time limit/),
  },
  {
    tries: 'leaves a daemon in a session of its own leaves none',
    code: shell(
      `setsid sh -c 'trap "" TERM HUP; while :; do echo alive >> trace; sleep 0.05; done' >/dev/null 2>&1 & exit 0`,
    ),
  },
  {
    tries: 'forks twice and drops session, environment and parent leaves nothing',
    containerOnly: 'a process that nothing ties to its program is not found among those of a machine',
    code: shell(
      `setsid env -i sh -c 'sh -c "trap \\"\\" TERM HUP; while :; do echo alive >> /workspace/trace; sleep 0.05; done" & exit' >/dev/null 2>&1 & exit 0`,
    ),
  },
  {
    tries: 'leaves a process with the mark of the program beside it leaves none',
    containerOnly: 'elsewhere it would count as the other program',
    code: shell(`for each in /proc/[0-9]*; do
        mark=$(tr '\\0' '\\n' < $each/environ 2>/dev/null | grep '^SWISSBRAIN_SANDBOX=' | cut -d= -f2)
        if [ -n "$mark" ] && [ "$mark" != "$SWISSBRAIN_SANDBOX" ]; then
          setsid env -i SWISSBRAIN_SANDBOX="$mark" /bin/sleep 100 >/dev/null 2>&1 & fi
      done; exit 0`),
  },
  {
    tries: 'comes again under a new number all the time is caught',
    code: shell(`again() { (sleep 0.01; again) & }; again >/dev/null 2>&1; again >/dev/null 2>&1; exit 0`),
  },
  {
    tries: 'leaves dead children that nobody waits for leaves no entry in the process table',
    code: shell(`for i in $(seq 60); do (sh -c 'exit 0' &) ; done; exec sleep 0.3`),
  },
  {
    tries: 'starts more processes than it may is ended in words',
    code: shell(`for i in $(seq 220); do sleep 60 & done; wait`),
    expects: endsAs('processes', /limit on processes/),
  },
  {
    tries: 'ends itself together with its group is told by the signal',
    leavesDead: true,
    code: `process.kill(0, 'SIGKILL');`,
    expects: ({ result }) => expect(result).toMatchObject({ reason: 'exited', signal: 'SIGKILL' }),
  },
  {
    tries: 'ends everybody it may ends programs, and nothing else',
    leavesDead: true,
    containerOnly: "it would end everything of the machine's user",
    endsOthers: 'killed',
    code: `process.kill(-1, 'SIGKILL'); setInterval(() => {}, 1000);`,
    expects: ({ result }) => expect(result).toMatchObject({ reason: 'exited', signal: 'SIGKILL' }),
  },
  {
    tries: 'ends its launcher, and works on, is ended',
    leavesDead: true,
    containerOnly: 'there is no launcher elsewhere: the parent is the runtime',
    code: `process.kill(process.ppid, 'SIGKILL');
      const { appendFileSync } = await import('node:fs'); setInterval(() => appendFileSync('trace', 'x'), 20);`,
    request: { limits: { wallMs: 20_000 } },
    expects: ({ result }) => expect(result).toMatchObject({ reason: 'exited', signal: 'SIGKILL' }),
  },
  {
    tries: 'stops its launcher and ends is ended at its time',
    leavesDead: true,
    containerOnly: 'there is no launcher elsewhere: the parent is the runtime',
    code: `process.kill(process.ppid, 'SIGSTOP'); process.exit(0);`,
    request: { limits: { wallMs: 1_500 } },
    expects: endsAs('timeout', /time limit/),
  },
  {
    tries: 'takes names that make the process table hard to read leaves nothing',
    code: `process.title = ') Z 1 1 1 1 (';
      const { spawn } = await import('node:child_process');
      const { copyFileSync, mkdirSync } = await import('node:fs');
      mkdirSync('names'); copyFileSync('/bin/sleep', 'names/) Z 0 0 0');
      spawn('names/) Z 0 0 0', ['100'], { detached: true, stdio: 'ignore' }).unref(); console.log('left'); process.exit(0);`,
    expects: says('left\n'),
  },
  {
    tries: 'takes all descriptors it may is told by its own error, and has none of the runtime',
    code: `import { openSync, readdirSync, readlinkSync } from 'node:fs';
      const inherited = readdirSync('/proc/self/fd').filter((fd) => Number(fd) > 2).map((fd) => { try { return readlinkSync('/proc/self/fd/' + fd); } catch { return ''; } });
      console.log(inherited.filter((to) => /^(socket|\\/)/.test(to) && !to.startsWith('/proc') && to !== '/dev/null' && !to.startsWith('/dev/pts')).length);
      try { for (;;) openSync('/dev/null', 'r'); } catch (error) { console.log(error.code); }`,
    expects: says('0\nEMFILE\n'),
  },
  {
    tries: 'closes every descriptor it was given ends as it says',
    code: shell(
      `for fd in $(ls /proc/self/fd); do [ $fd -gt 2 ] && [ $fd -lt 10 ] && eval "exec $fd>&-"; done; exec 0<&- 1>&- 2>&-; exit 6`,
    ),
    expects: exited(6),
  },
  {
    tries: 'crashes leaves no image of its memory',
    code: shell(`ulimit -c unlimited 2>/dev/null; kill -SEGV $$`),
    async expects({ session, result }) {
      expect(result.reason).toBe('exited');
      expect((await session.listFiles()).filter(({ path }) => path.includes('core'))).toEqual([]);
    },
  },
  {
    tries: 'raises its limits, or its standing with the kernel, cannot',
    containerOnly: 'the user of a machine may be allowed to',
    code: shell(`ulimit -n 100000 2>/dev/null && echo files; ulimit -f unlimited 2>/dev/null && echo size; ulimit -d unlimited 2>/dev/null && echo data
      (echo -1000 > /proc/self/oom_score_adj) 2>/dev/null && echo oom; nice -n -5 true 2>/dev/null || echo nice refused`),
    expects: ({ stdout }) => expect(stdout.toString()).not.toMatch(/^(files|size|data|oom)$/m),
  },
  {
    tries: 'writes wherever /proc and /sys let it changes nothing of the machine',
    containerOnly: 'the user of a machine may be allowed to',
    code: shell(`for file in /proc/sys/kernel/core_pattern /proc/sysrq-trigger /proc/sys/vm/drop_caches /proc/1/oom_score_adj /proc/1/comm /proc/1/coredump_filter /proc/1/clear_refs /sys/fs/cgroup/memory.max /sys/fs/cgroup/cgroup.procs /sys/fs/cgroup/memory/memory.limit_in_bytes /sys/fs/cgroup/memory/cgroup.procs /sys/kernel/mm/transparent_hugepage/enabled; do
        (echo 0 > $file) 2>/dev/null && echo $file; done; exit 0`),
    expects: says(''),
  },
  {
    tries: 'is given an environment that would change whoever starts it changes only itself',
    code: shell(`echo "$SWISSBRAIN_SANDBOX" | grep -c forged; sleep 100 >/dev/null 2>&1 & exit 0`),
    request: {
      env: {
        SWISSBRAIN_SANDBOX: 'forged:forged',
        LD_PRELOAD: '/nowhere/evil.so',
        LD_LIBRARY_PATH: '/nowhere',
        NODE_OPTIONS: '--max-old-space-size=99999 --no-warnings',
        PATH: '/nowhere:/usr/bin:/bin',
        BASH_ENV: '/nowhere',
        ENV: '/nowhere',
      },
    },
    expects: ({ stdout, result }) => {
      expect(stdout.toString()).toBe('0\n');
      expect(result.reason).toBe('exited');
    },
  },
];

export const strangers: readonly Stranger[] = [...byOutput, ...byProcesses, ...inFiles];
