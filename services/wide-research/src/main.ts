import { runProcess } from '@swissbrain/service-kit/process';
import { configSchema } from './config.ts';
import { startService } from './service.ts';

await runProcess({ service: 'wide-research', configSchema, start: startService });
