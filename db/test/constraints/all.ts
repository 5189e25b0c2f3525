import { agentCore } from './agent-core.ts';
import { billing } from './billing.ts';
import { collaboration } from './collaboration.ts';
import { connector } from './connector.ts';
import { platform } from './platform.ts';
import { scheduledTasks } from './scheduled-tasks.ts';
import type { ConstrainedTables } from './table.ts';
import { wideResearch } from './wide-research.ts';

/** Every table of SwissBrain with a row that it takes and the rows that it must not take. */
export const constrainedTables: ConstrainedTables = {
  ...platform,
  ...agentCore,
  ...connector,
  ...billing,
  ...wideResearch,
  ...scheduledTasks,
  ...collaboration,
};
