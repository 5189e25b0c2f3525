import { createServer, type IncomingMessage, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import { text } from 'node:stream/consumers';

/** A request that Stripe's API got. */
export interface StripeRequest {
  readonly method: string;
  readonly path: string;
  readonly query: URLSearchParams;
  readonly form: URLSearchParams;
  readonly idempotencyKey: string | undefined;
}

/** A subscription as a test says that it stands. */
export interface Standing {
  readonly user?: string;
  readonly customer?: string;
  readonly status?: string;
  readonly price?: string;
  readonly ends?: boolean;
}

/** Stripe's API over HTTP in its wire format: what a test has put there, and how it fails when told to. */
export async function startStripe() {
  const subscriptions = new Map<string, Standing>();
  const charges = new Map<string, { subscription: string; price: string; paid: number; refunded: number }>();
  const keys = new Map<string, { form: string; answer: object }>();
  const requests: StripeRequest[] = [];
  const state = { failing: false, losing: false, gate: Promise.resolve() };

  const create = (request: StripeRequest, answer: object): [number, object] => {
    const key = request.idempotencyKey ?? '';
    const form = request.form.toString();
    const known = keys.get(key);
    if (known && known.form !== form) return [400, failure('idempotency_error')];
    keys.set(key, known ?? { form, answer });
    return [200, keys.get(key)?.answer ?? answer];
  };
  /** Those that have not ended, newest first, in pages. */
  const listSubscriptions = (query: URLSearchParams): [number, object] => {
    const live = [...subscriptions].filter(([, { status }]) => status !== 'canceled').reverse();
    const after = query.get('starting_after');
    if (after !== null && !subscriptions.has(after)) return [400, failure('invalid_request_error')];
    const start = after === null ? 0 : live.findIndex(([id]) => id === after) + 1;
    const end = start + Number(query.get('limit') ?? 10);
    const data = live.slice(start, end).map(([id, standing]) => subscriptionObject(id, standing));
    return [200, { object: 'list', url: '/v1/subscriptions', data, has_more: end < live.length }];
  };
  const answerTo = (request: StripeRequest): [number, object] => {
    if (state.failing) return [500, failure('api_error')];
    const [, , kind = '', id = ''] = request.path.split('/');
    if (request.method === 'POST') {
      const session = `https://pay.example/${kind}/${requests.length}`;
      return create(request, { id: `cs_${requests.length}`, object: 'session', url: session });
    }
    if (kind === 'subscriptions' && id === '') return listSubscriptions(request.query);
    if (kind === 'subscriptions') {
      const found = subscriptions.get(id);
      if (request.method === 'DELETE') {
        // As there: one that has ended can be read, and is not there to be cancelled.
        if (!found || found.status === 'canceled') return [404, failure('invalid_request_error')];
        const ended = { ...found, status: 'canceled' };
        subscriptions.set(id, ended);
        return [200, subscriptionObject(id, ended)];
      }
      return found ? [200, subscriptionObject(id, found)] : [404, failure('invalid_request_error')];
    }
    const charge = charges.get(
      kind === 'charges' ? id : (request.query.get('payment[payment_intent]') ?? '').slice(3),
    );
    if (!charge) return [404, failure('invalid_request_error')];
    if (kind === 'charges') {
      const { paid: amount, refunded: amount_refunded } = charge;
      return [200, { id, object: 'charge', amount, amount_refunded, payment_intent: `pi_${id}` }];
    }
    return [200, { object: 'list', has_more: false, url: request.path, data: [paymentObject(charge)] }];
  };
  const handle = async (incoming: IncomingMessage, response: ServerResponse): Promise<void> => {
    const url = new URL(incoming.url ?? '', 'http://stripe');
    const key = incoming.headers['idempotency-key'];
    const request: StripeRequest = {
      ...{ method: incoming.method ?? '', path: url.pathname, query: url.searchParams },
      form: new URLSearchParams(await text(incoming)),
      idempotencyKey: typeof key === 'string' ? key : undefined,
    };
    const { losing } = state;
    const [status, body] = answerTo(request);
    requests.push(request);
    await state.gate;
    if (losing) {
      response.destroy();
      return;
    }
    response.writeHead(status, { 'content-type': 'application/json', 'request-id': 'req_1' });
    response.end(JSON.stringify(body));
  };
  const server = createServer((incoming, response) => void handle(incoming, response));
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  const { port } = server.address() as AddressInfo;
  return {
    url: `http://127.0.0.1:${port}`,
    subscriptions,
    charges,
    requests,
    /** Answers with 500 until told otherwise. */
    fail: (failing: boolean) => {
      state.failing = failing;
    },
    /** Does what it is asked and breaks the connection instead of answering, until told otherwise. */
    lose: (losing: boolean) => {
      state.losing = losing;
    },
    /** Holds answers, made as things stood, back until the returned function is called. */
    hold(): () => void {
      const { promise, resolve } = Promise.withResolvers<void>();
      state.gate = promise;
      return () => {
        state.gate = Promise.resolve();
        resolve();
      };
    },
    async stop(): Promise<void> {
      server.closeAllConnections();
      await new Promise((resolve) => server.close(resolve));
    },
  };
}
export type StripeServer = Awaited<ReturnType<typeof startStripe>>;

const failure = (type: string) => ({ error: { type, message: 'no' } });

function subscriptionObject(id: string, standing: Standing): object {
  const { user, customer = `cus_${id}`, status = 'active', price = 'price_pro', ends = false } = standing;
  return {
    ...{ id, object: 'subscription', customer, status },
    cancel_at_period_end: ends,
    cancel_at: null,
    metadata: user === undefined ? {} : { swissbrain_user_id: user },
    items: {
      object: 'list',
      data: [{ id: 'si_1', object: 'subscription_item', price: { id: price, object: 'price' } }],
    },
  };
}

function paymentObject({ subscription, price }: { subscription: string; price: string }): object {
  const line = (amount: number, of: string) => ({
    object: 'line_item',
    amount,
    pricing: { type: 'price_details', price_details: { price: of, product: 'prod_1' } },
  });
  return {
    object: 'invoice_payment',
    invoice: {
      object: 'invoice',
      parent: { type: 'subscription_details', subscription_details: { subscription } },
      lines: { object: 'list', data: [line(1_900, price), line(-300, 'price_before')] },
    },
  };
}
