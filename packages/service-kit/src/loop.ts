import type { Logger } from './logger.ts';

/** Work that is done again and again. */
export interface Loop {
  /** Does it at once, or once more when it is being done. */
  wake(): void;
  /** Waits for a pass under way; none begins afterwards. */
  stop(): Promise<void>;
}

/**
 * Repeats `pass`, one at a time, `everyMs` after the end of the last or when woken. A pass may return the wait before
 * the next one in milliseconds. A failing pass is logged and tried again.
 */
export function startLoop(name: string, log: Logger, everyMs: number, pass: () => Promise<unknown>): Loop {
  let timer: NodeJS.Timeout | undefined;
  let running: Promise<void> | undefined;
  let again = false;
  let stopped = false;

  const once = async () => {
    let wait = everyMs;
    do {
      again = false;
      try {
        const wanted = await pass();
        wait = typeof wanted === 'number' ? wanted : everyMs;
      } catch (error) {
        log.warn({ err: error, loop: name }, 'a pass failed and is tried again');
      }
    } while (again && !stopped);
    running = undefined;
    if (!stopped) timer = setTimeout(wake, wait);
  };
  const wake = () => {
    if (stopped) return;
    clearTimeout(timer);
    if (running !== undefined) again = true;
    else running = once();
  };
  wake();
  return {
    wake,
    async stop() {
      stopped = true;
      clearTimeout(timer);
      await running;
    },
  };
}
