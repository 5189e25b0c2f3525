import { pageQuery } from '@swissbrain/service-kit/cursor';
import { principalOf } from '@swissbrain/service-kit/http';
import type { Platform } from '@swissbrain/service-kit/platform';
import { schedulePage, scheduleParams, scheduleView } from '@swissbrain/shared-schema/http/scheduler';
import { getSchedule } from '../operations/get-schedule.ts';
import { listSchedules } from '../operations/list-schedules.ts';
import { toView } from './schedule-view.ts';

const tags = ['schedules'];

/** Adds the routes under /v1/schedules. */
export function serveSchedules({ http, database }: Pick<Platform, 'http' | 'database'>): void {
  http.get(
    '/v1/schedules',
    { schema: { tags, summary: 'List schedules', querystring: pageQuery, response: { 200: schedulePage } } },
    async (request) => {
      const page = await listSchedules(database, principalOf(request), request.query);
      return { ...page, items: page.items.map(toView) };
    },
  );

  http.get(
    '/v1/schedules/:id',
    { schema: { tags, summary: 'Get a schedule', params: scheduleParams, response: { 200: scheduleView } } },
    async (request) => toView(await getSchedule(database, principalOf(request), request.params.id)),
  );
}
