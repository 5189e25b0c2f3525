import { randomUUID } from 'node:crypto';
import { researchTemplateView } from '@swissbrain/shared-schema/http/wide-research';
import {
  call,
  describeReadRefusals,
  describeSelfDescription,
  expectProblem,
  readAllPages,
} from '@swissbrain/testkit/http-cases';
import { type ServiceUnderTest, startServiceUnderTest } from '@swissbrain/testkit/service-under-test';
import { mintToken } from '@swissbrain/testkit/tokens';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { configSchema } from '../src/config.ts';
import { startService } from '../src/service.ts';

let service: ServiceUnderTest;
const url = () => service.url;
beforeAll(async () => {
  service = await startServiceUnderTest({ service: 'wide-research', configSchema, start: startService });
});
afterAll(() => service?.stop());

const shipped = ['company_profiles', 'product_comparison', 'literature_review', 'fact_check'];

describe('GET /v1/research/templates', () => {
  describeSelfDescription(url, ['/v1/research/templates', '/v1/research/templates/{id}']);
  describeReadRefusals({
    url,
    list: '/v1/research/templates',
    item: (id) => `/v1/research/templates/${id}`,
    notFound: 'template_not_found',
    unknownId: randomUUID(),
    malformedId: 'one',
  });

  test('gives a new user the shipped templates', async () => {
    const token = await mintToken({ sub: randomUUID() });
    const { items } = await readAllPages(service.url, '/v1/research/templates', { token, limit: 3 });
    const templates = items.map((item) => researchTemplateView.parse(item));
    expect(templates.map(({ slug }) => slug)).toEqual(shipped);
    expect(templates.every((template) => template.shipped)).toBe(true);
  });

  test("gives a user their own beside the shipped ones, and never another's", async () => {
    const [mine, other] = [randomUUID(), randomUUID()];
    const [myToken, otherToken] = [await mintToken({ sub: mine }), await mintToken({ sub: other })];
    const ids = [await newTemplate(mine, 'first'), await newTemplate(mine, 'second')];
    const foreign = await newTemplate(other, 'first');

    const { items, pages } = await readAllPages(service.url, '/v1/research/templates', {
      token: myToken,
      limit: 1,
    });
    const templates = items.map((item) => researchTemplateView.parse(item));
    expect(templates.map(({ slug }) => slug)).toEqual([...shipped, 'first', 'second']);
    expect(templates.slice(-2).map(({ id }) => id)).toEqual(ids);
    expect(templates.slice(-2).map((template) => template.shipped)).toEqual([false, false]);
    expect(pages).toBe(6);

    const path = (id: string | undefined) => `/v1/research/templates/${id}`;
    expect((await call(service.url, path(ids[0]), { token: myToken })).body).toEqual(templates.at(-2));
    expectProblem(await call(service.url, path(foreign), { token: myToken }), 404, 'template_not_found');
    expect((await call(service.url, path(foreign), { token: otherToken })).status).toBe(200);
  });
});

async function newTemplate(user: string, slug: string): Promise<string> {
  const id = randomUUID();
  await service.database.query('INSERT INTO auth.users (id) VALUES ($1) ON CONFLICT DO NOTHING', [user]);
  await service.database.query(
    `INSERT INTO wide_research_templates (id, user_id, slug, name, goal, item_prompt, input_schema, output_schema)
     VALUES ($1, $2, $3, $3, 'goal', 'prompt', '{}', '{}')`,
    [id, user, slug],
  );
  return id;
}
