import { randomUUID } from 'node:crypto';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { SandboxSession } from '@swissbrain/agent-runner/sandbox/driver';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { collect } from '../../services/agent-runner/test/sandbox-fixture.ts';
import { auditRun, waitUntilSettled } from '../e2e/run-audit.ts';
import { demoRun, startWholeStack, type WholeStack } from '../e2e/whole-stack.ts';
import { type ClusterSandboxes, createClusterSandboxes, imageOf, runnerOnCluster } from './cluster.ts';

// The images take minutes to build, so they are for `npm run test:cluster -- --full`.
describe.runIf(process.env.SWISSBRAIN_FULL !== undefined)('the image sandbox-python', () => {
  let sandboxes: ClusterSandboxes;
  let session: SandboxSession;
  beforeAll(async () => {
    sandboxes = await createClusterSandboxes();
    const limits = { ...sandboxes.request().limits, memoryMb: 512 };
    session = await sandboxes.open({ limits }, { image: imageOf('sandbox-python') });
  });
  afterAll(() => sandboxes?.clear());

  const python = async (code: string): Promise<unknown> => {
    const { result, stdout, stderr } = await collect(session, { language: 'python', code });
    expect({ ...result, stderr }).toMatchObject({ exitCode: 0 });
    return JSON.parse(stdout);
  };
  const fileOf = async (path: string) => {
    const chunks: Uint8Array[] = [];
    for await (const chunk of session.getFile(path)) chunks.push(chunk);
    return Buffer.concat(chunks);
  };

  it('runs a program as a numeric user on a root that cannot be written', async () => {
    const seen = await python(`import json, os
places = ['/', '/usr/lib/python3', '/opt/sandbox', os.path.expanduser('~')]
print(json.dumps({'user': os.getuid(), 'writable': [place for place in places if os.access(place, os.W_OK)]}))`);
    // The home of a program is a folder of the pod's own.
    expect(seen).toEqual({ user: 10_002, writable: [expect.stringMatching(/^\/(workspace|tmp)/)] });
  });

  it('makes a chart and reads it back', async () => {
    const seen = await python(`import json
import matplotlib
import matplotlib.pyplot as plt
import numpy as np
angles = np.linspace(0, 2 * np.pi, 100)
plt.figure(figsize=(4, 3), dpi=100)
plt.plot(angles, np.sin(angles), label='sine')
plt.legend()
plt.savefig('chart.png')
picture = matplotlib.image.imread('chart.png')
colours = len(np.unique(picture.reshape(-1, picture.shape[2]), axis=0))
print(json.dumps({'shape': picture.shape, 'drawn': colours > 10, 'backend': matplotlib.get_backend().lower()}))`);
    expect(seen).toEqual({ shape: [300, 400, 4], drawn: true, backend: 'agg' });
    expect((await fileOf('chart.png')).subarray(0, 8).toString('latin1')).toBe('\x89PNG\r\n\x1a\n');
  });

  it('makes a workbook and reads it back', async () => {
    const seen = await python(`import json
import openpyxl
import pandas as pd
lakes = pd.DataFrame({'lake': ['Zürichsee', 'Bodensee'], 'depth': [136, 251]})
with pd.ExcelWriter('lakes.xlsx', engine='openpyxl') as writer:
    lakes.to_excel(writer, sheet_name='Lakes', index=False)
book = openpyxl.load_workbook('lakes.xlsx')
book['Lakes']['C1'] = '=SUM(B2:B3)'
book.save('lakes.xlsx')
back = pd.read_excel('lakes.xlsx', usecols=['lake', 'depth'])
print(json.dumps({'rows': back.values.tolist(), 'sum': int(back['depth'].sum()),
  'formula': openpyxl.load_workbook('lakes.xlsx')['Lakes']['C1'].value}))`);
    expect(seen).toEqual({
      rows: [
        ['Zürichsee', 136],
        ['Bodensee', 251],
      ],
      sum: 387,
      formula: '=SUM(B2:B3)',
    });
    expect((await fileOf('lakes.xlsx')).subarray(0, 2).toString('latin1')).toBe('PK');
  });
});

describe.runIf(process.env.SWISSBRAIN_FULL !== undefined)('the demo in sandbox-python', () => {
  let directory: string;
  let stack: WholeStack;
  beforeAll(async () => {
    directory = await mkdtemp(join(tmpdir(), 'swissbrain-python-'));
    stack = await startWholeStack(
      await runnerOnCluster(directory, { SANDBOX_IMAGE: imageOf('sandbox-python') }),
    );
  });
  afterAll(async () => {
    await stack?.[Symbol.asyncDispose]();
    await rm(directory, { recursive: true, force: true });
  });

  it('comes in Python to the same report as in JavaScript', async () => {
    const artifacts = async (file: string) => {
      const { runs } = stack.clientOf(randomUUID());
      const { id } = await runs.create(await demoRun(file));
      await waitUntilSettled(stack, id, 180_000);
      await auditRun(stack, id);
      expect(await runs.get(id)).toMatchObject({ status: 'completed' });
      const made = await runs.artifacts(id);
      return new Map(made.map(({ name, sha256 }) => [name, sha256]));
    };
    const [javascript, python] = [
      await artifacts('seattle-weather.yaml'),
      await artifacts('seattle-weather.python.yaml'),
    ];
    expect([...python.keys()].sort()).toEqual([...javascript.keys()].sort());
    expect([...python.keys()]).toEqual(expect.arrayContaining(['chart.svg', 'monthly.json', 'report.md']));
    expect(python.get('report.md')).toBe(javascript.get('report.md'));
  });
});
