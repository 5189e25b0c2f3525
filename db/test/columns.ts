/** Rights that a role has on some columns of a table only: these, and no others. */
export const columnRights: readonly {
  readonly table: string;
  readonly roles: readonly string[];
  readonly select?: string;
  readonly insert?: string;
  readonly update?: string;
}[] = [
  // People: what stays inside, tokens and their hashes above all, is in none of the lists.
  {
    table: 'public.connector_credentials',
    roles: ['sb_connectors_user'],
    select: `id user_id definition_id provider_account_id provider_account_name label is_default status auth_method
      granted_scopes access_expires_at refresh_expires_at last_refreshed_at last_ok_at last_error_code last_error_at
      event_seq version created_at updated_at`,
    update: 'label is_default status event_seq version updated_at',
  },
  {
    table: 'public.connector_credentials',
    roles: ['authenticated'],
    select: `id user_id definition_id provider_account_id provider_account_name label is_default status auth_method
      granted_scopes access_expires_at refresh_expires_at last_refreshed_at last_ok_at last_error_code last_error_at
      version created_at updated_at`,
  },
  {
    table: 'public.collaboration_invites',
    roles: ['sb_collab_user'],
    select: 'id session_id user_id role email expires_at max_uses uses revoked_at created_at',
    insert: 'id session_id user_id token_hash role email expires_at max_uses',
    update: 'role email expires_at max_uses revoked_at',
  },
  {
    table: 'public.collaboration_invites',
    roles: ['authenticated'],
    select: 'id session_id user_id role email expires_at max_uses uses revoked_at created_at',
  },
  {
    table: 'public.collaboration_participants',
    roles: ['sb_collab_user'],
    insert: 'id session_id owner_id user_id role display_name color',
    update: 'role presence display_name color connections revoked_at updated_at',
  },
  {
    table: 'public.collaboration_sessions',
    roles: ['sb_collab_user'],
    insert: 'id user_id title idempotency_key run_id source_artifact_id event_seq',
    update: 'title status auth_epoch event_seq closed_at updated_at',
  },
  {
    table: 'public.scheduled_tasks',
    roles: ['sb_scheduler_user'],
    insert: `id user_id name description idempotency_key kind cron_expression time_zone interval_seconds anchor_at run_at
      target_kind target overlap_policy catch_up_policy catch_up_window_seconds jitter_seconds starts_at ends_at
      next_run_at next_fire_at max_consecutive_failures`,
    update: `name description kind cron_expression time_zone interval_seconds anchor_at run_at target_kind target
      overlap_policy catch_up_policy catch_up_window_seconds jitter_seconds starts_at ends_at status status_reason
      status_by next_run_at next_fire_at revision consecutive_failures max_consecutive_failures event_seq updated_at`,
  },
  {
    table: 'public.wide_research_jobs',
    roles: ['sb_wide_research_user'],
    insert: `id user_id template_id run_id idempotency_key title goal item_prompt items_source output_schema output_format
      max_parallel max_failed_items budget_micro event_seq`,
    update: 'title cancel_requested_at event_seq version updated_at',
  },
  {
    table: 'public.wide_research_templates',
    roles: ['sb_wide_research_user'],
    update:
      'slug name description goal item_prompt input_schema output_schema output_format version updated_at',
  },
  {
    table: 'public.agent_runs',
    roles: ['sb_agent_runner_user'],
    update: `status lease_owner lease_until run_seq cancel_requested_at
      pause_requested_at pause_reason idle_since idle_ms step_count open_steps completed_steps failed_steps
      required_failed_steps billable_steps consumed_micro error_code error_message finished_at updated_at`,
  },
  { table: 'public.agent_user_deletions', roles: ['sb_agent_runner_user'], insert: 'user_id' },
  { table: 'public.agent_steps', roles: ['sb_agent_runner_user'], update: 'status finished_at' },
  { table: 'public.agent_questions', roles: ['sb_agent_runner_user'], update: 'status answer answered_at' },
  {
    table: 'public.agent_memory',
    roles: ['sb_agent_runner_user'],
    update: 'content metadata embedding embedding_model updated_at',
  },
  {
    table: 'public.api_idempotency',
    roles: [
      'sb_agent_runner_user',
      'sb_collab_user',
      'sb_connectors_user',
      'sb_credits_user',
      'sb_scheduler_user',
      'sb_wide_research_user',
    ],
    update: 'request_hash response_status response_body created_at',
  },
  // The relays.
  {
    table: 'public.event_outbox',
    roles: [
      'sb_agent_runner',
      'sb_collab',
      'sb_connectors',
      'sb_credits',
      'sb_scheduler',
      'sb_wide_research',
    ],
    update: 'published_at stream_seq',
  },
];
