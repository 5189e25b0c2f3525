import {
  alice,
  bob,
  type ConstrainedTables,
  first,
  fourth,
  implied,
  nobody,
  now,
  type Row,
  run,
  second,
  step,
  third,
} from './table.ts';

const runRow: Row = {
  id: run,
  user_id: alice,
  root_run_id: run,
  kind: 'goal',
  title: 'a run',
  goal: 'a goal',
};
const stepRow: Row = {
  id: step,
  run_id: run,
  user_id: alice,
  step_index: '0',
  step_key: 'a',
  tool: 'code',
  name: 'a step',
};
const bobsStep = [
  ['public.agent_runs', { ...runRow, id: third, root_run_id: third, user_id: bob }],
  ['public.agent_steps', { ...stepRow, id: fourth, run_id: third, user_id: bob }],
] as const;
const ofRun = {
  broken: [
    { run_id: nobody, step_id: null },
    { user_id: bob, step_id: null },
  ],
  onDelete: 'cascades',
} as const;
const ofStep = {
  broken: [{ step_id: nobody }, { step_id: fourth }],
  given: bobsStep,
  onDelete: { setsNull: 'step_id' },
} as const;

export const agentCore: ConstrainedTables = {
  'public.agent_runs': {
    row: runRow,
    second: { id: first, parent_run_id: run },
    required: `id user_id root_run_id mode kind title inputs options status attempt run_seq session_no idle_ms rests planning_done
      weight step_count open_steps completed_steps failed_steps required_failed_steps billable_steps consumed_micro held_micro
      created_at updated_at`,
    violations: {
      agent_runs_pkey: [{ id: run, parent_run_id: null }],
      agent_runs_id_user_id_key: implied,
      agent_runs_id_root_run_id_user_id_key: implied,
      agent_runs_finished_check: [{ status: 'completed' }, { finished_at: 'now' }],
      agent_runs_given_check: [{ goal: null }],
      agent_runs_kind_check: [{ kind: 'wish' }],
      agent_runs_root_check: [{ parent_run_id: null }, { root_run_id: first }],
    },
    foreignKeys: {
      agent_runs_parent_run_id_root_run_id_user_id_fkey: {
        broken: [{ parent_run_id: nobody }, { user_id: bob }, { root_run_id: third }],
        given: bobsStep,
        onDelete: 'cascades',
      },
    },
  },
  'public.agent_steps': {
    row: stepRow,
    second: { id: first, step_index: '1', step_key: 'b' },
    required: `id run_id user_id step_index step_key tool name input needs required status attempt tries usage cost_micro
      created_at`,
    violations: {
      agent_steps_pkey: [{ id: step }],
      agent_steps_id_user_id_key: implied,
      agent_steps_run_id_step_index_key: [{ step_index: '0' }],
      agent_steps_run_id_step_key_key: [{ step_key: 'a' }],
      agent_steps_usage_check: [{ usage: '{}' }],
    },
    foreignKeys: {
      agent_steps_run_id_user_id_fkey: {
        broken: [{ run_id: nobody }, { user_id: bob }],
        onDelete: 'cascades',
      },
    },
  },
  'public.agent_artifacts': {
    row: {
      id: first,
      run_id: run,
      user_id: alice,
      step_id: step,
      kind: 'output',
      name: 'a.txt',
      media_type: 'text/plain',
      size_bytes: '1',
      sha256: '0'.repeat(64),
      storage_key: 'a',
    },
    second: { id: second, name: 'b.txt' },
    required: 'id user_id kind name media_type size_bytes sha256 storage_key created_at',
    violations: {
      agent_artifacts_pkey: [{ id: first }],
      agent_artifacts_run_id_kind_name_sha256_key: [{ name: 'a.txt' }],
      agent_artifacts_kind_check: [{ kind: 'secret' }],
      agent_artifacts_upload_check: [{ kind: 'upload' }, { run_id: null, step_id: null }],
      agent_artifacts_name_check: [{ name: '' }, { name: 'n'.repeat(1001) }],
      agent_artifacts_sha256_check: [{ sha256: '0'.repeat(63) }, { sha256: 'G'.repeat(64) }],
      agent_artifacts_size_bytes_check: [{ size_bytes: '-1' }],
    },
    foreignKeys: {
      agent_artifacts_run_id_user_id_fkey: ofRun,
      agent_artifacts_step_id_user_id_fkey: ofStep,
    },
  },
  'public.agent_user_deletions': {
    // One that is over: another of the same user may stand beside it.
    row: { id: first, user_id: alice, stage: 'done', finished_at: now },
    second: { id: second },
    required: `id user_id requested_by stage runs_cancelled runs_deleted files_deleted requested_at updated_at`,
    violations: {
      agent_user_deletions_pkey: [{ id: first }],
      agent_user_deletions_requested_by_check: [{ requested_by: 'nobody' }],
      agent_user_deletions_stage_check: [{ stage: 'soon', finished_at: null }],
      agent_user_deletions_runs_cancelled_check: [{ runs_cancelled: '-1' }],
      agent_user_deletions_runs_deleted_check: [{ runs_deleted: '-1' }],
      agent_user_deletions_files_deleted_check: [{ files_deleted: '-1' }],
      agent_user_deletions_finished_check: [{ stage: 'rows' }, { finished_at: null }],
    },
  },
  'public.agent_messages': {
    row: {
      id: first,
      run_id: run,
      user_id: alice,
      message_index: '0',
      role: 'user',
      content: '{}',
      step_id: step,
    },
    second: { id: second, message_index: '1' },
    required: 'id run_id user_id message_index role content input_tokens output_tokens created_at',
    violations: {
      agent_messages_pkey: [{ id: first }],
      agent_messages_run_id_message_index_key: [{ message_index: '0' }],
      agent_messages_input_tokens_check: [{ input_tokens: '-1' }],
      agent_messages_message_index_check: [{ message_index: '-1' }],
      agent_messages_output_tokens_check: [{ output_tokens: '-1' }],
      agent_messages_role_check: [{ role: 'oracle' }],
    },
    foreignKeys: { agent_messages_run_id_user_id_fkey: ofRun, agent_messages_step_id_user_id_fkey: ofStep },
  },
  'public.agent_questions': {
    row: {
      id: first,
      run_id: run,
      user_id: alice,
      step_id: step,
      kind: 'question',
      prompt: 'Which one?',
      expires_at: '2026-01-02T00:00:00Z',
    },
    second: { id: second, kind: 'approval' },
    required: 'id run_id user_id step_id kind prompt status expires_at created_at',
    violations: {
      agent_questions_pkey: [{ id: first }],
      agent_questions_step_id_kind_key: [{ kind: 'question' }],
      agent_questions_kind_check: [{ kind: 'demand' }],
      agent_questions_status_check: [{ status: 'ignored', answered_at: 'now' }],
      agent_questions_answered_check: [{ status: 'answered' }],
    },
    foreignKeys: {
      agent_questions_run_id_user_id_fkey: {
        broken: [{ run_id: nobody }, { user_id: bob, step_id: fourth }],
        given: bobsStep,
        onDelete: 'cascades',
      },
      agent_questions_step_id_user_id_fkey: {
        broken: [{ step_id: nobody }, { step_id: fourth }],
        given: bobsStep,
        onDelete: 'cascades',
      },
    },
  },
  'public.agent_memory': {
    row: { id: first, user_id: alice, run_id: run, key: 'a', content: 'content' },
    second: { id: second, key: 'b' },
    required: 'id user_id namespace key content metadata created_at updated_at',
    violations: {
      agent_memory_pkey: [{ id: first }],
      agent_memory_user_id_namespace_key_key: [{ key: 'a' }],
      agent_memory_key_check: [{ key: '' }, { key: 'k'.repeat(501) }],
      agent_memory_metadata_check: [{ metadata: '[]' }],
      agent_memory_namespace_check: [{ namespace: '' }, { namespace: 'n'.repeat(201) }],
      agent_memory_embedding_model_check: [
        { embedding: '{1}', embedding_model: '' },
        { embedding: '{1}', embedding_model: 'm'.repeat(201) },
      ],
      agent_memory_embedding_whole: [{ embedding: '{1}' }, { embedding_model: 'm' }],
      agent_memory_embedding_size: [
        { embedding: '{}', embedding_model: 'm' },
        { embedding: `{${Array.from({ length: 4_097 }, () => 0).join()}}`, embedding_model: 'm' },
      ],
    },
    foreignKeys: {
      agent_memory_run_id_user_id_fkey: {
        broken: [{ run_id: nobody }, { user_id: bob }],
        onDelete: { setsNull: 'run_id' },
      },
    },
  },
};
