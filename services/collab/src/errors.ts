import { defineErrors } from '@swissbrain/service-kit/errors';

/** Every error that collab itself answers with. */
export const errors = defineErrors({
  session_not_found: { status: 404, title: 'No such session' },
});
