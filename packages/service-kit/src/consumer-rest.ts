import type { Clock } from './clock.ts';
import type { ConsumerDefinition } from './consumer-definition.ts';
import { createLoadMeter } from './load-meter.ts';

/** The longest rest between two batches that are not full, under load. */
const mostRestMs = 50;

/** When the next batch may begin that is not full. */
export interface Rest {
  /** An event has come. */
  note(): void;
  /** Milliseconds until it is over; 0 when it is. */
  left(): number;
  /** Calls `begin` when it is over. */
  wait(): void;
  /** A batch begins. The function it returns is called when that batch has ended: the next rest begins. */
  batchBegins(): () => void;
  close(): void;
}

/**
 * A rest of as long as the definition says, or under load of as long as the last batch took.
 * @param begin called when the rest is over for which somebody waits, or when `gather` is ended
 */
export function createRest(
  { batch, gather }: Pick<ConsumerDefinition, 'batch' | 'gather'>,
  clock: Clock,
  begin: () => void,
): Rest {
  const load = createLoadMeter(clock);
  let until = 0;
  let timer: NodeJS.Timeout | undefined;
  let underWay = 0;
  let skipsNext = false;
  const over = (): void => {
    clearTimeout(timer);
    timer = undefined;
    begin();
  };
  const ignoreEnds = gather?.onEnd(() => {
    skipsNext = underWay > 0;
    until = 0;
    over();
  });
  return {
    note: () => load.note(1),
    left: () => Math.max(0, until - clock.monotonicMs()),
    wait() {
      timer ??= setTimeout(over, this.left());
    },
    batchBegins() {
      const began = clock.monotonicMs();
      underWay += 1;
      return () => {
        underWay -= 1;
        const ended = clock.monotonicMs();
        const underLoad = load.isBusy() ? Math.min(ended - began, mostRestMs) : 0;
        until = batch > 1 && !skipsNext ? ended + (gather?.ms ?? underLoad) : 0;
        skipsNext = false;
      };
    },
    close() {
      clearTimeout(timer);
      ignoreEnds?.();
    },
  };
}
