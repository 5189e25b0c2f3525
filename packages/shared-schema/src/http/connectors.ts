import { z } from 'zod';
import { uuid } from '../ids.ts';
import { pageOf } from './page.ts';

/** The name of a connector in addresses and playbooks: `google_drive`. */
export const connectorSlug = z
  .string()
  .regex(/^[a-z][a-z0-9_]{1,62}$/, 'a lower-case letter, then 1 to 62 of a-z 0-9 _');

/** A connector as a user sees it: what it is for and what connecting an account will ask for. */
export const connectorView = z.object({
  id: uuid,
  slug: connectorSlug,
  name: z.string(),
  description: z.string(),
  category: z.string(),
  auth_methods: z.array(z.enum(['oauth2', 'api_key'])),
  default_scopes: z.array(z.string()),
  optional_scopes: z.array(z.string()),
  /** The only hosts that are ever called with this connector's token. */
  api_hosts: z.array(z.string()),
  documentation_url: z.url().nullable(),
});
export type ConnectorView = z.infer<typeof connectorView>;

export const connectorPage = pageOf(connectorView);
export const connectorParams = z.object({ slug: connectorSlug });
