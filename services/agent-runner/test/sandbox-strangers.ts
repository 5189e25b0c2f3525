import { randomUUID } from 'node:crypto';
import { buffer } from 'node:stream/consumers';
import { waitFor } from '@swissbrain/testkit/wait';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import type { ExecuteRequest, SandboxSession, WorkspaceFile } from '../src/sandbox/driver.ts';
import type { DriverUnderTest } from './sandbox-contract.ts';
import { collect } from './sandbox-fixture.ts';
import type { Seen, Stranger } from './stranger.ts';
import { strangers } from './stranger-cases.ts';

/** No stranger begins anywhere but in a workspace of these tests, whatever the sandbox under test has made of it. */
const inWorkspace = `{
  const { realpathSync } = await import('node:fs');
  const here = realpathSync('.');
  if (here !== '/workspace' && !/\\/swissbrain-sandboxes-[^/]+\\/[^/]+\\/workspace$/.test(here)) process.exit(98);
}\n`;
/** Programs that would harm a machine which is no container do not begin there. */
const inContainer = `if (!(await import('node:fs')).existsSync('/opt/sandbox/runtime')) process.exit(99);\n`;

/**
 * Who else is there: in a container every process, by its number, elsewhere those that carry the session's mark. The
 * programs of an execution that still runs are not strays.
 */
const census = `
  import { existsSync, readdirSync, readFileSync } from 'node:fs';
  const read = (pid, name) => { try { return readFileSync('/proc/' + pid + '/' + name, 'latin1'); } catch { return ''; } };
  const [instance] = process.env.SWISSBRAIN_SANDBOX.split(':');
  const spared = [process.env.SWISSBRAIN_SANDBOX, instance + ':' + process.env.BESIDE];
  const container = existsSync('/opt/sandbox/runtime');
  const fields = (pid) => read(pid, 'stat').replace(/^.*\\) /s, '').split(' ');
  const parentOf = (pid) => Number(fields(pid)[1]);
  const family = new Set([1, process.pid, process.ppid]);
  const others = readdirSync('/proc').filter((name) => /^\\d+$/.test(name)).map(Number).filter((pid) => {
    if (family.has(pid)) return false;
    const mark = /(?:^|\\0)SWISSBRAIN_SANDBOX=([^\\0]*)/.exec(read(pid, 'environ'))?.[1];
    if (spared.includes(mark)) { family.add(parentOf(pid)); return false; }
    return container || mark?.startsWith(instance + ':');
  }).filter((pid) => !family.has(pid) && read(pid, 'stat') !== '');
  const dead = others.filter((pid) => fields(pid)[0] === 'Z');
  console.log(JSON.stringify({ alive: others.length - dead.length, dead: dead.length }));`;

interface Place {
  readonly session: SandboxSession;
  /** Another one, into which the workspace is restored. */
  readonly spare: SandboxSession;
  /** Id of the program that runs beside the strangers. */
  bystander: string;
}

/** A program that runs beside all strangers. */
async function startBystander(session: SandboxSession): Promise<string> {
  const executionId = randomUUID();
  const { promise: begun, resolve } = Promise.withResolvers<void>();
  const code = `console.log('here'); setInterval(() => {}, 1000);`;
  const ended = session.execute({ executionId, language: 'javascript', code }, () => resolve());
  // Told by the session's end, or asked for by a lookup.
  ended.catch(() => undefined);
  await Promise.race([begun, ended]);
  return executionId;
}

async function meet(
  { session, spare }: Place,
  { code, request, containerOnly, meanwhile }: Stranger,
): Promise<Seen> {
  const output = { stdout: [] as Uint8Array[], stderr: [] as Uint8Array[] };
  const text = `${inWorkspace}${containerOnly === undefined ? '' : inContainer}${code}`;
  const whole = {
    executionId: randomUUID(),
    language: 'javascript',
    ...request,
    code: text,
  } as ExecuteRequest;
  const over = new AbortController();
  const { promise: begun, resolve } = Promise.withResolvers<void>();
  const running = session
    .execute(whole, ({ stream, data }) => {
      output[stream].push(data);
      resolve();
    })
    .finally(() => over.abort());
  const others = meanwhile ? begun.then(() => meanwhile(session, over.signal, spare)) : undefined;
  const [result] = await Promise.all([running, others]);
  return {
    ...{ session, spare, result },
    stdout: Buffer.concat(output.stdout),
    stderr: Buffer.concat(output.stderr),
  };
}

