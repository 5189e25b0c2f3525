import { defineErrors } from '@swissbrain/service-kit/errors';

/** Every error that wide-research itself answers with. */
export const errors = defineErrors({
  template_not_found: { status: 404, title: 'No such template' },
});
