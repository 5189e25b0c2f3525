import { findDefinition, selectDefinitions } from '../../../services/connectors/src/store/definitions.ts';
import { filledId } from '../filled.ts';
import { type Guards, owner, statement, type Use } from './use.ts';

const store = 'services/connectors/src/store';
const service = { service: 'connectors' } as const;
const userId = filledId('user', 0);
const user = { ...service, userId } as const;
const credential = filledId('credential', 7);
const position = { createdAt: '2000-01-01T00:00:00Z', id: filledId('nobody', 0) };
const gmail = 'c0000000-0000-4000-8000-000000000001';

/** Uses of the tables of connectors. */
export const connectorUses: readonly Use[] = [
  {
    by: 'GET /v1/connectors, further pages',
    file: `${store}/definitions.ts`,
    indexes: ['connector_definitions_list_idx'],
    as: user,
    run: ({ tx }) => selectDefinitions(tx, { after: position, limit: 21 }),
  },
  {
    by: 'GET /v1/connectors/:slug',
    file: `${store}/definitions.ts`,
    indexes: ['connector_definitions_slug_key'],
    as: user,
    run: ({ tx }) => findDefinition(tx, 'gmail'),
  },
  {
    by: 'GET /v1/connections: a user connected accounts, newest first',
    indexes: ['connector_credentials_list_idx', 'connector_definitions_pkey'],
    as: user,
    run: statement(
      `SELECT c.id, c.label, c.status, d.slug FROM connector_credentials c JOIN connector_definitions d ON d.id = c.definition_id
       WHERE c.user_id = $1 ORDER BY c.created_at DESC, c.id DESC LIMIT 21`,
      userId,
    ),
  },
  {
    by: 'a call: the account to use when none is named',
    indexes: ['connector_credentials_default_idx'],
    as: user,
    run: statement(
      'SELECT id FROM connector_credentials WHERE user_id = $1 AND definition_id = $2 AND is_default',
      userId,
      gmail,
    ),
  },
  {
    by: 'the end of an OAuth flow: the same account again is the same row',
    indexes: ['connector_credentials_account_key'],
    as: service,
    run: statement(
      `INSERT INTO connector_credentials (user_id, definition_id, provider_account_id, auth_method, key_id, access_token)
       VALUES ($1, $2, 'account-0', 'oauth2', 'key-2', '\\x00')
       ON CONFLICT (user_id, definition_id, provider_account_id) DO UPDATE SET access_token = excluded.access_token`,
      userId,
      gmail,
    ),
  },
  {
    by: 'the refresh of tokens before they expire',
    indexes: ['connector_credentials_due_idx', 'connector_credentials_pkey'],
    as: service,
    run: statement(`SELECT * FROM refresh_expiring_tokens('worker')`),
  },
  {
    by: 'a change of keys: what the old one still encrypts',
    indexes: ['connector_credentials_key_idx'],
    as: service,
    run: statement(`SELECT id FROM connector_credentials WHERE key_id = 'key-1' LIMIT 100`),
  },
  {
    by: 'GET /v1/connections/usage: a user, a credential, a run',
    indexes: [
      'connector_usage_log_list_idx',
      'connector_usage_log_credential_idx',
      'connector_usage_log_run_idx',
    ],
    as: user,
    run: async ({ query }) => {
      await query(
        'SELECT id FROM connector_usage_log WHERE user_id = $1 ORDER BY created_at DESC, id DESC LIMIT 21',
        [userId],
      );
      await query(
        'SELECT id FROM connector_usage_log WHERE credential_id = $1 ORDER BY created_at DESC LIMIT 21',
        [credential],
      );
      await query('SELECT id FROM connector_usage_log WHERE run_id = $1 ORDER BY created_at', [
        filledId('run', 1),
      ]);
    },
  },
  {
    by: 'a call by its id',
    indexes: ['connector_usage_log_pkey'],
    as: service,
    run: statement('SELECT outcome FROM connector_usage_log WHERE id = $1', filledId('call', 1)),
  },
  {
    by: 'a definition is removed: is it in use?',
    indexes: ['connector_credentials_definition_idx', 'connector_usage_log_definition_idx'],
    as: owner,
    run: statement('DELETE FROM connector_definitions WHERE id = $1', filledId('definition', 1)),
  },
  {
    by: 'a user or a credential is deleted',
    indexes: ['connector_usage_log_credential_idx'],
    as: owner,
    run: statement('DELETE FROM connector_credentials WHERE id = $1', credential),
  },
];

/** What the unique indexes of connectors keep apart that no query uses. */
export const connectorGuards: Guards = {
  connector_credentials_id_user_key: 'calls name the credential with its user',
};
