/**
 * The baseline beside us: DBOS workflows with the same number of no-op steps on the same Postgres server.
 * Run as its own process with `node dbos-workflows.ts`; talks over stdin/stdout, one JSON line each way.
 * In: {"workflows": 50, "steps": 20}. Out: {"seconds": 1.2, "stepMs": [..]}.
 */
import { createInterface } from 'node:readline';
import { DBOS } from '@dbos-inc/dbos-sdk';
import { z } from 'zod';

const request = z.object({ workflows: z.number().int().positive(), steps: z.number().int().positive() });
const stepMs: number[] = [];

const workflow = DBOS.registerWorkflow(
  async (steps: number) => {
    let done = 0;
    for (let index = 0; index < steps; index += 1) {
      const before = performance.now();
      done += await DBOS.runStep(() => Promise.resolve(1), { name: 'noop' });
      stepMs.push(performance.now() - before);
    }
    return done;
  },
  { name: 'noop-steps' },
);

DBOS.setConfig({
  name: 'swissbrain-bench',
  systemDatabaseUrl: z.string().parse(process.env.DBOS_DATABASE_URL),
  systemDatabasePoolSize: 20,
  logLevel: 'error',
});
await DBOS.launch();
process.stdout.write('{"ready":true}\n');

for await (const line of createInterface({ input: process.stdin })) {
  const { workflows, steps } = request.parse(JSON.parse(line));
  stepMs.length = 0;
  const before = performance.now();
  const handles = await Promise.all(
    Array.from({ length: workflows }, () => DBOS.startWorkflow(workflow)(steps)),
  );
  const results = await Promise.all(handles.map((handle) => handle.getResult()));
  const seconds = (performance.now() - before) / 1000;
  if (results.some((done) => done !== steps)) throw new Error('a DBOS workflow lost a step');
  process.stdout.write(`${JSON.stringify({ seconds, stepMs })}\n`);
}
await DBOS.shutdown();
