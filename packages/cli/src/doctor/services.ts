import type { Client } from '@swissbrain/client/client';
import { parseJson } from '@swissbrain/local-stack/state';
import { serviceNames } from '@swissbrain/shared-schema/ids';
import { z } from 'zod';
import { check, type Finding } from './check.ts';

const readiness = z.looseObject({ checks: z.record(z.string(), z.string()) });

/** Each service says itself whether it can work, and if not, what it misses. */
export function checkServices(
  urls: Readonly<Record<string, { readonly url: string }>>,
  logsDirectory: string,
): Promise<Finding[]> {
  return Promise.all(
    serviceNames.map((name) => {
      const advice = `See ${logsDirectory}/${name}.log; the local stack starts a service again that has died.`;
      return check({ name, needed: true, advice }, () => readyz(urls[name]?.url));
    }),
  );
}

async function readyz(url: string | undefined): Promise<string> {
  if (url === undefined) throw new Error('the local stack does not list it');
  const response = await fetch(`${url}/readyz`, { signal: AbortSignal.timeout(3_000) });
  const text = await response.text();
  if (!response.ok) throw new Error(`not ready (${response.status}): ${missing(text)}`);
  return `${url}, API at ${url}/docs`;
}

/** What a service misses, in its own words; the beginning of the answer when it is no SwissBrain service. */
function missing(text: string): string {
  const answer = readiness.safeParse(parseJson(text));
  if (!answer.success) return text.slice(0, 200);
  const failing = Object.entries(answer.data.checks).filter(([, state]) => state !== 'up');
  return failing.length === 0 ? 'it is stopping' : failing.map(([name, why]) => `${name}: ${why}`).join('; ');
}

/** A model, for goal runs and llm steps. agent-runner says what it has. */
export function checkModel(client: Client): Promise<Finding> {
  const advice = 'Only goal runs and llm steps need one; the README has examples.';
  return check({ name: 'model', needed: false, advice }, async () => {
    const tools = await client.runs.tools({ signal: AbortSignal.timeout(3_000) });
    const llm = tools.find((tool) => tool.name === 'llm');
    if (!llm) throw new Error('this SwissBrain has no llm tool');
    if (!llm.available) throw new Error(llm.reason ?? 'not configured');
    return 'configured';
  });
}
