import { pageQuery } from '@swissbrain/service-kit/cursor';
import { principalOf } from '@swissbrain/service-kit/http';
import type { Platform } from '@swissbrain/service-kit/platform';
import {
  type ResearchTemplateView,
  researchTemplatePage,
  researchTemplateParams,
  researchTemplateView,
} from '@swissbrain/shared-schema/http/wide-research';
import { getTemplate } from '../operations/get-template.ts';
import { listTemplates } from '../operations/list-templates.ts';

type Template = Awaited<ReturnType<typeof getTemplate>>;

const tags = ['research'];

/** Adds the routes under /v1/research/templates. */
export function serveTemplates({ http, database }: Pick<Platform, 'http' | 'database'>): void {
  http.get(
    '/v1/research/templates',
    {
      schema: {
        tags,
        summary: 'List templates',
        querystring: pageQuery,
        response: { 200: researchTemplatePage },
      },
    },
    async (request) => {
      const page = await listTemplates(database, principalOf(request), request.query);
      return { ...page, items: page.items.map(toView) };
    },
  );

  http.get(
    '/v1/research/templates/:id',
    {
      schema: {
        tags,
        summary: 'Get a template',
        params: researchTemplateParams,
        response: { 200: researchTemplateView },
      },
    },
    async (request) => toView(await getTemplate(database, principalOf(request), request.params.id)),
  );
}

function toView(row: Template): ResearchTemplateView {
  return researchTemplateView.parse({
    ...row,
    shipped: row.user_id === null,
    created_at: row.created_at.toISOString(),
    updated_at: row.updated_at.toISOString(),
  });
}