/** The session is as good as new: no process is left, the files can be listed, kept, given back and removed. */
async function expectNoTrace(
  { session, spare, bystander: beside }: Place,
  { leavesDead }: Stranger,
): Promise<void> {
  const { stdout } = await collect(session, { code: census, env: { BESIDE: beside } });
  expect(JSON.parse(stdout)).toEqual({ alive: 0, dead: leavesDead ? expect.any(Number) : 0 });
  const listed = await session.listFiles();
  await spare.restore(await buffer(session.snapshot()));
  // Links that lead out are not kept.
  const files = (entries: readonly WorkspaceFile[]) => entries.filter(({ type }) => type !== 'link');
  expect(files(await spare.listFiles())).toEqual(files(listed));
  for (const name of new Set(listed.map(({ path }) => path.split('/')[0] ?? '')))
    await session.deleteFile(name);
  expect(await session.listFiles()).toEqual([]);
  await session.putFile('after/all.txt', Buffer.from('works'));
  expect((await buffer(session.getFile('after/all.txt'))).toString()).toBe('works');
  await session.deleteFile('after');
}

/** How one that is ended by what another does is told of it. */
const endings = {
  killed: { state: 'finished', reason: 'exited', signal: 'SIGKILL' },
  disk: { state: 'finished', reason: 'disk' },
};

/** Lets strangers loose in one session, one after the other beside a program that has nothing to do with them. */
export function describeStrangers(
  name: string,
  kind: 'container' | 'process',
  prepare: () => Promise<DriverUnderTest>,
): void {
  describe(`in the ${name} a program that`, () => {
    let under: DriverUnderTest;
    let place: Place | undefined;
    beforeAll(async () => {
      under = await prepare();
    });
    const leave = async () => {
      await Promise.all([place?.session.close(), place?.spare.close()]);
      place = undefined;
    };
    afterAll(leave);
    const enter = async (): Promise<Place> => {
      const driver = under.driver();
      const [session, spare] = await Promise.all([
        driver.openSession(under.request()),
        driver.openSession(under.request()),
      ]);
      return { session, spare, bystander: await startBystander(session) };
    };

    for (const stranger of strangers) {
      const { tries, containerOnly, endsOthers } = stranger;
      if (containerOnly !== undefined && kind === 'process') {
        it.skip(`${tries} (for containers: ${containerOnly})`, () => undefined);
        continue;
      }
      it(tries, async ({ onTestFailed }) => {
        // What one has broken is not the fault of the next.
        onTestFailed(leave);
        place ??= await enter();
        const { session, bystander } = place;
        const seen = await meet(place, stranger);
        await (stranger.expects ?? endedWell)(seen);
        // Whatever it did is told in words, or by the code or signal of its end.
        if (seen.result.reason !== 'exited') expect(seen.result.message).toMatch(/\w{3}/);
        const beside = endsOthers === undefined ? { state: 'running' } : endings[endsOthers];
        // Each is measured by itself: one may be told a moment after the other.
        if (endsOthers !== undefined) await waitForEnd(session, bystander);
        expect(await session.lookup(bystander)).toMatchObject(beside);
        if (stranger.makesRoom !== undefined) {
          const { result } = await collect(session, { code: inWorkspace + stranger.makesRoom });
          expect(result).toMatchObject({ reason: 'exited', exitCode: 0 });
        }
        if (endsOthers !== undefined) place.bystander = await startBystander(session);
        await expectNoTrace(place, stranger);
        if (stranger.leavesDead) await leave();
      });
    }
  });
}

async function waitForEnd(session: SandboxSession, executionId: string): Promise<void> {
  await waitFor(async () => (await session.lookup(executionId))?.state === 'finished', {
    describe: 'the end of the program beside',
  });
}

function endedWell({ result }: Seen): void {
  expect(result).toMatchObject({ reason: 'exited', exitCode: 0 });
}
