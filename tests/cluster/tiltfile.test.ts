import { execFile } from 'node:child_process';
import { existsSync, readFileSync } from 'node:fs';
import { join, resolve } from 'node:path';
import { promisify } from 'node:util';
import { serviceNames } from '@swissbrain/shared-schema/ids';
import { describe, expect, it } from 'vitest';
import { z } from 'zod';
import { kubectlWith } from './cluster.ts';
import { helm } from './release.ts';

const root = resolve(import.meta.dirname, '../..');
const text = z.string();
const texts = z.array(text);
const call = z.object({ call: text, args: z.array(z.unknown()), kwargs: z.record(z.string(), z.unknown()) });
const buildOptions = z.looseObject({
  dockerfile: text,
  target: text,
  only: texts,
  match_in_env_vars: z.boolean().default(false),
  live_update: z.array(call).default([]),
});

/** What the Tiltfile asks Tilt for. */
async function evaluate(...services: readonly string[]) {
  const script = join(import.meta.dirname, 'tiltfile.py');
  const { stdout } = await promisify(execFile)('python3', [script, join(root, 'Tiltfile'), ...services]);
  const calls = z.array(call).parse(JSON.parse(stdout));
  return (name: string) => calls.filter((one) => one.call === name);
}

/** The chart as the Tiltfile has it rendered, as objects. */
async function render(asked: z.infer<typeof call> | undefined) {
  const given = z.object({ name: text, namespace: text, values: texts, set: texts }).parse(asked?.kwargs);
  const files = given.values.flatMap((file) => ['--values', join(root, file)]);
  const settings = given.set.flatMap((one) => ['--set', one]);
  const chart = join(root, text.parse(asked?.args[0]));
  const options = ['--namespace', given.namespace, '--kube-version', '1.34.0', '--skip-tests'];
  const yaml = await helm(['template', given.name, chart, ...options, ...files, ...settings]);
  const json = await kubectlWith(
    yaml,
    'create',
    '--dry-run=client',
    '--validate=false',
    '-o',
    'json',
    '-f',
    '-',
  );
  // One document after the other.
  return json
    .trim()
    .split(/\n(?=\{)/)
    .map((one) => z.looseObject({ kind: text, metadata: z.object({ name: text }) }).parse(JSON.parse(one)));
}

const workloads = new Set(['Deployment', 'StatefulSet', 'Job', 'CronJob']);

describe('the Tiltfile', () => {
  it("keeps to clusters that are no one else's", async () => {
    const [allowed] = (await evaluate())('allow_k8s_contexts');
    expect(texts.parse(allowed?.args[0])).toEqual(expect.arrayContaining(['kind-swissbrain']));
  });

  it('builds from files and targets that are there, and leads each change into the container', async () => {
    const builds = (await evaluate())('docker_build');
    expect(builds).toHaveLength(2);
    for (const { args, kwargs } of builds) {
      const { dockerfile, target, only, live_update: updates } = buildOptions.parse(kwargs);
      const built = readFileSync(join(root, dockerfile), 'utf8');
      expect(built).toMatch(new RegExp(`^FROM .* AS ${target}$`, 'm'));
      for (const path of [text.parse(args[1]), ...only])
        expect(existsSync(join(root, path)), path).toBe(true);
      for (const copied of built.matchAll(/^COPY (?!--from)(.+) \S+$/gm))
        for (const source of (copied[1] ?? '').split(' '))
          expect(
            only.some((path) => source.replace('./', '').startsWith(path)),
            source,
          ).toBe(true);
      for (const update of updates) {
        const from = update.call === 'sync' ? [text.parse(update.args[0])] : texts.parse(update.args[0]);
        for (const path of from) expect(existsSync(join(root, path)), path).toBe(true);
        if (update.call === 'sync') expect(update.args[1]).toBe(`/app/${update.args[0]}`);
      }
    }
  });

  it('builds every image of ours that the chart names, and no other', async () => {
    const tilt = await evaluate();
    const rendered = JSON.stringify(await render(tilt('helm')[0]));
    const named = [...rendered.matchAll(/docker\.io\/swissbrain\/([a-z-]+)(?=["@:])/g)].map(
      ([, name]) => name,
    );
    const built = tilt('docker_build').map(({ args }) => text.parse(args[0]).split('/').at(-1));
    expect([...new Set(named)].sort()).toEqual(built.sort());
    const [sandbox] = tilt('docker_build').filter(({ args }) => text.parse(args[0]).includes('sandbox-'));
    expect(buildOptions.parse(sandbox?.kwargs).match_in_env_vars).toBe(true);
  });

  it.each([[[]], [['credits', 'collab']]])(
    'knows every workload of the chart by its name, for %j',
    async (wanted) => {
      const tilt = await evaluate(...wanted);
      const objects = await render(tilt('helm')[0]);
      const names = objects.filter(({ kind }) => workloads.has(kind)).map(({ metadata }) => metadata.name);
      const resources = tilt('k8s_resource').map(({ args }) => text.parse(args[0]));
      expect(resources.sort()).toEqual(names.sort());
      const services = wanted.length > 0 ? wanted : serviceNames;
      expect(resources).toEqual(expect.arrayContaining(services.map((name) => `swissbrain-${name}`)));

      const known = new Set([...resources, ...tilt('local_resource').map(({ args }) => text.parse(args[0]))]);
      const dependencies = [...tilt('k8s_resource'), ...tilt('local_resource')].flatMap(({ kwargs }) =>
        texts.parse(kwargs.resource_deps ?? []),
      );
      expect(dependencies.filter((name) => !known.has(name))).toEqual([]);
    },
  );

  it('starts services after the set-up, and the set-up after the stores it works on', async () => {
    const tilt = await evaluate();
    const dependenciesOf = (name: string) =>
      texts.parse(tilt('k8s_resource').find(({ args }) => args[0] === name)?.kwargs.resource_deps);
    expect(dependenciesOf('swissbrain-set-up')).toEqual(['swissbrain-postgres', 'swissbrain-nats']);
    for (const service of serviceNames)
      expect(dependenciesOf(`swissbrain-${service}`)).toContain('swissbrain-set-up');
  });

  it('runs scripts of package.json', async () => {
    const { scripts } = z
      .object({ scripts: z.record(z.string(), z.string()) })
      .parse(JSON.parse(readFileSync(join(root, 'package.json'), 'utf8')));
    const commands = (await evaluate())('local_resource').map(({ args, kwargs }) =>
      text.parse(args[1] ?? kwargs.serve_cmd),
    );
    const run = commands.flatMap((command) => [...command.matchAll(/npm run (?:--silent )?([\w:]+)/g)]);
    expect(run.length).toBeGreaterThanOrEqual(commands.length);
    for (const [, name = ''] of run) expect(Object.keys(scripts)).toContain(name);
  });

  it('has buttons for tests, seed and tap', async () => {
    const manual = (await evaluate())('local_resource').filter(({ kwargs }) => kwargs.auto_init === false);
    expect(manual.map(({ args }) => args[0])).toEqual(['unit tests', 'demo run', 'seed', 'events']);
  });

  it('refuses a service that is not there', async () => {
    await expect(evaluate('billing')).rejects.toThrow('there is no service billing');
  });
});
