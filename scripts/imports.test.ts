import { execFile } from 'node:child_process';
import { mkdir, mkdtemp, realpath, rm, symlink, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { promisify } from 'node:util';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { z } from 'zod';

// One forbidden import per rule, in a repository of its own: each must be found, and nothing else.

const repository = dirname(import.meta.dirname);
const run = promisify(execFile);

/** Rule, the file that breaks it, what the file imports. */
const forbidden = [
  ['services-apart', 'services/credits/src/operations/reach.ts', '../../../collab/src/domain/session.ts'],
  ['domain-is-pure', 'services/credits/src/domain/clock.ts', 'node:fs'],
  ['domain-types-are-pure', 'services/credits/src/domain/row.ts', 'type:../store/holds.ts'],
  ['store-speaks-sql', 'services/credits/src/store/talkative.ts', '../operations/reserve.ts'],
  ['operations-below-edges', 'services/credits/src/operations/answer.ts', '../routes/holds.ts'],
  ['edges-through-operations', 'services/credits/src/routes/shortcut.ts', '../store/holds.ts'],
  ['edges-apart', 'services/credits/src/consumers/echo.ts', '../routes/holds.ts'],
  ['lower-rooms-below-edges', 'services/collab/src/sync/push.ts', '../routes/sessions.ts'],
  ['main-is-last', 'services/credits/src/config.ts', './service.ts'],
  ['shared-schema-depends-on-zod-alone', 'packages/shared-schema/src/http.ts', 'node:http'],
  [
    'service-kit-depends-on-shared-schema',
    'packages/service-kit/src/stack.ts',
    '../../local-stack/src/ports.ts',
  ],
  [
    'sandbox-runtime-stands-alone',
    'packages/sandbox-runtime/src/schema.ts',
    '../../shared-schema/src/ids.ts',
  ],
  [
    'local-stack-knows-names-alone',
    'packages/local-stack/src/amounts.ts',
    '../../shared-schema/src/amount.ts',
  ],
  ['client-and-cli-outside-services', 'packages/cli/src/database.ts', '../../service-kit/src/database.ts'],
  ['client-is-light', 'packages/client/src/stack.ts', '../../local-stack/src/ports.ts'],
  [
    'packages-below-services',
    'packages/another/src/service.ts',
    '../../../services/credits/src/domain/hold.ts',
  ],
  [
    'testkit-for-tests',
    'services/credits/src/operations/fake.ts',
    '../../../../packages/testkit/src/wait.ts',
  ],
  ['no-unresolvable', 'scripts/lost.ts', './nowhere.ts'],
  ['no-cycles', 'scripts/one.ts', './two.ts'],
] as const;

const others = [
  ['services/collab/src/domain/session.ts'],
  ['services/collab/src/routes/sessions.ts', '../operations/list.ts'],
  ['services/collab/src/operations/list.ts', '../domain/session.ts'],
  ['services/credits/src/domain/hold.ts', '../../../../packages/shared-schema/src/amount.ts'],
  ['services/credits/src/store/holds.ts', 'type:../domain/hold.ts'],
  ['services/credits/src/operations/reserve.ts', '../store/holds.ts'],
  ['services/credits/src/routes/holds.ts', '../operations/reserve.ts', 'type:../store/holds.ts'],
  ['services/credits/src/service.ts', './routes/holds.ts'],
  ['services/credits/src/main.ts', './service.ts'],
  ['services/credits/test/holds.test.ts', '../src/service.ts', '../../../packages/testkit/src/wait.ts'],
  ['packages/shared-schema/src/ids.ts'],
  ['packages/shared-schema/src/amount.ts', './ids.ts'],
  ['packages/service-kit/src/database.ts', '../../shared-schema/src/ids.ts'],
  ['packages/local-stack/src/ports.ts', '../../shared-schema/src/ids.ts'],
  ['packages/testkit/src/wait.ts', '../../service-kit/src/database.ts'],
  ['scripts/two.ts', './one.ts'],
] as const;

let directory: string;

beforeAll(async () => {
  directory = await realpath(await mkdtemp(join(tmpdir(), 'swissbrain-imports-')));
  await symlink(join(repository, 'node_modules'), join(directory, 'node_modules'));
  for (const [, file, imported] of forbidden) await write(file, [imported]);
  for (const [file, ...imported] of others) await write(file, imported);
});

afterAll(() => rm(directory, { recursive: true, force: true }));

async function write(file: string, imported: readonly string[]): Promise<void> {
  const lines = imported.map((path) =>
    path.startsWith('type:') ? `import type { x } from '${path.slice(5)}';` : `import '${path}';`,
  );
  await mkdir(dirname(join(directory, file)), { recursive: true });
  await writeFile(join(directory, file), `${lines.join('\n')}\nexport const x = 1;\n`);
}

const report = z.object({
  summary: z.object({
    violations: z.array(z.object({ from: z.string(), rule: z.object({ name: z.string() }) })),
  }),
});

async function violations(): Promise<string[]> {
  const args = ['--config', join(repository, '.dependency-cruiser.cjs'), '--output-type', 'json'];
  const { stdout } = await run('depcruise', [...args, 'packages', 'services', 'scripts'], { cwd: directory });
  const found = report.parse(JSON.parse(stdout)).summary.violations;
  return [...new Set(found.map(({ rule, from }) => `${rule.name}: ${from}`))];
}

test('each rule finds the import that it forbids, and nothing else is found', async () => {
  const expected: string[] = forbidden.map(([rule, file]) => `${rule}: ${file}`);
  expect((await violations()).toSorted()).toEqual(expected.toSorted());
});
