/**
 * Fires at the first Ctrl-C, SIGTERM or hang-up. A second Ctrl-C calls `onSecond`, for who does not want to wait.
 */
export function onInterrupt(onSecond: () => void): AbortSignal {
  const controller = new AbortController();
  for (const signal of ['SIGINT', 'SIGTERM', 'SIGHUP'] as const) {
    process.on(signal, () => {
      if (controller.signal.aborted) onSecond();
      else controller.abort(new Interrupted());
    });
  }
  return controller.signal;
}

/** The reason of the signal: someone asked to stop. */
class Interrupted extends Error {
  constructor() {
    super('interrupted');
    this.name = 'Interrupted';
  }
}

/** Resolves when the signal fires. */
export function fired(signal: AbortSignal): Promise<void> {
  return new Promise((resolve) => {
    if (signal.aborted) resolve();
    else signal.addEventListener('abort', () => resolve(), { once: true });
  });
}
