import { randomUUID } from 'node:crypto';
import { connect, type NatsConnection } from '@nats-io/transport-node';
import { systemClock } from '@swissbrain/service-kit/clock';
import { envelopeToHeaders, headersToEnvelope } from '@swissbrain/service-kit/event-headers';
import { createLogger } from '@swissbrain/service-kit/logger';
import { createRpc } from '@swissbrain/service-kit/rpc';
import { runRequested } from '@swissbrain/shared-schema/events/agent-runner';
import { creditsDenied, creditsReserved } from '@swissbrain/shared-schema/events/credits';
import { type EventDefinition, subjectOf } from '@swissbrain/shared-schema/events/envelope';
import { extendReservation, heartbeatReservations } from '@swissbrain/shared-schema/rpc/credits';
import type { z } from 'zod';

/** Prices and limits that the part of credits answers with. */
const price = (operation: string, micro: string, per: string, unit: string) => ({
  pricing_id: randomUUID(),
  operation,
  price_micro: micro,
  per_quantity: per,
  unit,
});
const prices = [
  price('code.execution', '100000', '1000', 'millisecond'),
  price('connector.call', '1000000', '1', 'call'),
  price('file.operation', '0', '1', 'operation'),
  price('llm.default.input', '300000', '1000', 'token'),
  price('llm.default.output', '600000', '1000', 'token'),
];
const limits = {
  tier: 'free',
  max_concurrent_runs: 1,
  max_parallel_items: 5,
  sandbox_cpu_millis: 1_000,
  sandbox_memory_mb: 512,
  sandbox_disk_mb: 256,
  sandbox_seconds: 60,
  retention_days: 7,
  requests_per_minute: 60,
};

type Requested = z.infer<typeof runRequested.data> & { readonly user_id: string };
type Extend = (request: { reservation_id: string; amount_micro: string; key: string }) => {
  status: 'extended' | 'replayed' | 'insufficient' | 'closed';
  held_micro: string;
};

/** The part of credits in a conversation with agent-runner, spoken over the real NATS. */
export interface CreditsPart {
  /** What each requested run gets; the default holds what is asked. `wait` leaves it pending. */
  onRequest: (run: Requested) => { readonly hold: bigint } | 'deny' | 'wait';
  onExtend: Extend;
  readonly requested: Requested[];
  readonly extensions: { reservation_id: string; amount_micro: string; key: string }[];
  /** Reservations that heartbeats are told of as closed. */
  readonly closed: Set<string>;
  readonly beats: string[][];
  reserve(run: Requested, hold: bigint): Promise<string>;
  publish<D extends EventDefinition>(
    definition: D,
    run: { readonly run_id: string; readonly user_id: string },
    data: z.input<D['data']>,
  ): Promise<void>;
  readonly nats: NatsConnection;
  close(): Promise<void>;
}

/** Joins the conversation; answers every run.requested as `onRequest` says. */
export async function playCredits(natsUrl: string): Promise<CreditsPart> {
  const nats = await connect({ servers: natsUrl });
  const rpc = createRpc(nats, createLogger({ service: 'credits', level: 'silent' }), systemClock);
  const part: CreditsPart = {
    onRequest: () => ({ hold: 100_000_000n }),
    onExtend: () => ({ status: 'insufficient', held_micro: '0' }),
    requested: [],
    extensions: [],
    closed: new Set(),
    beats: [],
    nats,
    async publish(definition, run, data) {
      const headers = envelopeToHeaders({
        id: randomUUID(),
        type: definition.type,
        version: definition.version,
        source: 'credits',
        time: systemClock.now().toISOString(),
        aggregate_type: definition.aggregate,
        aggregate_id: randomUUID(),
        aggregate_seq: 1n,
        user_id: run.user_id,
        root_id: run.run_id,
        run_seq: null,
        traceparent: null,
      });
      // The stream answers with its acknowledgement.
      await nats.request(subjectOf(definition.type, run.user_id, run.run_id), JSON.stringify(data), {
        headers,
        timeout: 5_000,
      });
    },
    async reserve(run, hold) {
      const reservationId = randomUUID();
      await part.publish(creditsReserved, run, {
        reservation_id: reservationId,
        run_id: run.run_id,
        held_micro: hold.toString(),
        available_micro: '0',
        price_as_of: systemClock.now().toISOString(),
        expires_at: systemClock.now().toISOString(),
        ttl_seconds: 60,
        prices,
        limits,
      });
      return reservationId;
    },
    close: async () => {
      await rpc.close();
      await nats.close();
    },
  };
  rpc.serve(extendReservation, async (request) => {
    part.extensions.push(request);
    return { available_micro: '0', ...part.onExtend(request) };
  });
  rpc.serve(heartbeatReservations, async ({ reservation_ids: ids }) => {
    part.beats.push(ids);
    return {
      alive: ids.filter((id) => !part.closed.has(id)),
      closed: ids.filter((id) => part.closed.has(id)),
    };
  });
  nats.subscribe(`sb.${runRequested.type}.*.*`, {
    callback: (_error, message) => {
      const envelope = headersToEnvelope(message.headers);
      const run = { ...runRequested.data.parse(message.json()), user_id: envelope.user_id };
      part.requested.push(run);
      const answer = part.onRequest(run);
      if (answer === 'wait') return;
      if (answer === 'deny') {
        void part.publish(creditsDenied, run, {
          reservation_id: randomUUID(),
          run_id: run.run_id,
          reason: 'insufficient',
          required_micro: '7000000',
          available_micro: '1500000',
        });
      } else void part.reserve(run, answer.hold);
    },
  });
  await nats.flush();
  return part;
}
