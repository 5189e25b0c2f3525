import { identifierOf, type ServiceName } from '@swissbrain/shared-schema/ids';
import { DelayedError, type Job, Queue, UnrecoverableError, Worker } from 'bullmq';
import { Redis } from 'ioredis';
import { z } from 'zod';
import type { Clock } from './clock.ts';
import type { BaseConfig } from './config.ts';
import { AppError, describeError, kitErrors } from './errors.ts';
import type { Logger } from './logger.ts';
import { currentTraceparent, inSpan } from './trace-context.ts';

/** A kind of work of one service. Names and payloads outlive a deployment: additions are optional fields. */
export interface JobDefinition<Payload extends z.ZodType = z.ZodType> {
  readonly queue: string;
  readonly name: string;
  readonly payload: Payload;
  /** How often the job is tried in all. */
  readonly attempts: number;
  /** Wait before the second try; doubles with each further one. */
  readonly backoffMs: number;
}

export interface JobContext {
  /** Aborted when the service stops or the job's lock is lost: someone else may run it then. */
  readonly signal: AbortSignal;
  readonly jobId: string;
}

/**
 * Work that this service has accepted, in BullMQ on Redis. Redis is not the truth: a reconciler adds again
 * from rows whatever was lost, so finished and failed jobs are not kept.
 */
export interface Jobs {
  /**
   * Adds a job; while one with the same `jobId` waits or runs, a second is not added.
   * @throws AppError `queue_unavailable` within seconds when Redis does not answer
   */
  add<P extends z.ZodType>(
    definition: JobDefinition<P>,
    payload: z.input<P>,
    options?: { readonly jobId?: string; readonly delayMs?: number },
  ): Promise<void>;
  /**
   * Runs jobs of this definition. A thrown `AppError` with retry `never` fails the job without another try; a
   * job that the stop of the service interrupts goes back to the queue.
   */
  work<P extends z.ZodType>(
    definition: JobDefinition<P>,
    options: { readonly concurrency: number; readonly lockMs?: number },
    handler: (payload: z.infer<P>, context: JobContext) => Promise<void>,
  ): void;
}

export interface OpenJobs extends Jobs {
  /** Rejects when Redis does not answer. */
  ping(): Promise<void>;
  /** Lets running jobs end after telling them to, and closes the connections. */
  close(): Promise<void>;
}

const addTimeoutMs = 5_000;
const defaultLockMs = 30_000;
/** A job whose worker died is given to another this often before it counts as failed. */
const maxStalledCount = 10;
const envelopeSchema = z.object({ traceparent: z.string().nullable(), payload: z.unknown() });
/** BullMQ reserves the colon. */
const safe = (text: string) => text.replaceAll(':', '.');

