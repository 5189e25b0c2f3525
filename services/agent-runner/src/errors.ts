import { defineErrors } from '@swissbrain/service-kit/errors';

/** Every error that agent-runner itself answers with. */
export const errors = defineErrors({
  run_not_found: { status: 404, title: 'No such run' },
  artifact_not_found: { status: 404, title: 'No such artifact' },
  invalid_playbook: { status: 422, title: 'The playbook cannot run' },
  invalid_run: { status: 422, title: 'The run cannot be created' },
  model_not_configured: { status: 422, title: 'No model is configured' },
  link_invalid: { status: 403, title: 'The link is not valid or has expired' },
});
