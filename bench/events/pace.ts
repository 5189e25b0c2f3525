import { setTimeout as delay } from 'node:timers/promises';

/** What a side does for one event: commits it, and resolves when that is confirmed. */
export type Commit = (key: string) => Promise<void>;

/** Milliseconds from the confirmed commit to the handler, per event. */
export interface Latencies {
  commit(key: string): void;
  handled(key: string): void;
  /** Resolves when every event has been handled. */
  all(count: number): Promise<number[]>;
}

/** Matches commits and handlers by key; a handler may be first, since the commit's answer travels too. */
export function createLatencies(): Latencies {
  const committed = new Map<string, number>();
  const handled = new Map<string, number>();
  const done: number[] = [];
  let check = () => {};
  const match = (key: string) => {
    const began = committed.get(key);
    const ended = handled.get(key);
    if (began === undefined || ended === undefined) return;
    done.push(Math.max(ended - began, 0.001));
    check();
  };
  return {
    commit(key) {
      committed.set(key, performance.now());
      match(key);
    },
    handled(key) {
      handled.set(key, performance.now());
      match(key);
    },
    all: (count) =>
      new Promise((resolve) => {
        check = () => {
          if (done.length >= count) resolve(done);
        };
        check();
      }),
  };
}

/** Commits `count` events at `perSecond`, on schedule however long each takes. */
export async function commitAtPace(count: number, perSecond: number, commit: Commit): Promise<void> {
  const began = performance.now();
  const running: Promise<void>[] = [];
  for (let index = 0; index < count; index += 1) {
    const wait = began + (index * 1_000) / perSecond - performance.now();
    if (wait > 0) await delay(wait);
    running.push(commit(`${index}`));
  }
  await Promise.all(running);
}
