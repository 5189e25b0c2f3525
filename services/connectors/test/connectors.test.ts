import { connectorPage, connectorView } from '@swissbrain/shared-schema/http/connectors';
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
  service = await startServiceUnderTest({ service: 'connectors', configSchema, start: startService });
});
afterAll(() => service?.stop());

const seeded = [
  'gmail',
  'google_calendar',
  'google_drive',
  'github',
  'slack',
  'notion',
  'onedrive',
  'figma',
  'stripe',
];

describe('GET /v1/connectors', () => {
  describeSelfDescription(url, ['/v1/connectors', '/v1/connectors/{slug}']);
  describeReadRefusals({
    url,
    list: '/v1/connectors',
    item: (slug) => `/v1/connectors/${slug}`,
    notFound: 'connector_not_found',
    unknownId: 'carrier_pigeon',
    malformedId: 'Carrier%20Pigeon',
  });

  test('gives every user the nine seeded connectors, in the same order page by page', async () => {
    for (const limit of [2, 4, 100]) {
      const { items, pages } = await readAllPages(service.url, '/v1/connectors', {
        token: await mintToken(),
        limit,
      });
      expect(items.map((item) => connectorView.parse(item).slug)).toEqual(seeded);
      expect(pages).toBe(Math.ceil(seeded.length / limit));
    }
  });

  test('shows what connecting will ask for, and nothing of how the operator is set up', async () => {
    const { body } = await call(service.url, '/v1/connectors?limit=100', { token: await mintToken() });
    const { items } = connectorPage.parse(body);
    for (const shown of items) {
      const one = await call(service.url, `/v1/connectors/${shown.slug}`, { token: await mintToken() });
      expect(one.body).toEqual(shown);
    }
    expect(items.find(({ slug }) => slug === 'stripe')?.auth_methods).toEqual(['oauth2', 'api_key']);
    expect(items.find(({ slug }) => slug === 'google_drive')?.optional_scopes).toHaveLength(1);
    for (const inner of ['secret_ref', 'token_url', 'refresh_mode', 'position']) {
      expect(JSON.stringify(body)).not.toContain(inner);
    }
  });

  test('leaves out what the operator has switched off', async () => {
    const token = await mintToken();
    await service.database.query(`UPDATE connector_definitions SET enabled = false WHERE slug = 'figma'`);
    const { items } = await readAllPages(service.url, '/v1/connectors', { token, limit: 100 });
    expect(items.map((item) => connectorView.parse(item).slug)).toEqual(
      seeded.filter((slug) => slug !== 'figma'),
    );
    expectProblem(await call(service.url, '/v1/connectors/figma', { token }), 404, 'connector_not_found');
    await service.database.query(`UPDATE connector_definitions SET enabled = true WHERE slug = 'figma'`);
  });
});
