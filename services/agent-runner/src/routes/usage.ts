import type { Clock } from '@swissbrain/service-kit/clock';
import type { Database } from '@swissbrain/service-kit/database';
import { type Http, principalOf } from '@swissbrain/service-kit/http';
import { formatCredits } from '@swissbrain/shared-schema/amount';
import { runParams } from '@swissbrain/shared-schema/http/agent-runner';
import * as api from '@swissbrain/shared-schema/http/usage';
import { readRunUsage, readUserUsage, type Usage, usageRange } from '../operations/read-usage.ts';

function toolsOf({ rows }: Usage): api.UsageView['tools'] {
  return [...Map.groupBy(rows, (row) => row.tool)].map(([tool, of]) => ({
    tool,
    steps: of.reduce((sum, row) => sum + row.steps, 0),
    failed: of.reduce((sum, row) => sum + row.failed, 0),
    duration_ms: of.reduce((sum, row) => sum + Number(row.duration_ms), 0),
    credits: formatCredits(of.reduce((sum, row) => sum + row.cost_micro, 0n)),
  }));
}

function modelsOf({ rows }: Usage): api.UsageView['models'] {
  return rows.flatMap((row) =>
    row.model === null
      ? []
      : {
          model: row.model,
          calls: row.steps,
          input_tokens: Number(row.input),
          cache_read_tokens: Number(row.cache_read),
          cache_write_tokens: Number(row.cache_write),
          output_tokens: Number(row.output),
          credits: formatCredits(row.cost_micro),
        },
  );
}

const view = (usage: Usage, of: Pick<api.UsageView, 'from' | 'to' | 'run_id'>): api.UsageView => ({
  ...of,
  runs: usage.runs,
  steps: usage.rows.reduce((sum, row) => sum + row.steps, 0),
  credits: formatCredits(usage.rows.reduce((sum, row) => sum + row.cost_micro, 0n)),
  models: modelsOf(usage),
  tools: toolsOf(usage),
});

/** What runs have used: tokens by model, time and credits by tool. */
export function registerUsageRoutes(
  http: Http,
  { database, clock }: { database: Database; clock: Clock },
): void {
  http.get(
    '/v1/runs/:id/usage',
    {
      schema: {
        operationId: 'getRunUsage',
        summary: 'Read what a run has used, by model and tool',
        description: 'With the runs below it, unless `tree=false`.',
        tags: ['usage'],
        params: runParams,
        querystring: api.runUsageQuery,
        response: { 200: api.usageView },
      },
    },
    async (request) => {
      const { id } = request.params;
      const usage = await readRunUsage(database, principalOf(request), id, request.query.tree);
      return view(usage, { from: null, to: null, run_id: id });
    },
  );
  http.get(
    '/v1/usage',
    {
      schema: {
        operationId: 'getUsage',
        summary: 'Read what your runs of a time have used, by model and tool',
        tags: ['usage'],
        querystring: api.usageQuery,
        response: { 200: api.usageView },
      },
    },
    async (request) => {
      const range = usageRange(request.query, clock.now());
      const usage = await readUserUsage(database, principalOf(request), range);
      return view(usage, { from: range.from.toISOString(), to: range.to.toISOString(), run_id: null });
    },
  );
}
