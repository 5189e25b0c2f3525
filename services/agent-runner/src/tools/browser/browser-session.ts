import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import { derivedId } from '../../agent/derived-id.ts';
import type { ExecutionResult, SandboxSession } from '../../sandbox/driver.ts';
import { SandboxError } from '../../sandbox/errors.ts';
import { readBounded } from '../read-bounded.ts';
import type { ToolContext } from '../tool.ts';
import {
  type BrowserAnswer,
  type BrowserInput,
  browserAnswer,
  browserFolder,
  browserGeneration,
  browserState,
} from './browser-protocol.ts';

/** Where a sandbox has what the browser needs. */
export interface BrowserPlace {
  /** The folder of playwright-core. */
  readonly playwright: string;
  /** Places of Chromium; the first that is there is taken. */
  readonly chromium: readonly string[];
  /** Of all pages; empty for none. */
  readonly proxy: string;
}

const hostText = readFileSync(join(import.meta.dirname, 'browser-host.ts'), 'utf8');
/** The host as a program: the sandbox's Node takes its types away. */
const hostProgram = `import { stripTypeScriptTypes } from 'node:module';
const text = stripTypeScriptTypes(${JSON.stringify(hostText)});
await import('data:text/javascript;base64,' + Buffer.from(text).toString('base64'));`;
const pollMs = 75;
const maxAnswerBytes = 1024 * 1024;
/** Browsers that may end one after the other before an action has begun. */
const mostStarts = 3;
/** What the host says when the browser does not start at all. */
const startFailure = 8;

async function read(session: SandboxSession, path: string): Promise<string | null> {
  try {
    return (await readBounded(session.getFile(path), maxAnswerBytes)).bytes.toString('utf8');
  } catch (error) {
    if (error instanceof SandboxError && error.code === 'file_missing') return null;
    throw error;
  }
}

/** The answer that a host has left; programs of the run can write there, too. */
function answerOf(text: string): BrowserAnswer {
  try {
    return browserAnswer.parse(JSON.parse(text));
  } catch {
    return failed('browser_failed', 'what the browser answered cannot be read');
  }
}

/** Starts a host, or attaches to it; `ended` resolves when it has ended, with words about how. */
function attach(
  session: SandboxSession,
  generation: number,
  place: BrowserPlace,
  signal: AbortSignal,
): Promise<Ended> {
  const said: Buffer[] = [];
  const settings = { ...place, folder: browserFolder(generation), state: browserState };
  const ended = session.execute(
    {
      executionId: derivedId('browser', session.name, String(generation)),
      language: 'javascript',
      code: hostProgram,
      args: [JSON.stringify(settings)],
      limits: { outputBytes: 64 * 1024 },
    },
    ({ data }) => void said.push(Buffer.from(data)),
    { signal },
  );
  return ended.then(
    (result) => endOf(result, Buffer.concat(said).toString('utf8')),
    (error: unknown) => {
      // Another release of this service has started it: it goes on by itself and ends when it is idle.
      if (error instanceof SandboxError && error.code === 'execution_conflict')
        return { words: 'it is of another version', startFailed: false };
      throw error;
    },
  );
}

interface Ended {
  readonly words: string;
  readonly startFailed: boolean;
}

function endOf({ reason, message, exitCode, signal }: ExecutionResult, said: string): Ended {
  if (reason !== 'exited') return { words: message ?? reason, startFailed: false };
  const why = (/^.*Error: .*$/m.exec(said)?.[0] ?? said.trim()).slice(-500);
  const how = signal ? `it was ended by ${signal}` : `it ended with ${exitCode}`;
  return { words: why ? `${how}: ${why}` : how, startFailed: exitCode === startFailure };
}

/** One action at one host: its answer, or why the host is gone, and whether it had begun with the action. */
async function at(
  session: SandboxSession,
  generation: number,
  place: BrowserPlace,
  name: string,
  input: BrowserInput,
  signal: AbortSignal,
): Promise<BrowserAnswer | { readonly gone: Ended & { readonly begun: boolean } }> {
  const folder = browserFolder(generation);
  const leave = new AbortController();
  let gone: Ended | undefined;
  let broken: { readonly error: unknown } | undefined;
  await session.putFile(`${folder}/in/${name}`, Buffer.from(JSON.stringify(input), 'utf8'));
  const host = attach(session, generation, place, AbortSignal.any([signal, leave.signal])).then(
    (ended) => {
      gone = ended;
    },
    (error: unknown) => {
      broken = { error };
    },
  );
  try {
    for (;;) {
      // Looked at before the answer: a host that ends may have left one.
      const over = gone;
      const text = await read(session, `${folder}/out/${name}`);
      if (text !== null) return answerOf(text);
      if (over !== undefined) {
        const begun = (await read(session, `${folder}/begun/${name}`)) !== null;
        await session.deleteFile(`${folder}/in/${name}`).catch(ignoreMissing);
        return { gone: { ...over, begun } };
      }
      if (broken) throw broken.error;
      await delay(pollMs, undefined, { signal });
    }
  } finally {
    leave.abort();
    await host;
  }
}

function ignoreMissing(error: unknown): void {
  if (!(error instanceof SandboxError) || error.code !== 'file_missing') throw error;
}

/** What an earlier worker did not live to tell: an answer, or that a browser before this one had begun with the step. */
async function found(session: SandboxSession, name: string): Promise<BrowserAnswer | null> {
  const paths = (await session.listFiles()).map(({ path }) => path);
  const left = (part: string) =>
    paths.find((path) => path.startsWith('.swissbrain/browser/') && path.endsWith(`/${part}/${name}`));
  const out = left('out');
  if (out) return answerOf((await read(session, out)) ?? '');
  const current = `${browserFolder(await currentGeneration(session))}/begun/${name}`;
  const begun = left('begun');
  return begun === undefined || begun === current ? null : unknownOutcome('it was started again');
}

/**
 * Does one action in the browser of the run's sandbox, which is started when there is none and goes on between actions. An
 * action that a browser had begun when it ended is not begun again: the model looks at the page and decides.
 */
export async function act(
  place: BrowserPlace,
  input: BrowserInput,
  { stepId, attempt, signal, sandbox }: Pick<ToolContext, 'stepId' | 'attempt' | 'signal' | 'sandbox'>,
): Promise<BrowserAnswer> {
  const session = await sandbox();
  const name = `${stepId}.json`;
  const before = attempt > 1 ? await found(session, name) : null;
  if (before) return before;
  for (let start = 1; ; start += 1) {
    const generation = await currentGeneration(session);
    const outcome = await at(session, generation, place, name, input, signal);
    if (!('gone' in outcome)) return outcome;
    await session.putFile(browserGeneration, Buffer.from(String(generation + 1), 'utf8'));
    const { words, begun, startFailed } = outcome.gone;
    if (begun) return unknownOutcome(words);
    if (startFailed || start === mostStarts)
      return failed('browser_start_failed', `the browser could not be started: ${words}`);
  }
}

/** The browser of a sandbox that was started last: a successor goes on with it. */
async function currentGeneration(session: SandboxSession): Promise<number> {
  const text = await read(session, browserGeneration);
  return text !== null && /^\d{1,9}$/.test(text) ? Number(text) : 0;
}

function unknownOutcome(words: string): BrowserAnswer {
  return failed(
    'browser_ended',
    `the browser ended in the middle of this (${words}); whether it was done is not known. The next action starts it again`,
  );
}

function failed(code: string, message: string): BrowserAnswer {
  return { failure: { code, message } };
}
