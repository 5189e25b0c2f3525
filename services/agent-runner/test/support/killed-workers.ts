import type { TestDatabase } from '@swissbrain/testkit/database';
import { type PreparedWorker, prepareWorkerProcess, type WorkerProcess } from './worker-process.ts';

/** One worker at a time, and another that has read its program already. */
export interface KilledWorkers {
  /** Of the worker that works now; of the dead one until the next listens. */
  readonly url: string;
  /** kill -9. */
  kill(): Promise<void>;
  /** The next begins, and need not wait for the leases of the dead. */
  next(): Promise<void>;
  stop(): Promise<void>;
}

/** Starts the first. */
export async function startKilledWorkers(
  environment: Readonly<Record<string, string>>,
  database: TestDatabase,
): Promise<KilledWorkers> {
  const prepare = () => prepareWorkerProcess({ ...environment, WAIT_FOR_WORD: 'yes' }, './effect-worker.ts');
  let spare: PreparedWorker = prepare();
  let worker: WorkerProcess = await spare.begin();
  spare = prepare();
  return {
    get url() {
      return worker.url;
    },
    kill: () => worker.kill(),
    async next() {
      // Nobody has them any more, which a lease would only say later.
      await database.query(
        'update agent_runs set lease_until = clock_timestamp() where lease_until is not null',
      );
      worker = await spare.begin();
      spare = prepare();
    },
    async stop() {
      await Promise.all([worker.kill(), spare.kill()]);
    },
  };
}
