import { defineErrors } from '@swissbrain/service-kit/errors';

/** Every error that scheduler itself answers with. */
export const errors = defineErrors({
  schedule_not_found: { status: 404, title: 'No such schedule' },
});
