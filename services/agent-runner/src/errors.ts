import { defineErrors } from '@swissbrain/service-kit/errors';

/** Every error that agent-runner itself answers with. */
export const errors = defineErrors({
  run_not_found: { status: 404, title: 'No such run' },
  run_not_open: { status: 409, title: 'The run has ended' },
  question_not_found: { status: 404, title: 'No such question' },
  question_closed: { status: 409, title: 'The question takes no answer any more' },
  invalid_answer: { status: 422, title: 'The answer does not fit the question' },
  content_unavailable: { status: 503, title: 'The content cannot be read from the storage' },
  upload_too_large: { status: 413, title: 'The file is too large' },
  upload_mismatch: { status: 422, title: 'What has arrived is not what was announced' },
  uploads_full: { status: 409, title: 'There is no room for another upload' },
  artifact_not_found: { status: 404, title: 'No such artifact' },
  invalid_playbook: { status: 422, title: 'The playbook cannot run' },
  invalid_range: { status: 422, title: 'The time that was given makes no sense here' },
  invalid_run: { status: 422, title: 'The run cannot be created' },
  run_too_large: { status: 422, title: 'The run has left too much for this' },
  model_not_configured: { status: 422, title: 'No model is configured' },
  deletion_not_found: { status: 404, title: 'No deletion was asked for' },
  user_leaving: { status: 403, title: 'The user is being deleted' },
  memory_not_found: { status: 404, title: 'No such memory' },
  link_invalid: { status: 403, title: 'The link is not valid or has expired' },
});