/** Jobs of a service; queues of different services never meet, though they share a Redis. */
export function createJobs(service: ServiceName, config: BaseConfig, log: Logger, clock: Clock): OpenJobs {
  const patience = { retryStrategy: retryDelay, socketTimeout: config.REDIS_TIMEOUT_MS };
  const producer = new Redis(config.REDIS_URL, { maxRetriesPerRequest: 2, ...patience });
  producer.on('error', (error) => log.warn({ reason: describeError(error) }, 'Redis cannot be reached'));
  const queues = new Map<string, Queue>();
  const workers: Worker[] = [];
  const stopping = new AbortController();
  const prefix = config.JOBS_PREFIX;
  const queueName = (definition: JobDefinition) =>
    safe(`${identifierOf(service)}.${definition.queue}.${definition.name}`);

  const queueOf = (name: string): Queue => {
    const existing = queues.get(name);
    if (existing) return existing;
    const queue = new Queue(name, { connection: producer, prefix, skipWaitingForReady: true });
    queue.on('error', (error) => log.debug({ queue: name, reason: describeError(error) }, 'queue error'));
    queues.set(name, queue);
    return queue;
  };

  return {
    async add(definition, payload, options = {}) {
      const data = { traceparent: currentTraceparent(), payload: definition.payload.parse(payload) };
      const adding = queueOf(queueName(definition)).add(definition.name, data, {
        attempts: definition.attempts,
        backoff: { type: 'exponential', delay: definition.backoffMs },
        removeOnComplete: true,
        removeOnFail: true,
        ...(options.jobId === undefined ? {} : { jobId: safe(options.jobId) }),
        ...(options.delayMs === undefined ? {} : { delay: options.delayMs }),
      });
      await withinTime(adding, `job ${definition.name} could not be added`);
    },
    work(definition, options, handler) {
      const name = queueName(definition);
      const process = (job: Job, token: string | undefined, signal: AbortSignal | undefined) =>
        runJob(definition, handler, job, token, {
          signal: signal ? AbortSignal.any([signal, stopping.signal]) : stopping.signal,
          stopping: stopping.signal,
          clock,
        });
      const worker = new Worker(name, process, {
        connection: { url: config.REDIS_URL, maxRetriesPerRequest: null, ...patience },
        prefix,
        concurrency: options.concurrency,
        lockDuration: options.lockMs ?? defaultLockMs,
        maxStalledCount,
      });
      worker.on('error', (error) =>
        log.warn({ queue: name, reason: describeError(error) }, 'a worker of a queue has trouble'),
      );
      worker.on('lockRenewalFailed', (ids) => {
        for (const id of ids) worker.cancelJob(id, 'the lock of the job was lost');
      });
      worker.on('failed', (job, error) => log.warn({ queue: name, job: job?.id, err: error }, 'job failed'));
      workers.push(worker);
    },
    ping: async () => void (await withinTime(producer.ping(), 'Redis does not answer')),
    async close() {
      stopping.abort(new Error('the service is stopping'));
      // Without Redis there is nobody to give a job back to: another worker takes it when its lock has run out.
      const force = producer.status !== 'ready';
      await Promise.all(workers.map((worker) => worker.close(force)));
      await Promise.all([...queues.values()].map((queue) => queue.close()));
      producer.disconnect();
    },
  };
}

interface Run {
  readonly signal: AbortSignal;
  readonly stopping: AbortSignal;
  readonly clock: Clock;
}

async function runJob<P extends z.ZodType>(
  definition: JobDefinition<P>,
  handler: (payload: z.infer<P>, context: JobContext) => Promise<void>,
  job: Job,
  token: string | undefined,
  { signal, stopping, clock }: Run,
): Promise<void> {
  const envelope = envelopeSchema.safeParse(job.data);
  const payload = definition.payload.safeParse(envelope.data?.payload);
  if (!envelope.success || !payload.success) {
    throw new UnrecoverableError(`job ${definition.name} does not carry the payload of its definition`);
  }
  try {
    await inSpan(`job ${definition.name}`, 'consumer', envelope.data.traceparent, {}, () =>
      handler(payload.data, { signal, jobId: job.id ?? '' }),
    );
  } catch (thrown) {
    if (stopping.aborted) {
      await job.moveToDelayed(clock.now().getTime(), token);
      throw new DelayedError();
    }
    if (thrown instanceof AppError && thrown.retry === 'never') throw new UnrecoverableError(thrown.message);
    throw thrown;
  }
}

function retryDelay(times: number): number {
  return Math.min(100 * times, 1_000);
}

/** Waits for Redis, but not for ever; what was sent may still arrive, which `jobId` makes harmless. */
async function withinTime<T>(work: Promise<T>, problem: string): Promise<T> {
  const { promise: timedOut, reject } = Promise.withResolvers<never>();
  const timer = setTimeout(() => reject(new Error(`no answer within ${addTimeoutMs} ms`)), addTimeoutMs);
  try {
    return await Promise.race([work, timedOut]);
  } catch (thrown) {
    throw kitErrors.queue_unavailable(`${problem}: ${describeError(thrown)}`);
  } finally {
    clearTimeout(timer);
    work.catch(() => {});
  }
}
