import { createServer, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import type { SandboxSession } from '@swissbrain/agent-runner/sandbox/driver';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { collect } from '../../services/agent-runner/test/sandbox-fixture.ts';
import {
  apply,
  type ClusterSandboxes,
  createClusterSandboxes,
  imageOf,
  kubectl,
  podOf,
  sandboxNamespace,
  serviceNamespace,
  testHost,
} from './cluster.ts';
import { type OrdinaryPod, startOrdinaryPod } from './ordinary-pod.ts';

let sandboxes: ClusterSandboxes;
let session: SandboxSession;
let other: SandboxSession;
let service: Server;
let ordinary: OrdinaryPod;

beforeAll(async () => {
  sandboxes = await createClusterSandboxes();
  const driver = sandboxes.driver();
  [session, other] = await Promise.all([
    driver.openSession(sandboxes.request()),
    driver.openSession(sandboxes.request()),
  ]);
  // Stands for agent-runner, Postgres and NATS: a process of this machine that listens where they would.
  service = createServer((_request, response) => response.end('a service'));
  await new Promise<void>((listening) => service.listen(0, '0.0.0.0', listening));
  ordinary = await startOrdinaryPod();
});
afterAll(async () => {
  service?.close();
  await ordinary?.remove();
  await sandboxes?.clear();
});

/** Says `reached` when anything answers there, else the error. */
const probe = (host: string, port: number) => `
  const { connect } = await import('node:net');
  const socket = connect({ host: '${host}', port: ${port}, timeout: 4000 });
  const said = await new Promise((done) => {
    socket.once('connect', () => done('reached'));
    socket.once('timeout', () => done('timeout'));
    socket.once('error', (error) => done(error.code));
  });
  socket.destroy();
  console.log(said);`;

const fromSandbox = async (code: string) => (await collect(session, { code })).stdout.trim();
const fromOrdinaryPod = (code: string) => ordinary.run(code);
const shell = (script: string) => `
  const { spawnSync } = await import('node:child_process');
  const { stdout, stderr } = spawnSync('/bin/sh', ['-c', ${JSON.stringify(script)}], { encoding: 'utf8' });
  console.log((stdout + stderr).trim());`;

describe('the network of a sandbox', () => {
  it.each([
    ['the metadata service', () => ['169.254.169.254', 80] as const],
    ['the internet', () => ['203.0.113.10', 80] as const],
    ['the API server', () => ['10.96.0.1', 443] as const],
    ['a service of ours', () => [testHost, (service.address() as AddressInfo).port] as const],
    ['the name service', () => ['10.96.0.10', 53] as const],
  ])('does not reach %s, which an ordinary pod does', async (_name, place) => {
    const [host, port] = place();
    expect(await fromOrdinaryPod(probe(host, port))).toBe('reached');
    expect(await fromSandbox(probe(host, port))).not.toBe('reached');
  });

  it('does not reach the runtime of another sandbox, nor is it reached by an ordinary pod', async () => {
    const name = await podOf(other);
    const address = await kubectl('-n', sandboxNamespace, 'get', name, '-o', 'jsonpath={.status.podIP}');
    expect(await fromSandbox(probe(address, 8080))).not.toBe('reached');
    expect(await fromOrdinaryPod(probe(address, 8080))).not.toBe('reached');
    // It listens: this process, which stands for agent-runner, reaches it.
    expect(await other.listFiles()).toEqual([]);
  });

  it('has no names to look up', async () => {
    const code = `const { lookup } = await import('node:dns/promises');
      console.log(await lookup('kubernetes.default.svc.cluster.local').then(() => 'found', (error) => error.code));`;
    expect(await fromOrdinaryPod(code)).toBe('found');
    expect(await fromSandbox(code)).not.toBe('found');
  });
});

describe('the container of programs', () => {
  it('has no token, no secret and nothing of the cluster in its environment', async () => {
    const seen = await fromSandbox(
      shell(
        'ls /var/run/secrets/kubernetes.io 2>&1; cat /proc/1/environ /proc/self/environ 2>/dev/null | tr "\\0" "\\n"; ls /state',
      ),
    );
    expect(seen).toContain('No such file or directory');
    expect(seen).not.toMatch(/SANDBOX_SECRET|KUBERNETES_|[0-9a-f]{64}/);
  });

  it('takes writes in /workspace and /tmp only', async () => {
    const places =
      '/ /etc /opt/sandbox /opt/sandbox/runtime /usr /home /run /run/sandbox /var /root /workspace /tmp';
    const seen = await fromSandbox(
      shell(
        `for place in ${places}; do (echo x > $place/probe) 2>/dev/null && echo "$place"; done; rm -f /workspace/probe /tmp/probe`,
      ),
    );
    expect(seen.split('\n')).toEqual(['/workspace', '/tmp']);
  });

  it('lets nobody become another user, mount, or change the clock', async () => {
    const seen = await fromSandbox(
      shell(`grep -E '^(Uid|CapEff|CapBnd|NoNewPrivs|Seccomp):' /proc/self/status
        find / -xdev -perm /6000 -type f 2>/dev/null
        mount -t tmpfs none /tmp 2>&1 | head -1; date -s 2001-01-01 >/dev/null 2>&1 && echo changed; unshare -Ur true 2>&1; su -c id 2>&1`),
    );
    expect(seen).toMatch(/Uid:\s+10002\s+10002\s+10002/);
    expect(seen).toMatch(/CapEff:\s+0+\n/);
    expect(seen).toMatch(/CapBnd:\s+0+\n/);
    expect(seen).toMatch(/NoNewPrivs:\s+1/);
    expect(seen).toMatch(/Seccomp:\s+2/);
    expect(seen).not.toMatch(/changed|uid=0|^\//m);
    expect(
      new Date(await fromSandbox('console.log(new Date().toISOString())')).getFullYear(),
    ).toBeGreaterThan(2020);
  });

  it('keeps the supervisor out of reach: its memory, its descriptors, its debugger, its life', async () => {
    const seen = await fromSandbox(`
      import { openSync, readdirSync, readlinkSync } from 'node:fs';
      import { connect } from 'node:net';
      const attempt = (what, work) => { try { work(); console.log(what, 'worked'); } catch (error) { console.log(what, error.code); } };
      attempt('mem', () => openSync('/proc/1/mem', 'r+'));
      attempt('environ', () => openSync('/proc/1/environ', 'r'));
      attempt('fds', () => readdirSync('/proc/1/fd'));
      attempt('exe', () => readlinkSync('/proc/1/exe'));
      attempt('binary', () => openSync('/opt/sandbox/bin/supervisor', 'r'));
      for (const signal of ['SIGKILL', 'SIGSTOP', 'SIGTERM', 'SIGUSR1', 'SIGSEGV']) attempt(signal + ' sent', () => process.kill(1, signal));
      await new Promise((done) => setTimeout(done, 500));
      for (const port of [9229]) await new Promise((done) => connect(port, '127.0.0.1').on('connect', () => { console.log('debugger open'); done(); }).on('error', (error) => { console.log('debugger', error.code); done(); }));`);
    expect(seen).toContain('mem EACCES');
    expect(seen).toContain('environ EACCES');
    expect(seen).toContain('fds EACCES');
    expect(seen).toContain('exe EACCES');
    expect(seen).toContain('binary EACCES');
    expect(seen).toContain('debugger ECONNREFUSED');
    // Signals were let through and did nothing: the first process of a container gets none that it does not handle.
    expect(await fromSandbox(`console.log('still here')`)).toBe('still here');
  });

  it('sees no process, file or memory of the runtime, and its socket is gone', async () => {
    const seen = await fromSandbox(
      shell(
        'ls /proc | grep -E "^[0-9]+$" | wc -l; ls -la /run/sandbox; cat /proc/net/unix | grep code.sock; ls /dev/shm',
      ),
    );
    expect(seen).not.toContain('code.sock\n');
    expect(Number(seen.split('\n')[0])).toBeLessThan(8);
  });

  it('cannot take or flood the port of the runtime', async () => {
    const seen = await fromSandbox(`
      import { createServer, connect } from 'node:net';
      const taken = await new Promise((done) => createServer().once('error', (error) => done(error.code)).listen(8080, '127.0.0.1', () => done('taken')));
      const taken6 = await new Promise((done) => createServer().once('error', (error) => done(error.code)).listen(8080, '0.0.0.0', () => done('taken')));
      const sockets = Array.from({ length: 800 }, () => connect(8080, '127.0.0.1').on('error', () => undefined));
      await new Promise((done) => setTimeout(done, 1500));
      for (const socket of sockets) socket.destroy();
      const answer = await fetch('http://127.0.0.1:8080/runtime').then((answer) => answer.status, (error) => error.cause?.code);
      console.log(JSON.stringify({ taken, taken6, answer }));`);
    expect(JSON.parse(seen)).toMatchObject({ taken: 'EADDRINUSE', taken6: 'EADDRINUSE' });
    expect(seen).not.toContain('200');
    expect(await fromSandbox('console.log(1)')).toBe('1');
  });
});

describe('a program that takes too much', () => {
  it('forks without end: it is ended, while another sandbox forks as ever', async () => {
    const bomb = collect(session, { code: shell(':(){ :|:& };:; sleep 60'), limits: { wallMs: 60_000 } });
    const { stdout } = await collect(other, {
      code: shell('for i in 1 2 3 4 5 6 7 8; do (echo $i) & done; wait'),
    });
    expect(stdout.trim().split('\n').sort()).toEqual(['1', '2', '3', '4', '5', '6', '7', '8']);
    const { result } = await bomb;
    expect(['processes', 'exited', 'memory']).toContain(result.reason);
    expect(await fromSandbox(shell('ps -e 2>/dev/null | wc -l; echo ok'))).toContain('ok');
  });

  it('takes memory without end: it alone is ended, as out of memory', async () => {
    const code = `const kept = []; for (;;) kept.push(Buffer.alloc(16 * 1024 * 1024, 1));`;
    expect((await collect(session, { code })).result).toMatchObject({ reason: 'memory' });
    expect(await fromSandbox('console.log(1)')).toBe('1');
  });

  it('fills the disk: it is ended', async () => {
    const code = `import { appendFileSync } from 'node:fs'; const piece = Buffer.alloc(1024 * 1024, 1);
      // Many files: a single one ends at its own limit, on a fast disk before the folder is measured.
      for (let i = 0; ; i += 1) appendFileSync('bomb' + (i >> 3), piece);`;
    const { result } = await collect(session, { code });
    expect(result).toMatchObject({ reason: 'disk' });
    expect(await fromSandbox(shell('rm -f bomb*; echo gone'))).toBe('gone');
  });

  it('writes without end: it is cut', async () => {
    const code = `for (;;) if (!process.stdout.write('y'.repeat(65536))) await new Promise((done) => process.stdout.once('drain', done));`;
    const limits = { outputBytes: 100_000, wallMs: 5_000, onOutputLimit: 'kill' as const };
    const { result, stdout } = await collect(session, { code, limits });
    expect(result).toMatchObject({ reason: 'output_limit', stdoutTruncated: true });
    expect(stdout).toHaveLength(100_000);
  });
});

describe('what a program leaves', () => {
  it('is gone before its step ends: another session, no environment, forked twice, its launcher killed', async () => {
    const leave = `setsid env -i sh -c 'sh -c "trap \\"\\" TERM HUP; while :; do echo alive >> /workspace/trace; sleep 0.05; done" & exit' >/dev/null 2>&1 &`;
    await collect(session, { code: shell(leave) });
    const before = await fromSandbox(shell('cat /workspace/trace 2>/dev/null | wc -l'));
    await collect(session, { code: shell(`${leave} kill -9 $(awk '{print $4}' /proc/$PPID/stat)`) });
    const after = await fromSandbox(
      shell('sleep 1; ls /proc | grep -cE "^[0-9]+$"; cat /workspace/trace 2>/dev/null | wc -l'),
    );
    const again = await fromSandbox(shell('sleep 1; cat /workspace/trace 2>/dev/null | wc -l'));
    expect(Number(again)).toBe(Number(after.split('\n')[1]));
    expect(Number(before)).toBeLessThan(50);
  });

  it('does not fill the process table', async () => {
    const fresh = await sandboxes.open();
    for (let i = 0; i < 5; i += 1)
      await collect(fresh, { code: shell('for i in $(seq 20); do (sleep 100 >/dev/null 2>&1 &) ; done') });
    await collect(fresh, { code: 'setInterval(() => {}, 1000)', limits: { wallMs: 500 } });
    const zombies = shell(`grep -lE 'State:.Z' /proc/[0-9]*/status 2>/dev/null | wc -l`);
    expect((await collect(fresh, { code: zombies })).stdout.trim()).toBe('0');
    await fresh.close();
  });
});

describe('the namespace of sandboxes', () => {
  const pod = (spec: Record<string, unknown>) => ({
    apiVersion: 'v1',
    kind: 'Pod',
    metadata: { name: 'stranger', namespace: sandboxNamespace },
    spec: { restartPolicy: 'Never', ...spec },
  });
  it('refuses a pod that is no sandbox', async () => {
    const plain = pod({ containers: [{ name: 'x', image: imageOf('sandbox-node') }] });
    await expect(apply(plain)).rejects.toThrow(/PodSecurity|denied/);
    const closed = {
      allowPrivilegeEscalation: false,
      capabilities: { drop: ['ALL'] },
      runAsNonRoot: true,
      seccompProfile: { type: 'RuntimeDefault' },
    };
    const restricted = pod({
      containers: [{ name: 'x', image: imageOf('sandbox-node'), securityContext: closed }],
    });
    await expect(apply(restricted)).rejects.toThrow(/denied request/);
  });

  it('lets agent-runner do what it does and no more', async () => {
    const may = async (...words: readonly string[]) =>
      (
        await kubectl(
          'auth',
          'can-i',
          ...words,
          '-n',
          sandboxNamespace,
          `--as=system:serviceaccount:${serviceNamespace}:agent-runner`,
        ).catch((error: { stdout: string }) => error.stdout)
      ).trim();
    expect(await may('create', 'jobs')).toBe('yes');
    for (const words of [
      ['create', 'pods/exec'],
      ['create', 'pods'],
      ['get', 'secrets'],
      ['list', 'secrets'],
      ['update', 'jobs'],
    ]) {
      expect(await may(...words)).toBe('no');
    }
  });
});
