import { alice, type ConstrainedTables, first, now, second } from './table.ts';

export const platform: ConstrainedTables = {
  'public.event_outbox': {
    row: {
      id: first,
      source: 'collab',
      aggregate_type: 'run',
      aggregate_id: first,
      aggregate_seq: '1',
      type: 'run.requested',
      user_id: alice,
      root_id: first,
      data: '{}',
      created_at: now,
    },
    second: { id: second },
    required: `id source aggregate_type aggregate_id aggregate_seq type version user_id root_id data created_at`,
    violations: { event_outbox_pkey: [{ id: first }] },
  },
  'public.event_inbox': {
    row: { source: 'collab', consumer: 'c', event_id: first, event_time: now },
    second: { event_id: second },
    required: 'source consumer event_id event_time processed_at',
    violations: { event_inbox_pkey: [{ event_id: first }] },
  },
  'public.outbox_shards': {
    row: { source: 'test', shard: '0' },
    second: { shard: '1' },
    required: 'source shard fence',
    violations: {
      outbox_shards_pkey: [{ shard: '0' }],
      outbox_shards_shard_check: [{ shard: '-1' }, { shard: '16' }],
    },
  },
  'public.api_idempotency': {
    row: { user_id: alice, source: 'collab', route: '/', key: 'a', request_hash: 'h' },
    second: { key: 'b' },
    required: 'user_id source route key request_hash created_at',
    violations: {
      api_idempotency_pkey: [{ key: 'a' }],
      api_idempotency_key_check: [{ key: '' }, { key: 'k'.repeat(256) }],
      api_idempotency_response_status_check: [{ response_status: '99' }, { response_status: '600' }],
      api_idempotency_source_check: [{ source: 'nobody' }],
    },
  },
  'sb.deleted_users': {
    row: { user_id: first },
    second: { user_id: second },
    required: 'user_id deleted_at',
    violations: { deleted_users_pkey: [{ user_id: first }] },
  },
  'sb.monthly_partitions': {
    row: { table_name: 'a', months_ahead: '1' },
    second: { table_name: 'b' },
    required: 'table_name months_ahead',
    violations: {
      monthly_partitions_pkey: [{ table_name: 'a' }],
      monthly_partitions_keep_check: [{ keep: '27 days' }],
      monthly_partitions_months_ahead_check: [{ months_ahead: '0' }, { months_ahead: '25' }],
    },
  },
};
