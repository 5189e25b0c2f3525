import { defineErrors } from '@swissbrain/service-kit/errors';

/** Every error that connectors itself answers with. */
export const errors = defineErrors({
  connector_not_found: { status: 404, title: 'No such connector' },
});
