import { execFile } from 'node:child_process';
import { mkdir, mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { promisify } from 'node:util';
import { playbookSchema } from '@swissbrain/shared-schema/http/agent-runner';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { z } from 'zod';
import { playbookInputs } from '../src/inputs.ts';
import { readPlaybook } from '../src/playbook.ts';

const run = promisify(execFile);
const root = dirname(dirname(dirname(import.meta.dirname)));
const examples = join(root, 'examples');
const codeInput = z.object({
  language: z.enum(['javascript', 'python']),
  code: z.string(),
  args: z.array(z.string()).default([]),
});
const monthlySchema = z.object({
  days: z.number(),
  skipped_rows: z.number(),
  years: z.array(z.string()),
  months: z.array(
    z.object({
      month: z.number(),
      days: z.number(),
      temp_max_mean: z.number(),
      weather: z.record(z.string(), z.number()),
    }),
  ),
});

const hasPython = await run('python3', ['--version']).then(
  () => true,
  () => false,
);
let directory = '';
beforeAll(async () => {
  directory = await mkdtemp(join(tmpdir(), 'swissbrain-examples-'));
});
afterAll(() => rm(directory, { recursive: true }));

/**
 * Runs the programs of an example one after the other in one workspace, as the sandbox would, on the inputs
 * that the command line resolves. Answers with the workspace and the result of each step.
 */
async function runExample(name: string, given: Readonly<Record<string, string>> = {}) {
  const workspace = await mkdtemp(join(directory, 'run-'));
  const playbook = await readPlaybook(join(examples, name));
  const { inputs: declared, steps } = playbookSchema.parse(playbook.document);
  const places = { directory: workspace, playbookDirectory: examples, root };
  const inputs = await playbookInputs(declared, new Map(Object.entries(given)), places);
  const values: Record<string, unknown> = {};
  await mkdir(join(workspace, 'inputs'));
  for (const [key, declaration] of Object.entries(declared)) {
    const input = inputs[key];
    if (typeof input === 'object' && 'content_base64' in input) {
      values[`inputs.${key}`] = `inputs/${input.filename}`;
      await writeFile(join(workspace, 'inputs', input.filename), Buffer.from(input.content_base64, 'base64'));
    } else values[`inputs.${key}`] = input ?? declaration.default;
  }
  for (const step of steps) {
    const { language, code, args } = codeInput.parse(step.with);
    const output = join(workspace, `${step.id}.result.json`);
    const program = join(directory, `${step.id}.${language === 'python' ? 'py' : 'mjs'}`);
    await writeFile(program, code);
    const resolved = args.map((arg) =>
      arg.replace(/\$\{\{\s*([\w.]+)\s*\}\}/g, (_, path: string) => String(values[path])),
    );
    await run(language === 'python' ? 'python3' : process.execPath, [program, ...resolved], {
      cwd: workspace,
      env: { PATH: process.env.PATH, SWISSBRAIN_OUTPUT: output },
    });
    for (const path of step.artifacts) await readFile(join(workspace, path));
    const result: unknown = JSON.parse(await readFile(output, 'utf8'));
    for (const [key, value] of Object.entries(z.record(z.string(), z.unknown()).parse(result))) {
      values[`steps.${step.id}.output.result.${key}`] = value;
    }
  }
  return { workspace, values, read: (path: string) => readFile(join(workspace, path), 'utf8') };
}

describe('seattle-weather.yaml', () => {
  it('agrees with the data set', async () => {
    const { read, values } = await runExample('seattle-weather.yaml');
    const monthly = monthlySchema.parse(JSON.parse(await read('monthly.json')));
    expect(monthly).toMatchObject({ days: 1_461, skipped_rows: 0, years: ['2012', '2013', '2014', '2015'] });
    expect(monthly.months.map((month) => month.month)).toEqual([1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12]);
    const kinds: Record<string, number> = {};
    for (const { weather } of monthly.months) {
      for (const [kind, count] of Object.entries(weather)) kinds[kind] = (kinds[kind] ?? 0) + count;
    }
    // Counted in the file by other means: cut -d, -f6 | sort | uniq -c.
    expect(kinds).toEqual({ drizzle: 53, fog: 101, rain: 641, snow: 26, sun: 640 });
    expect(values['steps.report.output.result.warmest']).toBe('August');
  });

  it('draws a chart with every month, axis and kind, and a report that shows it', async () => {
    const { read } = await runExample('seattle-weather.yaml', { title: 'Rain & <shine>' });
    const chart = await read('chart.svg');
    expect(chart).not.toMatch(/NaN|undefined|Infinity/);
    expect(chart.match(/<circle/g)).toHaveLength(24);
    for (const label of [
      'Jan',
      'Dec',
      '°C',
      'mm',
      '% of days',
      'mean high',
      'drizzle',
      'Rain &#38; &#60;shine&#62;',
    ]) {
      expect(chart).toContain(`>${label}<`);
    }
    const report = await read('report.md');
    expect(report).toContain('# Rain & <shine>');
    expect(report).toContain('![Temperature, precipitation and kinds of weather by month](chart.svg)');
    expect(report.match(/^\| [A-Z][a-z]+ \| -?\d/gm)).toHaveLength(12);
  });

  it('reads another file: quotes, CRLF, byte order mark, other column order, rows it cannot use', async () => {
    const csv = join(directory, 'odd.csv');
    const rows = [
      '\uFEFFWeather,date,wind,temp_min,temp_max,precipitation,note',
      '"sun, mostly",2020-07-01,1.5,10,20,0,"two\nlines"',
      'rain,2020-07-02,2.5,12,22,4,"say ""hi"""',
      'rain,2020-07-03,,12,22,4,gap',
      'rain,soon,2,12,22,4,no date',
    ];
    await writeFile(csv, rows.join('\r\n'));
    const { read } = await runExample('seattle-weather.yaml', { csv });
    const monthly = monthlySchema.parse(JSON.parse(await read('monthly.json')));
    expect(monthly).toMatchObject({ days: 2, skipped_rows: 2, years: ['2020'] });
    expect(monthly.months).toMatchObject([
      { month: 7, temp_max_mean: 21, weather: { 'sun, mostly': 1, rain: 1 } },
    ]);
    expect(await read('chart.svg')).not.toMatch(/NaN|undefined|Infinity/);
    expect(await read('report.md')).toContain('2 rows could not be read');
  });

  it('says which column is missing', async () => {
    const csv = join(directory, 'narrow.csv');
    await writeFile(csv, 'date,temp_max\n2020-01-01,3\n');
    await expect(runExample('seattle-weather.yaml', { csv })).rejects.toThrow(
      'missing column precipitation, temp_min, wind, weather',
    );
  });
});

describe.skipIf(!hasPython)('seattle-weather.python.yaml', () => {
  it('comes to the same statistics and the same report', async () => {
    const javascript = await runExample('seattle-weather.yaml');
    const python = await runExample('seattle-weather.python.yaml');
    expect(JSON.parse(await python.read('monthly.json'))).toEqual(
      JSON.parse(await javascript.read('monthly.json')),
    );
    expect(await python.read('report.md')).toBe(await javascript.read('report.md'));
  });
});

describe('csv-summary.yaml', () => {
  it('describes a data set it has not seen', async () => {
    const { read } = await runExample('csv-summary.yaml', { csv: 'npm:vega-datasets/data/airports.csv' });
    const summary = await read('summary.md');
    expect(summary).toContain('3,376 rows.');
    expect(summary).toContain('Every row has its own value in iata.');
    expect(summary).toContain('| latitude | number | 0 % |');
  });

  it('recognises other delimiters and counts gaps', async () => {
    const csv = join(directory, 'semicolon.csv');
    await writeFile(csv, 'id;name;when\n1;"a;b";2020-01-01\n2;;2020-02-01\n3;c\n');
    const { read } = await runExample('csv-summary.yaml', { csv });
    expect(JSON.parse(await read('profile.json'))).toMatchObject({
      delimiter: ';',
      rows: 3,
      uneven_rows: 1,
      columns: [
        { name: 'id', kind: 'number', missing: 0 },
        { name: 'name', kind: 'text', missing: 1, distinct: 2 },
        { name: 'when', kind: 'date', missing: 1, first: '2020-01-01', last: '2020-02-01' },
      ],
    });
  });
});
