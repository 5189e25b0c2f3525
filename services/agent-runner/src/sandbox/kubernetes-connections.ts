import { type ConfigurationOptions, Observable, type RequestContext } from '@kubernetes/client-node';
import { systemClock } from '@swissbrain/service-kit/clock';

/** What may be done to a request before it goes out. */
export type Middleware = NonNullable<ConfigurationOptions['middleware']>[number];

/** The CA and the certificate that connections are made with come from files, which change. */
const renewAfterMs = 300_000;

/**
 * The client opens a connection for every single request, with its handshake. This lets requests share those of an
 * earlier one; what is replaced closes by itself when it has nothing more to do.
 * @param now milliseconds of a clock that never goes back
 */
export function sharedConnections(now = systemClock.monotonicMs): Middleware {
  let shared: { readonly by: ReturnType<RequestContext['getDispatcher']>; readonly since: number } | null =
    null;
  return {
    pre(context) {
      const at = now();
      if (shared === null || at - shared.since > renewAfterMs)
        shared = { by: context.getDispatcher(), since: at };
      // None is given where those of the whole process serve as they are.
      if (shared.by !== undefined) context.setDispatcher(shared.by);
      return new Observable(Promise.resolve(context));
    },
    post: (context) => new Observable(Promise.resolve(context)),
  };
}
