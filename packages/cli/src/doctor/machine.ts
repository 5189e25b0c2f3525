import { execFile } from 'node:child_process';
import { promisify } from 'node:util';
import { check, type Finding } from './check.ts';

const run = promisify(execFile);
const neededNode = 24;

/** The Node this program runs on, and with it all of SwissBrain. */
export function checkNode(): Promise<Finding> {
  const advice = `Run npm install: it brings Node ${neededNode} as a package, beside the one you have.`;
  return check({ name: 'node', needed: true, advice }, async () => {
    const { node } = process.versions;
    if (Number.parseInt(node, 10) < neededNode)
      throw new Error(`version ${node}, and ${neededNode} is needed`);
    return `version ${node}`;
  });
}

/** pnpm on the path is handy, not needed: the scripts fetch the pinned one. */
export function checkPnpm(): Promise<Finding> {
  const advice = 'Nothing to do: npm start uses the pinned version through npx.';
  return check(
    { name: 'pnpm', needed: false, advice },
    async () => `version ${await versionOf('pnpm', ['--version'])}`,
  );
}

/** Python 3, for code steps written in it. */
export function checkPython(): Promise<Finding> {
  const advice = 'Only steps in Python need it: install python3, or use the JavaScript examples.';
  return check({ name: 'python3', needed: false, advice }, async () => {
    const version = await versionOf('python3', ['--version']);
    if (!/^Python 3\./.test(version)) throw new Error(`${version} is not Python 3`);
    return version.replace('Python', 'version');
  });
}

async function versionOf(command: string, args: readonly string[]): Promise<string> {
  try {
    const { stdout } = await run(command, [...args], { timeout: 3_000 });
    return stdout.trim();
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ENOENT')
      throw new Error('not on the path', { cause: undefined });
    throw error;
  }
}
