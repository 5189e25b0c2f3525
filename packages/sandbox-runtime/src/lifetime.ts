/** Ends a session that nobody uses, and any session in the end. */
export interface Lifetime {
  /** A request has begun; call the result when it is answered. */
  used(): () => void;
  stop(): void;
}

/**
 * @param busy whether something runs that nobody needs to ask about to keep it going
 * @param expire called once, with the reason
 */
export function watchLifetime(
  options: { readonly idleMs: number; readonly lifetimeMs: number },
  busy: () => boolean,
  expire: (why: 'idle' | 'lifetime') => void,
): Lifetime {
  let open = 0;
  let idleTimer: NodeJS.Timeout | undefined;

  const restartIdle = () => {
    clearTimeout(idleTimer);
    idleTimer = setTimeout(() => {
      if (open > 0 || busy()) restartIdle();
      else expire('idle');
    }, options.idleMs);
  };
  const lifetimeTimer = setTimeout(() => expire('lifetime'), Math.min(options.lifetimeMs, 2 ** 31 - 1));
  restartIdle();

  return {
    used() {
      open += 1;
      return () => {
        open -= 1;
        restartIdle();
      };
    },
    stop() {
      clearTimeout(idleTimer);
      clearTimeout(lifetimeTimer);
    },
  };
}
