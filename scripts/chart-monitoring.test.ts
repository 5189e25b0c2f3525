import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';

const root = join(import.meta.dirname, '..');
const files = join(root, 'deploy/helm/swissbrain/files');
const dashboard = readFileSync(join(files, 'dashboard.json'), 'utf8');
const alerts = readFileSync(join(files, 'alerts.yaml'), 'utf8');

/** The sources of the services and what they share, as one text. */
function sources(): string {
  const folders = [
    'packages/service-kit/src',
    ...readdirSync(join(root, 'services')).map((one) => `services/${one}/src`),
  ];
  const paths = folders.flatMap((folder) =>
    readdirSync(join(root, folder), { recursive: true, encoding: 'utf8' }).map((file) =>
      join(root, folder, file),
    ),
  );
  return paths
    .filter((path) => path.endsWith('.ts') && !path.endsWith('.test.ts'))
    .map((path) => readFileSync(path, 'utf8'))
    .join('\n');
}

/** Names of metrics, as PromQL has them before the braces. */
function metricsOf(text: string): string[] {
  const names = [...text.matchAll(/([a-z][a-z_0-9]+)\{namespace=/g)].map(([, name = '']) => name);
  return [...new Set(names.map((name) => name.replace(/_(bucket|count|sum)$/, '')))];
}

describe('what the chart brings for monitoring', () => {
  it.each([
    ['the dashboard', dashboard],
    ['the alerts', alerts],
  ])('asks for no metric that the services do not have: %s', (_name, text) => {
    const known = sources();
    const ofOthers = /^(process|nodejs|kube)_/;
    const asked = metricsOf(text).filter((name) => !ofOthers.test(name));
    expect(asked.length).toBeGreaterThan(3);
    expect(asked.filter((name) => !known.includes(`'${name}'`))).toEqual([]);
  });

  it('has a paragraph in the runbook for each alert', () => {
    const runbook = readFileSync(join(root, 'docs/operations.md'), 'utf8');
    const names = [...alerts.matchAll(/^- alert: (\w+)$/gm)].map(([, name = '']) => name);
    expect(names.length).toBeGreaterThan(3);
    expect(names.filter((name) => !runbook.includes(`\n### ${name}\n`))).toEqual([]);
  });

  it('names the alerts beside the panels that show their cause', () => {
    const named = [...dashboard.matchAll(/SwissBrain[A-Z]\w+/g)].map(([name]) => name);
    expect(named.length).toBeGreaterThan(3);
    for (const name of named) expect(alerts).toContain(`alert: ${name}\n`);
  });
});
