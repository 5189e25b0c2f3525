import { mkdir, mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { goalInputs, type InputPlaces, parseAssignments, playbookInputs } from './inputs.ts';
import { resolvePackageFile } from './package-file.ts';

let root = '';
let places: InputPlaces = { directory: '', playbookDirectory: '', root: '' };

beforeAll(async () => {
  root = await mkdtemp(join(tmpdir(), 'swissbrain-inputs-'));
  places = { directory: join(root, 'here'), playbookDirectory: join(root, 'books', 'deep'), root };
  await mkdir(places.directory);
  await mkdir(places.playbookDirectory, { recursive: true });
  await mkdir(join(root, 'node_modules', '@scope', 'data', 'csv'), { recursive: true });
  await writeFile(join(root, 'here', 'mine.csv'), 'a,b\n1,2\n');
  await writeFile(join(root, 'books', 'deep', 'near.csv'), 'near\n');
  await writeFile(join(root, 'node_modules', '@scope', 'data', 'csv', 'set.csv'), 'packaged\n');
});
afterAll(() => rm(root, { recursive: true }));

const base64 = (text: string) => Buffer.from(text).toString('base64');

describe('parseAssignments', () => {
  it('splits at the first equals sign', () => {
    expect([...parseAssignments(['a=1', 'b=x=y', 'c='])]).toEqual([
      ['a', '1'],
      ['b', 'x=y'],
      ['c', ''],
    ]);
  });
  it('refuses what has no name and what comes twice', () => {
    expect(() => parseAssignments(['=x'])).toThrow('name=value');
    expect(() => parseAssignments(['x'])).toThrow('name=value');
    expect(() => parseAssignments(['x=1', 'x=2'])).toThrow('given twice');
  });
});

describe('playbookInputs', () => {
  const given = (text: string) => new Map([['x', text]]);

  it('gives each value its type', async () => {
    expect(await playbookInputs({ x: { type: 'number' } }, given('2.5'), places)).toEqual({ x: 2.5 });
    expect(await playbookInputs({ x: { type: 'boolean' } }, given('false'), places)).toEqual({ x: false });
    expect(await playbookInputs({ x: { type: 'string' } }, given('12'), places)).toEqual({ x: '12' });
  });

  it.each([
    ['number', 'many'],
    ['number', ''],
    ['boolean', 'yes'],
  ] as const)('refuses a %s that is %j', async (type, text) => {
    await expect(playbookInputs({ x: { type } }, given(text), places)).rejects.toThrow('input x is');
  });

  it('sends files with their content, from where the person stands', async () => {
    const inputs = await playbookInputs({ x: { type: 'file' } }, given('mine.csv'), places);
    expect(inputs).toEqual({ x: { filename: 'mine.csv', content_base64: base64('a,b\n1,2\n') } });
  });

  it('resolves defaults beside the playbook and in packages above it', async () => {
    const near = await playbookInputs({ x: { type: 'file', default: 'near.csv' } }, new Map(), places);
    expect(near).toEqual({ x: { filename: 'near.csv', content_base64: base64('near\n') } });
    const packaged = { x: { type: 'file', default: 'npm:@scope/data/csv/set.csv' } } as const;
    expect(await playbookInputs(packaged, new Map(), places)).toEqual({
      x: { filename: 'set.csv', content_base64: base64('packaged\n') },
    });
  });

  it('leaves other defaults to the service', async () => {
    expect(await playbookInputs({ x: { type: 'string', default: 'hello' } }, new Map(), places)).toEqual({});
  });

  it('names what is missing, what is unknown and what cannot be read', async () => {
    await expect(
      playbookInputs({ x: { type: 'file', description: 'the data' } }, new Map(), places),
    ).rejects.toMatchObject({ message: 'input x is missing (the data)', hint: 'Add --input x=path' });
    await expect(playbookInputs({ y: { type: 'string' } }, given('1'), places)).rejects.toMatchObject({
      message: 'the playbook has no input x',
      hint: 'It has y.',
    });
    await expect(playbookInputs({ x: { type: 'file' } }, given('gone.csv'), places)).rejects.toThrow(
      'ENOENT',
    );
  });
});

describe('goalInputs', () => {
  it('takes text as it is and @path as a file', async () => {
    const inputs = await goalInputs(
      new Map([
        ['note', 'be brief'],
        ['data', '@mine.csv'],
      ]),
      places,
    );
    expect(inputs).toEqual({
      note: 'be brief',
      data: { filename: 'mine.csv', content_base64: base64('a,b\n1,2\n') },
    });
  });
});

describe('resolvePackageFile', () => {
  it('refuses to leave the package and names what is not installed', () => {
    expect(() => resolvePackageFile('npm:data/../../etc/passwd', [root])).toThrow('not a file of a package');
    expect(() => resolvePackageFile('npm:data', [root])).toThrow('not a file of a package');
    expect(() => resolvePackageFile('npm:absent/file.csv', [root])).toThrow(
      'npm:absent/file.csv is not installed',
    );
  });
});
