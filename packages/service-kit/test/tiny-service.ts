// The smallest service, as a process of its own.
import { type BaseConfig, baseConfigSchema } from '@swissbrain/service-kit/config';
import { openPlatform, serve } from '@swissbrain/service-kit/platform';
import { runProcess } from '@swissbrain/service-kit/process';

await runProcess({
  service: 'credits',
  configSchema: baseConfigSchema,
  start: async (config: BaseConfig) => {
    const platform = await openPlatform('credits', config);
    platform.http.get('/crash', async (_request, reply) => {
      setImmediate(() => {
        throw new Error('out of nowhere');
      });
      return reply.send({});
    });
    return serve(platform);
  },
});
