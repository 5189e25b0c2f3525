import { Readable } from 'node:stream';
import { pageQuery } from '@swissbrain/service-kit/cursor';
import { principalOf } from '@swissbrain/service-kit/http';
import type { Platform } from '@swissbrain/service-kit/platform';
import { formatCredits } from '@swissbrain/shared-schema/amount';
import { type UsageItem, usageGroup, usagePage } from '@swissbrain/shared-schema/http/credits';
import { stringify } from 'csv-stringify';
import { z } from 'zod';
import { exportUsage, reportUsage, type UsageEntryRow, type UsageRow } from '../operations/report-usage.ts';

const tags = ['usage'];
const moment = z.iso.datetime({ offset: true });
const range = z.object({
  from: moment.optional(),
  to: moment.optional(),
  time_zone: z.string().min(1).max(64).optional(),
});
const usageQuery = pageQuery.extend({ ...range.shape, group_by: usageGroup.default('day') });

/** Adds the routes about what the caller has used. */
export function serveUsage(platform: Pick<Platform, 'http' | 'database' | 'clock'>): void {
  const { http } = platform;
  http.get(
    '/v1/credits/usage',
    {
      schema: {
        tags,
        summary: 'Add up usage by day, tool, model or run',
        description: 'By default of the last 30 days, and days are those of the zone of the subscription.',
        querystring: usageQuery,
        response: { 200: usagePage },
      },
    },
    async (request) => {
      const report = await reportUsage(platform, principalOf(request), request.query);
      return {
        group_by: request.query.group_by,
        from: report.from.toISOString(),
        to: report.to.toISOString(),
        time_zone: report.timeZone,
        items: report.items.map(toItem),
        next_cursor: report.next_cursor,
      };
    },
  );
  http.get(
    '/v1/credits/usage/export',
    {
      schema: {
        ...{ tags, summary: 'Export usage as CSV, entry by entry', querystring: range },
        produces: ['text/csv'],
      },
    },
    async (request, reply) => {
      const entries = await exportUsage(platform, principalOf(request), request.query);
      const csv = stringify({
        header: true,
        columns: ['time', 'run_id', 'step_id', 'operation', 'quantity', 'cost', 'charged'],
        record_delimiter: 'windows',
        // A spreadsheet would run what begins with = + - @, and names of models are not ours.
        escape_formulas: true,
      });
      const stream = Readable.from(entries).map(toRecord);
      stream.on('error', (error) => csv.destroy(error));
      return reply
        .header('content-type', 'text/csv; charset=utf-8')
        .header('content-disposition', 'attachment; filename="usage.csv"')
        .send(stream.pipe(csv));
    },
  );
}

function toItem({ position: _, cost, charged, first_at, last_at, ...row }: UsageRow): UsageItem {
  return {
    ...row,
    cost: formatCredits(cost),
    charged: formatCredits(charged),
    first_at: first_at.toISOString(),
    last_at: last_at.toISOString(),
  };
}

const toRecord = (row: UsageEntryRow): string[] => [
  row.at,
  row.run_id,
  row.step_id,
  row.operation,
  row.quantity.toString(),
  formatCredits(row.cost_micro),
  formatCredits(-row.amount_micro),
];
